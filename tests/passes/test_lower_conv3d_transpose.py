"""The transposed 3-D convolution, which TF.js lacks, becomes a convolution of spread data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
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


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(
    ("strides", "window", "more"),
    [
        pytest.param((1, 1, 1), (3, 3, 3), (0, 0, 0), id="one"),
        pytest.param((2, 2, 2), (3, 2, 3), (1, 0, 1), id="two"),
        pytest.param((1, 3, 2), (2, 3, 4), (0, 2, 1), id="mixed"),
        pytest.param((3, 3, 3), (2, 2, 1), (2, 0, 1), id="long"),
    ],
)
def test_lowers_what_is_known_only_in_the_browser(
    tfjs_node: TfjsNode, strides: Any, window: Any, more: Any, padding: str
) -> None:
    """The result may be longer than the least that gives the data: by less than a stride."""
    weights = random_array("w", *window, 3, 2)

    def function(x: Any) -> Any:
        sides = (tf.shape(x)[1:4] - 1) * strides + (window if padding == "VALID" else [1, 1, 1]) + more
        sizes = tf.concat([tf.shape(x)[:1], sides, [3]], 0)
        return _transposed(x, weights, sizes, strides=[1, *strides, 1], padding=padding)

    rng = np.random.default_rng(0)
    feeds = [{"x": rng.normal(size=shape).astype(np.float32)} for shape in ((2, 3, 4, 2, 2), (1, 4, 2, 3, 2))]
    spec = tf.TensorSpec((None, None, None, None, 2), name="x")
    check_lowering(tfjs_node, [lower_conv3d_transpose.PASS], function, spec, feeds=feeds)


def test_sizes_of_64_bits_beside_known_ones(tfjs_node: TfjsNode) -> None:
    weights = random_array("w", 2, 3, 2, 3, 2)
    sides = lambda x: tf.concat([tf.shape(x, tf.int64)[:-1] * [1, 2, 2, 2], [3]], 0)  # noqa: E731
    function = lambda x: _transposed(x, weights, sides(x), strides=[1, 2, 2, 2, 1])  # noqa: E731
    spec = tf.TensorSpec((None, 3, None, 2, 2), name="x")
    check_lowering(tfjs_node, [lower_conv3d_transpose.PASS], function, spec)


def test_any_size_runs_on_the_gpu(tfjs_node: TfjsNode) -> None:
    weights = random_array("w", 2, 3, 2, 3, 2)
    sides = lambda x: tf.concat([tf.shape(x)[:-1] * [1, 2, 2, 2], [3]], 0)  # noqa: E731
    function = lambda x: _transposed(x, weights, sides(x), strides=[1, 2, 2, 2, 1])  # noqa: E731
    check_on_gpu(tfjs_node, function, tf.TensorSpec((None, None, None, None, 2), name="x"))


@pytest.mark.parametrize("spec", [(2, 3, 4, 2, 2), (None, None, None, None, 2)], ids=["static", "free"])
def test_weights_are_computed(tfjs_node: TfjsNode, spec: Any) -> None:
    def function(x: Any, w: Any) -> Any:
        sizes = tf.concat([tf.shape(x)[:1], tf.shape(x)[1:4] * [1, 2, 3], [3]], 0)
        return _transposed(x, 2 * w, sizes, strides=[1, 1, 2, 3, 1])

    rng = np.random.default_rng(0)
    feeds = [
        {"x": rng.normal(size=(2, 3, 4, 2, 2)).astype(np.float32), "w": rng.normal(size=(2, 3, 2, 3, 2)).astype("f")}
        for _ in range(2)
    ]
    specs = tf.TensorSpec(spec, name="x"), tf.TensorSpec((2, 3, 2, 3, 2), name="w")
    check_lowering(tfjs_node, [lower_conv3d_transpose.PASS], function, *specs, feeds=feeds)


@pytest.mark.parametrize(
    ("options", "shape", "kernel", "reason"),
    [
        (
            {"dilations": (1, 2, 1, 1, 1)},
            (2, 4, 4, 4, 2),
            (2, 2, 2, 3, 2),
            "the weights are computed, and have dilations",
        ),
        ({"data_format": "NCDHW"}, (2, 2, 4, 4, 4), (2, 2, 2, 4, 2), "the channels are not last"),
        ({}, None, (2, 2, 2, 3, 2), "the rank of the data, or the size of the weights, is unknown"),
        ({}, (2, 4, 4, 4, 2), None, "the rank of the data, or the size of the weights, is unknown"),
    ],
)
def test_refuses(options: Any, shape: Any, kernel: Any, reason: str) -> None:
    specs = tf.TensorSpec(shape, name="x"), tf.TensorSpec(kernel, name="w"), tf.TensorSpec((5,), tf.int32, name="n")
    function = lambda x, w, n: _transposed(x, w, n, **options)  # noqa: E731
    lacking = "data_format" not in options  # another pass puts the channels last
    assert refusals([lower_conv3d_transpose.PASS], function, *specs, lacking=lacking) == {reason}
