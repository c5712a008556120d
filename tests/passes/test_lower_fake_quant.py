"""Fake quantization with constant ranges becomes arithmetic that rounds to the same steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tfjs_magic.passes import lower_fake_quant

PASSES = [lower_fake_quant.PASS]
X = tf.TensorSpec((None, 40, 3), name="x")
_two_way = tf.raw_ops.QuantizeAndDequantizeV2
#: The one that TensorFlow's CPUs have for ranges that are given along an axis.
_along = tf.raw_ops.QuantizeAndDequantizeV3
CASES: dict[str, Callable[[Any], Any]] = {
    "range": lambda x: tf.quantization.fake_quant_with_min_max_vars(x, -1.3, 0.9),
    "range-beside-zero": lambda x: tf.quantization.fake_quant_with_min_max_vars(x, 0.4, 2.0, num_bits=4),
    "narrow": lambda x: tf.quantization.fake_quant_with_min_max_args(x, -1.0, 2.5, num_bits=5, narrow_range=True),
    "per-channel": lambda x: tf.quantization.fake_quant_with_min_max_vars_per_channel(
        x, [-1.0, -0.2, 0.0], [0.5, 2.0, 1.0]
    ),
    "per-channel-one-of-nothing": lambda x: tf.quantization.fake_quant_with_min_max_vars_per_channel(
        x, [-1.0, 0.0, 0.0], [0.5, 0.0, 1.0]
    ),
    "two-way": lambda x: _two_way(input=x, input_min=-1.0, input_max=2.0, range_given=True, num_bits=6),
    "two-way-unsigned": lambda x: _two_way(
        input=x, input_min=0.0, input_max=2.0, signed_input=False, range_given=True, round_mode="HALF_UP"
    ),
    "two-way-narrow": lambda x: tf.raw_ops.QuantizeAndDequantizeV3(
        input=x, input_min=-2.0, input_max=1.0, num_bits=4, range_given=True, narrow_range=True
    ),
    "two-way-trained": lambda x: tf.raw_ops.QuantizeAndDequantizeV4(
        input=x, input_min=-2.0, input_max=1.0, range_given=True
    ),
    "computed-range": lambda x: tf.quantization.fake_quant_with_min_max_vars(x, tf.reduce_min(x), 0.7),
    "computed-per-channel": lambda x: tf.quantization.fake_quant_with_min_max_vars_per_channel(
        x, -1.3 + 0 * x[0, 0], tf.reduce_max(x, [0, 1]), num_bits=5
    ),
    "range-of-nothing": lambda x: tf.quantization.fake_quant_with_min_max_vars(x, 0.0, 0.0) + x,
    "computed-range-of-nothing": lambda x: tf.quantization.fake_quant_with_min_max_vars(x, 0 * x[0, 0, 0], 0.0) + x,
    **{
        f"two-way-{signed}-{given}-{axis}": lambda x, s=signed == "signed", g=given == "given", a=axis: _along(
            input=x,
            input_min=-0.8 if a == -1 else [-0.8, -1.3, 0.1],
            input_max=1.1 if a == -1 else [0.3, 2, 1.7],
            range_given=g,
            signed_input=s,
            axis=a,
            num_bits=6,
        )
        for signed in ("signed", "unsigned")
        for given in ("given", "own")
        for axis in (-1, 2)
    },
    "two-way-computed": lambda x: _two_way(
        input=x, input_min=tf.reduce_min(x) / 2, input_max=x[0, 0, 0] * 0 + 1.2, range_given=True, num_bits=5
    ),
    "two-way-computed-along-an-axis": lambda x: _along(
        input=x, input_min=tf.reduce_min(x, [0, 1]) / 2, input_max=tf.ones([3]), num_bits=8, axis=2
    ),
    "two-way-of-zeros": lambda x: _two_way(input=x * 0, input_min=0.0, input_max=0.0) + x,
}


@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str) -> None:
    check_lowering(tfjs_node, PASSES, CASES[case], X)


@pytest.mark.parametrize("case", ["range", "computed-range", "two-way-signed-own-2"])
def test_runs_on_the_gpu(tfjs_node: TfjsNode, case: str) -> None:
    check_on_gpu(tfjs_node, CASES[case], tf.TensorSpec((2, 5, 3), name="x"))


def test_a_weight_that_is_quantized_is_a_constant(tfjs_node: TfjsNode) -> None:
    kernel = tf.Variable(np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32))
    function = lambda x: x @ tf.quantization.fake_quant_with_min_max_vars(kernel, -2.0, 2.0, num_bits=4)  # noqa: E731
    check_lowering(tfjs_node, PASSES, function, tf.TensorSpec((None, 3), name="x"))


@pytest.mark.parametrize(
    ("function", "shape", "reason"),
    [
        (
            lambda x: tf.raw_ops.QuantizeAndDequantizeV3(
                input=x, input_min=-1.0, input_max=1.0, num_bits=tf.cast(x[0], tf.int32)
            ),
            (2,),
            "the number of bits is computed: it has to be a constant",
        ),
        (
            lambda x: _two_way(input=x, input_min=0.0, input_max=0.0),
            None,
            "the rank is unknown, of the data whose range it takes, or along an axis of which it differs",
        ),
        (
            lambda x: _two_way(input=tf.cast(x, tf.float16), input_min=0, input_max=1, range_given=True),
            (2,),
            "its data are no float32",
        ),
    ],
)
def test_refuses(function: Callable[[Any], Any], shape: Any, reason: str) -> None:
    assert refusals(PASSES, function, tf.TensorSpec(shape, name="x")) == {reason}
