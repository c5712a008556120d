"""Boxes that overlap by just the threshold stay, as in TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering
from tfjs_magic.passes import lower_padded_suppression, raise_overlap_threshold

PASSES = [raise_overlap_threshold.PASS, lower_padded_suppression.PASS]
#: The second overlaps the first by just a half, the third by more, the last two are one box.
BOXES = np.float32([[0, 0, 1, 1], [0, 0, 1, 0.5], [0, 0, 0.75, 1], [2, 2, 3, 3], [2, 2, 3, 3]])
FEEDS = [{"scores": np.float32(scores)} for scores in ([0.9, 0.8, 0.7, 0.6, 0.5], [0.2, 0.5, 0.9, 0.7, 0.8])]
SCORES = tf.TensorSpec((None,), name="scores")


def _suppressed(version: int, scores: Any, threshold: Any, boxes: Any = BOXES, **options: Any) -> Any:
    options |= {} if version == 2 else {"score_threshold": 0.1}
    options |= {"soft_nms_sigma": 0.0} if version == 5 and "soft_nms_sigma" not in options else {}
    op = getattr(tf.raw_ops, f"NonMaxSuppressionV{version}")
    found = op(boxes=boxes, scores=scores, max_output_size=4, iou_threshold=threshold, **options)
    return found[0] if version > 3 else found


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_raises(tfjs_node: TfjsNode, version: int, threshold: float) -> None:
    function = lambda scores: (_suppressed(version, scores, threshold), scores)  # noqa: E731
    check_lowering(tfjs_node, PASSES, function, SCORES, feeds=FEEDS)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_threshold_is_fed(tfjs_node: TfjsNode, threshold: float) -> None:
    function = lambda scores, t: (_suppressed(3, scores, t), scores)  # noqa: E731
    feeds = [{**feed, "t": np.float32(threshold)} for feed in FEEDS]
    check_lowering(tfjs_node, PASSES, function, SCORES, tf.TensorSpec((), name="t"), feeds=feeds)


def test_lower_scores_leave_no_box_out(tfjs_node: TfjsNode) -> None:
    function = lambda scores: (_suppressed(5, scores, 0.3, BOXES[:4], soft_nms_sigma=0.5), scores)  # noqa: E731
    feeds = [{"scores": feed["scores"][:4]} for feed in FEEDS]
    check_lowering(tfjs_node, PASSES, function, SCORES, feeds=feeds)
