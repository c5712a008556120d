"""Dilations that TF.js ignores or refuses go into the kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_pass, refusals
from tests.passes.operands import LINEAR, linear_constants, random_array
from tests.reference_kernels import spread
from tfjs_magic.passes import lower_dilation, lower_same_padding

raw = tf.raw_ops
BACK = random_array("back", 3, 2, 5, 4)
KERNEL, DEPTH, CUBE = (random_array("k", *s) for s in ((3, 2, 4, 5), (3, 2, 4, 2), (2, 3, 2, 4, 5)))
IMAGE, VOLUME = (None, 9, 8, 4), (None, 5, 7, 6, 4)


def _conv(x: Any, kernel: Any, strides: Any, padding: Any, rates: Any) -> Any:
    return tf.nn.conv2d(x, kernel, strides, padding, dilations=rates)


def _depthwise(x: Any, kernel: Any, strides: Any, padding: Any, rates: Any) -> Any:
    return raw.DepthwiseConv2dNative(
        input=x, filter=kernel, strides=[1, *strides, 1], padding=padding, dilations=[1, *rates, 1]
    )


def _conv3d(x: Any, kernel: Any, strides: Any, padding: Any, rates: Any) -> Any:
    return raw.Conv3D(input=x, filter=kernel, strides=[1, *strides, 1], padding=padding, dilations=[1, *rates, 1])


EXPLICIT = [[0, 0], [2, 1], [0, 3], [0, 0]]
CASES: dict[str, tuple[Any, Callable[..., Any], Any, Any, Any, Any]] = {
    **{
        f"conv-{padding}-{strides}-{rates}": (IMAGE, _conv, KERNEL, strides, padding, rates)
        for padding in ("SAME", "VALID")
        for strides, rates in (((2, 2), (2, 2)), ((2, 1), (1, 3)))
    },
    "conv-explicit": (IMAGE, _conv, KERNEL, (2, 2), EXPLICIT, (2, 2)),
    "depthwise": (IMAGE, _depthwise, DEPTH, (2, 2), "SAME", (2, 3)),
    "conv-3d": (VOLUME, _conv3d, CUBE, (2, 1, 3), "SAME", (2, 2, 1)),
}


@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str) -> None:
    shape, op, kernel, strides, padding, rates = CASES[case]
    check_lowering(
        tfjs_node,
        [lower_dilation.PASS, lower_same_padding.PASS],
        lambda x: op(x, kernel, strides, padding, rates),
        tf.TensorSpec(shape, name="x"),
        reference=lambda x: op(x, spread(kernel, rates), strides, padding, (1,) * len(rates)),
    )


def test_keeps_weights_that_another_shares(tfjs_node: TfjsNode) -> None:
    check_lowering(
        tfjs_node,
        [lower_dilation.PASS],
        lambda x: (_conv(x, KERNEL, 2, "SAME", 2), _conv(x, KERNEL, 1, "SAME", 2)),
        tf.TensorSpec(IMAGE, name="x"),
    )


def test_refuses_computed_weights() -> None:
    reasons = refusals(
        [lower_dilation.PASS],
        lambda x, w: _conv(x, w, 2, "SAME", 2),
        tf.TensorSpec((1, 9, 9, 2), name="x"),
        tf.TensorSpec((3, 3, 2, 2), name="w"),
    )
    assert reasons == {"the weights are computed, or the channels are not last"}


def _transposed(x: Any, kernel: Any, padding: str, rates: Any = (1, 1)) -> Any:
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=[2, 13, 11, 5] if padding == "VALID" else [2, 9, 8, 5],
        filter=kernel,
        out_backprop=x,
        strides=[1, 1, 1, 1],
        padding=padding,
        dilations=[1, *rates, 1],
    )


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_lowers_transposed_convolutions(tfjs_node: TfjsNode, padding: str) -> None:
    """TensorFlow's CPU has none of them without oneDNN."""
    check_lowering(
        tfjs_node,
        [lower_dilation.PASS],
        lambda x: _transposed(x, BACK, padding, (2, 3)),
        tf.TensorSpec((2, 9, 8, 4), name="x"),
        reference=lambda x: _transposed(x, spread(BACK, (2, 3)), padding),
    )


def test_leaves_transposed_convolutions_without_alone(tfjs_node: TfjsNode) -> None:
    inputs, line, _, _ = LINEAR["transposed-conv"]
    before = f"{inputs}\ny = {line}\nreturn y"
    check_pass(tfjs_node, before, None, [lower_dilation.PASS], linear_constants("transposed-conv"))


def test_refuses_computed_weights_of_transposed_convolutions() -> None:
    reasons = refusals(
        [lower_dilation.PASS],
        lambda x, w: _transposed(x, w, "SAME", (2, 3)),
        tf.TensorSpec((2, 9, 8, 4), name="x"),
        tf.TensorSpec((3, 2, 5, 4), name="w"),
    )
    assert reasons == {"the weights are computed, or the channels are not last"}
