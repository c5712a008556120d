"""The mean of an image is a pooling over all of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.graph_text import tfjs_model
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import pool_means
from tfjs_magic.passes.rewrite import run_passes

PASSES = [pool_means.PASS]
_PIXELS = "the image has one pixel, none, or more than 4096 in a window"
X = tf.TensorSpec((None, 6, 7, 3), name="x")


@pytest.mark.parametrize("keepdims", [True, False])
@pytest.mark.parametrize("axes", [[1, 2], [-2, -3]], ids=str)
def test_pools(tfjs_node: TfjsNode, axes: list[int], *, keepdims: bool) -> None:
    function = lambda x: tf.reduce_mean(x, axes, keepdims=keepdims)  # noqa: E731
    check_lowering(tfjs_node, PASSES, function, X)
    check_on_gpu(tfjs_node, function, X)


@pytest.mark.parametrize("sides", [(64, 64), (1, 5), (37, 1), (64, 65), (112, 112), (2, 4096)], ids=str)
def test_pools_images_of_every_size(tfjs_node: TfjsNode, sides: Any) -> None:
    """Far from zero, sums are large: pooling must round no more than a mean."""
    feeds = [{"x": i * (100 + random_array(f"x{i}", 2, *sides, 3))} for i in (1, 2)]
    spec = tf.TensorSpec((2, *sides, 3), name="x")
    check_lowering(tfjs_node, PASSES, lambda x: tf.reduce_mean(x, [1, 2]), spec, feeds=feeds)


@pytest.mark.parametrize("keepdims", [True, False])
def test_pools_large_images_in_two_steps(tfjs_node: TfjsNode, *, keepdims: bool) -> None:
    function = lambda x: tf.reduce_mean(x, [1, 2], keepdims=keepdims)  # noqa: E731
    graph = traced(function, spec := tf.TensorSpec((None, 65, 66, 3), name="x"))
    run_passes(graph, PASSES)
    assert count_ops(graph)["AvgPool"] == 2
    check_lowering(tfjs_node, PASSES, function, spec)
    check_on_gpu(tfjs_node, function, spec)


def test_two_steps_round_less_than_a_mean(tfjs_node: TfjsNode) -> None:
    """The sum of 16,900 times 1/130 is off by 2e-4 where one value is added after the other."""
    graph = traced(lambda x: tf.reduce_mean(x, [1, 2]), tf.TensorSpec((1, 130, 130, 1), name="x"))
    run_passes(graph, PASSES)
    for backend in ("cpu", "wasm"):
        (got,) = tfjs_node.run_each(tfjs_model(graph), [{"x": np.full((1, 130, 130, 1), 1 / 130, np.float32)}], backend)
        assert np.abs(got["out0"] * 130 - 1).max() < 2e-6


def test_hands_infinities_on(tfjs_node: TfjsNode) -> None:
    image = random_array("x", 1, 6, 7, 3)
    odd = image.copy()
    odd[0, 2, 3] = [-np.inf, np.inf, 1]
    check_lowering(
        tfjs_node,
        PASSES,
        lambda x: tf.reduce_mean(x, [1, 2]),
        tf.TensorSpec((1, 6, 7, 3), name="x"),
        feeds=[{"x": odd}, {"x": image}],
    )


@pytest.mark.parametrize(
    ("function", "spec", "reason"),
    [
        (lambda x: tf.reduce_mean(x, [1, 2]), tf.TensorSpec((2, None, 7, 3), name="x"), "a size is unknown"),
        (
            lambda x: tf.reduce_mean(x, [1, 2]),
            tf.TensorSpec((2, 1, 4097, 3), name="x"),
            _PIXELS,
        ),
        (
            lambda x: tf.reduce_mean(x, [1, 2]),
            tf.TensorSpec((2, 1, 1, 3), name="x"),
            _PIXELS,
        ),
        (lambda x: tf.reduce_mean(x, [1]), X, None),
        (lambda x: tf.reduce_mean(x, [1, 2, 3]), X, None),
        (lambda x: tf.reduce_mean(x, [1, 3]), X, None),
        (lambda x: tf.reduce_mean(x, [0, 1]), tf.TensorSpec((2, 3, 4), name="x"), None),
        (lambda x: tf.reduce_sum(x, [1, 2]), X, None),
    ],
    ids=["unknown", "large", "pixel", "rows", "all", "rows-and-channels", "matrix", "sum"],
)
def test_refuses(function: Any, spec: tf.TensorSpec, reason: str | None) -> None:
    assert refusals(PASSES, function, spec, lacking=False) == ({reason} if reason else set())
