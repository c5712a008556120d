"""Chosen boxes are filled up to the size that is asked for, also where there are fewer boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering
from tfjs_magic.passes import lower_padded_suppression, raise_overlap_threshold


@pytest.mark.parametrize("size", [4, 20], ids=["within", "beyond"])
def test_pads(tfjs_node: TfjsNode, size: int) -> None:
    def function(boxes: Any, count: Any) -> Any:
        return tf.raw_ops.NonMaxSuppressionV4(
            boxes=boxes,
            scores=boxes[:, 0],
            max_output_size=count,
            iou_threshold=0.3,
            score_threshold=0.2,
            pad_to_max_output_size=True,
        )

    feeds = []
    for seed, count in ((1, size), (2, size + 1)):
        corners = np.random.default_rng(seed).random((8, 4))
        feeds.append({"boxes": corners.astype(np.float32), "count": np.array(count, np.int32)})
    specs = tf.TensorSpec((None, 4), name="boxes"), tf.TensorSpec((), tf.int32, name="count")
    passes = [lower_padded_suppression.PASS, raise_overlap_threshold.PASS]
    check_lowering(tfjs_node, passes, function, *specs, feeds=feeds)


@pytest.mark.parametrize("size", [3, 20], ids=["within", "beyond"])
@pytest.mark.parametrize("pads", [True, False])
@pytest.mark.parametrize("sigma", [0.0, 0.5])
def test_counts_with_scores(tfjs_node: TfjsNode, size: int, *, pads: bool, sigma: float) -> None:
    def function(boxes: Any, count: Any) -> Any:
        return tuple(
            tf.raw_ops.NonMaxSuppressionV5(
                boxes=boxes,
                scores=boxes[:, 0],
                max_output_size=count,
                iou_threshold=0.3,
                score_threshold=0.2,
                soft_nms_sigma=sigma,
                pad_to_max_output_size=pads,
            )
        )

    feeds = []
    for seed, count in ((1, size), (2, size - 1)):
        corners = np.random.default_rng(seed).random((8, 4))
        corners[: 3 * seed, 0] /= 9
        feeds.append({"boxes": corners.astype(np.float32), "count": np.array(count, np.int32)})
    specs = tf.TensorSpec((None, 4), name="boxes"), tf.TensorSpec((), tf.int32, name="count")
    passes = [lower_padded_suppression.PASS, raise_overlap_threshold.PASS]
    check_lowering(tfjs_node, passes, function, *specs, feeds=feeds)
