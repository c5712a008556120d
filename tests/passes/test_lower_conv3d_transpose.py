"""The transposed 3-D convolution, which TF.js lacks, becomes a convolution of spread data."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tests.passes.operands import random_array
from tests.reference_kernels import spread
from tfjs_magic.passes import lower_conv3d_transpose

ONES = (1, 1, 1, 1, 1)


def _transposed(x: Any, kernel: Any, sides: Any, **options: Any) -> Any:
    options = {"strides": ONES, "padding": "SAME", "dilations": ONES} | options
    return tf.raw_ops.Conv3DBackpropInputV2(input_sizes=sides, filter=kernel, out_backprop=x, **options)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(
    ("strides", "window"),
    [((1, 1, 1), (3, 3, 3)), ((2, 2, 2), (3, 3, 3)), ((1, 3, 2), (2, 3, 4)), ((3, 3, 3), (2, 2, 2))],
)
def test_lowers(tfjs_node: TfjsNode, strides: Any, window: Any, padding: str) -> None:
    given = (4, 3, 5)
    sides = [
        side * stride if padding == "SAME" else (side - 1) * stride + k
        for side, stride, k in zip(given, strides, window, strict=True)
    ]
    weights = random_array("w", *window, 3, 2)
    check_lowering(
        tfjs_node,
        [lower_conv3d_transpose.PASS],
        lambda x: _transposed(x, weights, [2, *sides, 3], strides=[1, *strides, 1], padding=padding),
        tf.TensorSpec((2, *given, 2), name="x"),
    )


def test_what_the_stride_left_out_comes_back_as_zeros(tfjs_node: TfjsNode) -> None:
    """The last value of each axis has no full stride behind it."""
    weights = random_array("w", 1, 1, 1, 3, 2)
    check_lowering(
        tfjs_node,
        [lower_conv3d_transpose.PASS],
        lambda x: _transposed(x, weights, [2, 5, 3, 3, 3], strides=[1, 2, 2, 1, 1], padding="VALID"),
        tf.TensorSpec((2, 3, 2, 3, 2), name="x"),
    )


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_dilations_spread_the_kernel(tfjs_node: TfjsNode, padding: str) -> None:
    weights, rates = random_array("w", 2, 3, 2, 3, 2), (2, 1, 3)
    grown = [0, 0, 0] if padding == "VALID" else [2, 2, 3]
    sides = [2, *(side + more - extra for side, more, extra in zip((6, 5, 7), (2, 2, 3), grown, strict=True)), 3]
    check_lowering(
        tfjs_node,
        [lower_conv3d_transpose.PASS],
        lambda x: _transposed(x, weights, sides, padding=padding, dilations=[1, *rates, 1]),
        tf.TensorSpec((2, 6, 5, 7, 2), name="x"),
        reference=lambda x: _transposed(x, spread(weights, rates), sides, padding=padding),
    )


@pytest.mark.parametrize(
    ("shape", "kernel", "reason"),
    [
        ((2, 2, 2, 2, 2), (2, 2, 2, 3, 2), "the weights are computed, or the channels are not last"),
        ((None, None, 2, 2, 2), None, "the size of the data is unknown"),
    ],
)
def test_refuses(shape: Any, kernel: Any, reason: str) -> None:
    x = tf.TensorSpec(shape, name="x")
    if kernel is not None:
        function: Any = lambda x, w: _transposed(x, w, [2, 4, 4, 4, 3], strides=[1, 2, 2, 2, 1])  # noqa: E731
        assert refusals([lower_conv3d_transpose.PASS], function, x, tf.TensorSpec(kernel, name="w")) == {reason}
        return
    weights = random_array("w", 2, 2, 2, 3, 2)
    sides = lambda x: tf.concat([tf.shape(x)[:-1] * [1, 2, 2, 2], [3]], 0)  # noqa: E731
    function = lambda x: _transposed(x, weights, sides(x), strides=[1, 2, 2, 2, 1])  # noqa: E731
    assert refusals([lower_conv3d_transpose.PASS], function, x) == {reason}
