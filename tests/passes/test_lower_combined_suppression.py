"""The suppression of boxes class by class becomes one for each class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_combined_suppression, raise_overlap_threshold

#: Boxes that overlap by just the threshold need the second one.
PASSES = [lower_combined_suppression.PASS, raise_overlap_threshold.PASS]
BOXES, CLASSES = 12, 3


def _suppressed(boxes: Any, scores: Any, per_class: int = 3, total: int = 7, **options: Any) -> Any:
    options = {"iou_threshold": 0.3, "score_threshold": 0.2} | options
    return tuple(
        tf.image.combined_non_max_suppression(
            boxes, scores, max_output_size_per_class=per_class, max_total_size=total, **options
        )
    )


def _feeds(images: int, kinds: int) -> list[dict[str, Any]]:
    feeds = []
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        corner = rng.uniform(-0.2, 0.8, (images, BOXES, kinds, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(0.1, 0.6, corner.shape)], -1)
        scores = rng.random((images, BOXES, CLASSES)) ** (seed + np.arange(images))[:, None, None]
        feeds.append({"boxes": boxes.astype(np.float32), "scores": scores.astype(np.float32)})
    return feeds


def _specs(images: int | None, kinds: int) -> tuple[tf.TensorSpec, tf.TensorSpec]:
    boxes = tf.TensorSpec((images, BOXES, kinds, 4), name="boxes")
    return boxes, tf.TensorSpec((images, BOXES, CLASSES), name="scores")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="default"),
        pytest.param({"clip_boxes": False}, id="not-clipped"),
        pytest.param({"total": 30, "score_threshold": 0.6}, id="more-than-there-are"),
        pytest.param({"total": 30, "pad_per_class": True}, id="padded-per-class"),
        pytest.param({"per_class": 1, "total": 2}, id="few"),
    ],
)
@pytest.mark.parametrize(("images", "kinds"), [(1, 1), (2, CLASSES)], ids=["shared-boxes", "own-boxes"])
def test_lowers(tfjs_node: TfjsNode, images: int, kinds: int, options: Any) -> None:
    function = lambda boxes, scores: _suppressed(boxes, scores, **options)[:3]  # noqa: E731
    check_lowering(tfjs_node, PASSES, function, *_specs(images, kinds), feeds=_feeds(images, kinds))


def test_counts(tfjs_node: TfjsNode) -> None:
    function = lambda boxes, scores: _suppressed(boxes, scores, total=30, score_threshold=0.5)[3]  # noqa: E731
    check_lowering(tfjs_node, PASSES, function, *_specs(2, 1), feeds=_feeds(2, 1))


def test_keeps_nothing(tfjs_node: TfjsNode) -> None:
    function = lambda boxes, scores: (*_suppressed(boxes, scores, score_threshold=2.0), boxes)  # noqa: E731
    shown = lambda boxes, scores: sum(tf.reduce_sum(tf.cast(x, tf.float32)) for x in function(boxes, scores))  # noqa: E731
    check_lowering(tfjs_node, PASSES, shown, *_specs(1, 1), feeds=_feeds(1, 1))


def test_refuses() -> None:
    reason = (
        "its counts are unknown: give inputs={…}, or end the model before, and call tf.image.nonMaxSuppressionAsync"
    )
    assert refusals([lower_combined_suppression.PASS], _suppressed, *_specs(None, 1)) == {reason}
    reason = "it would run over 128 times: end the model before it and call tf.image.nonMaxSuppressionAsync"
    assert refusals([lower_combined_suppression.PASS], _suppressed, *_specs(43, 1)) == {reason}
