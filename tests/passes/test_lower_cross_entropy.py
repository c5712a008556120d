"""Cross entropies of logits become logarithms of softmax."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_cross_entropy


@pytest.mark.parametrize("size", [4, None])
def test_chances(tfjs_node: TfjsNode, size: int | None) -> None:
    function = lambda x, y: tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(y), 9 * x)  # noqa: E731
    specs = tf.TensorSpec((size, 3), name="x"), tf.TensorSpec((None, 3), name="y")
    rng = np.random.default_rng(0)
    feeds = [{name: rng.normal(size=(4, 3)).astype(np.float32) for name in "xy"} for _ in range(2)]
    check_lowering(tfjs_node, [lower_cross_entropy.PASS], function, *specs, feeds=feeds)


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("shape", [(4, 1), (1, 1), (1, 3)])
def test_logits_that_are_repeated(tfjs_node: TfjsNode, shape: tuple[int, int], *, free: bool) -> None:
    function = lambda x, y: tf.raw_ops.SoftmaxCrossEntropyWithLogits(features=x, labels=y).loss  # noqa: E731
    sizes = ((None, None), (None, None)) if free else (shape, (4, 3))
    specs = [tf.TensorSpec(size, name=name) for size, name in zip(sizes, "xy", strict=True)]
    rng = np.random.default_rng(0)
    feeds = [{"x": rng.random(shape, np.float32), "y": rng.random((4, 3), np.float32)} for _ in range(2)]
    check_lowering(tfjs_node, [lower_cross_entropy.PASS], function, *specs, feeds=feeds)


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
def test_classes(tfjs_node: TfjsNode, dtype: tf.DType) -> None:
    function = lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(tf.constant([0, 2, 1], dtype), x)  # noqa: E731
    feeds = [{"x": np.random.default_rng(seed).normal(size=(3, 4)).astype(np.float32)} for seed in (0, 1)]
    check_lowering(tfjs_node, [lower_cross_entropy.PASS], function, tf.TensorSpec((3, None), name="x"), feeds=feeds)


def test_refuses_a_gradient() -> None:
    def function(x: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.SoftmaxCrossEntropyWithLogits(features=x, labels=x).backprop

    assert refusals([lower_cross_entropy.PASS], function, tf.TensorSpec((3, 4), name="x")) == {"its gradient is used"}
