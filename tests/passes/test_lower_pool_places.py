"""The largest value of each window comes with its place, counted as TensorFlow counts, the first of equals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tfjs_magic.passes import lower_pool_places

PASSES = [lower_pool_places.PASS]


def _pool(x: Any, window: tuple[int, int], stride: tuple[int, int], padding: str, *, batch: bool) -> Any:
    return tf.nn.max_pool_with_argmax(x, window, stride, padding, output_dtype=tf.int32, include_batch_in_index=batch)


def _feeds(shape: tuple[int, ...]) -> list[dict[str, np.ndarray[Any, Any]]]:
    """Draw from few values, all below zero, so that many of a window are equal."""
    return [{"x": np.random.default_rng(seed).integers(-4, 0, shape).astype(np.float32)} for seed in (1, 2)]


@pytest.mark.parametrize("batch", [False, True], ids=["image", "batch"])
@pytest.mark.parametrize(
    ("window", "stride", "padding"),
    [((2, 2), (2, 2), "VALID"), ((3, 2), (2, 1), "SAME"), ((2, 3), (3, 3), "SAME"), ((1, 2), (2, 2), "VALID")],
)
def test_lowers(
    tfjs_node: TfjsNode, window: tuple[int, int], stride: tuple[int, int], padding: str, *, batch: bool
) -> None:
    shape = (2, 7, 6, 3)
    function = lambda x: _pool(x, window, stride, padding, batch=batch)  # noqa: E731
    for sizes in (shape, (None, 7, 6, None)):
        check_lowering(tfjs_node, PASSES, function, tf.TensorSpec(sizes, name="x"), feeds=_feeds(shape))


def test_unpools_on_the_gpu(tfjs_node: TfjsNode) -> None:
    """As segmentation networks do: what was largest goes back to its place."""

    def function(x: Any) -> Any:
        largest, places = _pool(x, (2, 2), (2, 2), "VALID", batch=True)
        spread = tf.scatter_nd(tf.reshape(places, [-1, 1]), tf.reshape(largest, [-1]), [2 * 4 * 6 * 3])
        return tf.reshape(spread, [2, 4, 6, 3])

    check_on_gpu(tfjs_node, function, tf.TensorSpec((2, 4, 6, 3), name="x"), feeds=_feeds((2, 4, 6, 3)))


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (tf.TensorSpec((2, None, 6, 3), name="x"), "the height or the width is unknown"),
        (tf.TensorSpec((2, 7, 6, 3), tf.int32, name="x"), "the data are no floats"),
    ],
)
def test_refuses(spec: tf.TensorSpec, reason: str) -> None:
    assert refusals(PASSES, lambda x: _pool(x, (2, 2), (2, 2), "SAME", batch=False), spec) == {reason}
