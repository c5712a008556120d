"""The dilation of a transposed convolution, which TF.js ignores, goes into the kernel."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_pass, refusals
from tests.passes.operands import LINEAR, linear_constants, random_array
from tests.reference_kernels import spread
from tfjs_magic.passes import lower_dilated_conv_transpose

BACK = random_array("back", 3, 2, 5, 4)


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
def test_lowers(tfjs_node: TfjsNode, padding: str) -> None:
    """TensorFlow's CPU has none of them without oneDNN."""
    check_lowering(
        tfjs_node,
        [lower_dilated_conv_transpose.PASS],
        lambda x: _transposed(x, BACK, padding, (2, 3)),
        tf.TensorSpec((2, 9, 8, 4), name="x"),
        reference=lambda x: _transposed(x, spread(BACK, (2, 3)), padding),
    )


def test_leaves_others_alone(tfjs_node: TfjsNode) -> None:
    inputs, line, _, _ = LINEAR["transposed-conv"]
    before = f"{inputs}\ny = {line}\nreturn y"
    check_pass(tfjs_node, before, None, [lower_dilated_conv_transpose.PASS], linear_constants("transposed-conv"))


def test_refuses_computed_weights() -> None:
    reasons = refusals(
        [lower_dilated_conv_transpose.PASS],
        lambda x, w: _transposed(x, w, "SAME", (2, 3)),
        tf.TensorSpec((2, 9, 8, 4), name="x"),
        tf.TensorSpec((3, 2, 5, 4), name="w"),
    )
    assert reasons == {"the weights are computed, or the channels are not last"}
