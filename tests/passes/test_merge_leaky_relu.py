"""The larger of a number and a part of it is a leaky relu."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.traced import traced
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import PIPELINE, merge_leaky_relu, run_passes

PASSES = [merge_leaky_relu.PASS]
X = tf.TensorSpec((None, 6, 6, 3), name="x")
KERNEL = np.random.default_rng(0).normal(size=(3, 3, 3, 4)).astype(np.float32)


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: tf.maximum(x, 0.2 * x) - 1.0, id="exchanged"),
        pytest.param(lambda x: tf.maximum(x * 0.01, x) - 1.0, id="product-first"),
        pytest.param(lambda x: (tf.maximum(x, y := 0.2 * x) - 1.0, y), id="others-use-the-product"),
    ],
)
def test_merges(tfjs_node: TfjsNode, function: Any) -> None:
    check_lowering(tfjs_node, PASSES, function, X)
    check_on_gpu(tfjs_node, function, X)


def test_a_convolution_takes_it() -> None:
    graph = traced(lambda x: tf.maximum(y := tf.nn.conv2d(x, KERNEL, 1, "SAME"), 0.2 * y), X)
    for group in PIPELINE.values():
        run_passes(graph, group)
    assert count_ops(graph) == {"_FusedConv2D": 1}


@pytest.mark.parametrize("factor", [1.5, 1.0, 0.0, -0.2, np.float32([0.1, 0.2, 0.3]), np.nan])
def test_refuses_other_factors(factor: Any) -> None:
    product = lambda x: tf.raw_ops.Mul(x=x, y=tf.constant(factor, tf.float32))  # noqa: E731
    function = lambda x: tf.maximum(x, product(x))  # noqa: E731
    assert refusals(PASSES, function, X, lacking=False) == {"the slope is not one number between 0 and 1"}


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: tf.minimum(x, 0.2 * x), id="smaller"),
        pytest.param(lambda x: tf.maximum(x, 0.2 + x), id="sum"),
        pytest.param(lambda x: tf.maximum(tf.sin(x), 0.2 * x), id="of-something-else"),
        pytest.param(lambda x: tf.maximum(x, x * x), id="square"),
        pytest.param(lambda x: tf.maximum(x, x * tf.sin(x)), id="computed"),
    ],
)
def test_leaves(function: Any) -> None:
    assert refusals(PASSES, function, X, lacking=False) == set()


def test_leaves_integers() -> None:
    spec = tf.TensorSpec((3,), tf.int32, "x")
    assert refusals(PASSES, lambda x: tf.maximum(x, 2 * x), spec, lacking=False) == set()
