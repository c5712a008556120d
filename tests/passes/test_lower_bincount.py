"""Occurrences are counted by weights of 1, which webgpu is right with."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.traced import traced
from tfjs_magic.passes import lower_bincount, run_passes

PASS = lower_bincount.PASS


def _count(x: Any, weights: Any = (), *, dtype: Any = tf.int32, is_binary: bool = False) -> Any:
    weights = tf.constant(weights, dtype) if isinstance(weights, tuple) else weights
    return tf.raw_ops.DenseBincount(input=x, size=4, weights=weights, binary_output=is_binary)


@pytest.mark.parametrize("is_binary", [False, True], ids=["counts", "binary"])
@pytest.mark.parametrize("dtype", [tf.int32, tf.float32])
@pytest.mark.parametrize("shape", [(9,), (2, 7), (None, 7)])
def test_counts(tfjs_node: TfjsNode, shape: Any, dtype: Any, *, is_binary: bool) -> None:
    spec = tf.TensorSpec(shape, tf.int32, name="x")
    function = lambda x: _count(x, dtype=dtype, is_binary=is_binary)  # noqa: E731
    feeds = [
        {"x": tf.random.stateless_uniform([size or 2 for size in shape], [seed, 0], 0, 3 + seed % 2, tf.int32).numpy()}
        for seed in (1, 2)
    ]
    check_lowering(tfjs_node, [PASS], function, spec, feeds=feeds)
    check_on_gpu(tfjs_node, function, spec, feeds=feeds)


@pytest.mark.parametrize("mode", ["count", "multi_hot"])
def test_category_encoding(tfjs_node: TfjsNode, mode: str) -> None:
    """How many bins there are is computed."""
    layer = tf.keras.layers.CategoryEncoding(4, output_mode=mode)
    check_on_gpu(tfjs_node, layer, tf.TensorSpec((None, 5), tf.int32, name="x"), reads_at_once=True)


def test_float_weights(tfjs_node: TfjsNode) -> None:
    """They are right for one example, and else become those of one."""
    specs = [tf.TensorSpec((5,), tf.int32, name="x"), tf.TensorSpec((5,), name="w")]
    assert not run_passes(traced(_count, *specs), [PASS])[0].applied
    check_on_gpu(tfjs_node, _count, *specs)
    specs = [tf.TensorSpec((None, 5), tf.int32, name="x"), tf.TensorSpec((None, 5), name="w")]
    check_lowering(tfjs_node, [PASS], _count, *specs)
    check_on_gpu(tfjs_node, _count, *specs)


@pytest.mark.parametrize(
    ("shapes", "dtype", "reason"),
    [
        (((5,), (5,)), tf.int32, "the weights are integers"),
        ((None, (5,)), tf.float32, "the number of axes is unknown, or 0"),
    ],
)
def test_refuses(shapes: Any, dtype: Any, reason: str) -> None:
    specs = [tf.TensorSpec(shapes[0], tf.int32, name="x"), tf.TensorSpec(shapes[1], dtype, name="w")]
    assert refusals([PASS], _count, *specs) == {reason}
