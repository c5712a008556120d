"""A transposed convolution becomes a convolution whose channels are the phases of rows and columns."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import PIPELINE, run_passes, split_conv2d_transpose

PASSES = [split_conv2d_transpose.PASS]
X = tf.TensorSpec((2, 4, 5, 2), name="x")


def _transposed(x: Any, window: Any, strides: Any, padding: str, sides: Any = None, **options: Any) -> Any:
    weights = options.pop("weights", random_array("w", *window, 3, 2))
    if sides is None:
        pairs = zip((4, 5), window, strides, strict=True)
        sides = [n * s if padding == "SAME" else (n - 1) * s + k for n, k, s in pairs]
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=[2, *sides, 3], filter=weights, out_backprop=x, strides=[1, *strides, 1], padding=padding, **options
    )


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(
    ("window", "strides"),
    [
        *(((2, 2), (2, 2)), ((3, 3), (2, 2)), ((4, 4), (2, 2)), ((5, 5), (2, 2)), ((3, 3), (1, 1)), ((3, 5), (3, 2))),
        *(((6, 4), (2, 4)), ((2, 3), (1, 2)), ((6, 6), (4, 4))),
    ],
    ids=str,
)
def test_splits(tfjs_node: TfjsNode, window: Any, strides: Any, padding: str) -> None:
    check_lowering(tfjs_node, PASSES, lambda x: _transposed(x, window, strides, padding), X)


@pytest.mark.parametrize("sides", [(7, 9), (8, 9), (7, 10)], ids=str)
@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_splits_what_same_made_of_odd_sizes(tfjs_node: TfjsNode, k: int, sides: Any) -> None:
    check_lowering(tfjs_node, PASSES, lambda x: _transposed(x, (k, k), (2, 2), "SAME", sides), X)


def test_what_the_stride_left_out_comes_back_as_zeros(tfjs_node: TfjsNode) -> None:
    check_lowering(tfjs_node, PASSES, lambda x: _transposed(x, (3, 3), (2, 2), "VALID", (10, 12)), X)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("k", [2, 3, 4])
def test_bias_and_activation_go_along(tfjs_node: TfjsNode, k: int, padding: str) -> None:
    def function(x: Any) -> Any:
        return tf.nn.relu(_transposed(x, (k, k), (2, 2), padding) + random_array("b", 3))

    check_lowering(tfjs_node, PASSES, function, X)
    check_on_gpu(tfjs_node, function, X)
    graph = traced(function, X)
    for group in PIPELINE.values():
        run_passes(graph, group)
    assert set(count_ops(graph)) - {"Slice"} == {"_FusedConv2D", "Reshape", "Transpose"}


@pytest.mark.parametrize(
    "behind",
    [
        pytest.param(lambda y: (tf.nn.relu(y + 1), y), id="another-use"),
        pytest.param(lambda y: y + random_array("c", 8, 10, 3), id="no-bias"),
        pytest.param(lambda y: y + random_array("b", 3) + y, id="used-twice"),
        pytest.param(lambda y: tf.nn.leaky_relu(y, 0.3), id="no-bias-but-an-activation"),
        pytest.param(lambda y: tf.tanh(y + random_array("b", 3)), id="an-activation-that-none-fuses"),
        pytest.param(lambda y: 3.0 - y, id="subtraction"),
    ],
)
def test_leaves_what_is_behind(tfjs_node: TfjsNode, behind: Any) -> None:
    check_lowering(tfjs_node, PASSES, lambda x: behind(_transposed(x, (2, 2), (2, 2), "SAME")), X)


def test_takes_a_free_batch(tfjs_node: TfjsNode) -> None:
    def function(x: Any) -> Any:
        return tf.nn.conv2d_transpose(x, random_array("w", 3, 3, 3, 2), (tf.shape(x)[0], 8, 10, 3), 2)

    check_lowering(tfjs_node, PASSES, function, tf.TensorSpec((None, 4, 5, 2), name="x"))


def test_refuses_channels_first() -> None:
    """They are put last before."""
    weights = random_array("w", 2, 2, 3, 2)
    function = lambda x: tf.nn.conv2d_transpose(x, weights, (2, 3, 8, 10), 2, "SAME", "NCHW")  # noqa: E731
    reasons = refusals(PASSES, function, tf.TensorSpec((2, 2, 4, 5), name="x"), lacking=False)
    assert reasons == {"the channels are not last"}


def test_refuses_other_kernels() -> None:
    w = tf.TensorSpec((2, 2, 3, 2), name="w")
    computed = lambda x, w: _transposed(x, (2, 2), (2, 2), "SAME", weights=w)  # noqa: E731
    assert refusals(PASSES, computed, X, w, lacking=False) == {"the kernel is computed, dilated, or shared"}
    small = lambda x: _transposed(x, (1, 1), (2, 2), "SAME")  # noqa: E731
    assert refusals(PASSES, small, X, lacking=False) == {"the kernel would be over twice as large"}
    dilated = lambda x: _transposed(x, (2, 2), (1, 1), "VALID", (6, 7), dilations=[1, 2, 2, 1])  # noqa: E731
    graph = traced(dilated, X)
    assert set(run_passes(graph, PASSES)[0].misses) == {"the kernel is computed, dilated, or shared"}


def test_refuses_shared_weights() -> None:
    def twice(x: Any) -> Any:
        weights = tf.constant(random_array("w", 2, 2, 3, 2))
        return tuple(_transposed(each, (2, 2), (2, 2), "SAME", weights=weights) for each in (x, x + 1))

    assert refusals(PASSES, twice, X, lacking=False) == {"the kernel is computed, dilated, or shared"}


def test_refuses_unknown_sizes() -> None:
    def function(x: Any) -> Any:
        return tf.nn.conv2d_transpose(x, random_array("w", 2, 2, 3, 2), tf.shape(x) * [1, 2, 2, 1] + [0, 0, 0, 1], 2)

    spec = tf.TensorSpec((2, None, 5, 2), name="x")
    assert refusals(PASSES, function, spec, lacking=False) == {"a size is unknown"}


def test_refuses_explicit_paddings() -> None:
    explicit = {"padding": "EXPLICIT", "explicit_paddings": [0, 0, 1, 0, 0, 1, 0, 0]}
    function = lambda x: _transposed(x, (2, 2), (2, 2), sides=(7, 9), **explicit)  # noqa: E731
    graph = traced(function, X)
    assert set(run_passes(graph, PASSES)[0].misses) == {"it is padded explicitly"}
