"""Integers that float32 holds go through the kernels that TF.js has for floats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_booleans, lower_integer_kernels

raw = tf.raw_ops
MISS = "float32 may not hold its integers"
PASSES = [lower_integer_kernels.PASS, lower_booleans.PASS]
KERNEL = np.random.default_rng(0).integers(-128, 128, (2, 2, 3, 4)).astype(np.int32)
INTEGERS = tf.TensorSpec((2, 4, 6, 3), tf.int32, name="x")


def _bytes(x: Any) -> Any:
    return (x * 37) % 256


CASES: dict[str, Callable[[Any], Any]] = {
    "BatchMatMul": lambda x: raw.BatchMatMul(x=_bytes(x), y=_bytes(x), adj_x=False, adj_y=True),
    "BatchMatMulV2": lambda x: tf.matmul(_bytes(x), KERNEL[0, 0]),
    "BatchMatMulV3": lambda x: raw.BatchMatMulV3(
        x=tf.cast(_bytes(x) - 128, tf.int8), y=KERNEL[0, 0].astype(np.int8), Tout=tf.int32
    ),
    "Conv2D": lambda x: tf.nn.conv2d(_bytes(x), KERNEL, 1, "SAME"),
    "MatMul": lambda x: tf.matmul(tf.reshape(_bytes(x), [48, 3]), KERNEL[0, 0]),
    "MaxPool": lambda x: tf.nn.max_pool2d(_bytes(x) - 300, 2, 2, "SAME"),
    "StridedSlice": lambda x: (_bytes(x)[:, ::-2], (_bytes(x) > 100)[..., ::2]),
}


@pytest.mark.parametrize("op", sorted(lower_integer_kernels.PASS.anchors))
def test_lowers(tfjs_node: TfjsNode, op: str) -> None:
    check_lowering(tfjs_node, PASSES, CASES[op], INTEGERS)


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: tf.matmul(x, x, transpose_b=True), id="unknown-values"),
        pytest.param(lambda x: tf.matmul(x % 4096, x % 4097, transpose_b=True), id="large-sums"),
        pytest.param(lambda x: x[:, ::2], id="unknown-steps"),
        pytest.param(lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME"), id="unknown-maxima"),
        pytest.param(lambda x: tf.nn.conv2d(x, KERNEL, 1, "SAME"), id="unknown-pixels"),
    ],
)
def test_refuses_what_may_be_larger(function: Callable[[Any], Any]) -> None:
    assert refusals(PASSES, function, INTEGERS) == {MISS}


def test_refuses_sums_of_unknown_length() -> None:
    function = lambda x: tf.matmul(x % 8, x % 8, transpose_a=True)  # noqa: E731
    assert refusals(PASSES, function, tf.TensorSpec((None, 3), tf.int32, name="x")) == {MISS}
