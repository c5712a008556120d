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
}


@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str) -> None:
    check_lowering(tfjs_node, PASSES, CASES[case], X)


def test_runs_on_the_gpu(tfjs_node: TfjsNode) -> None:
    check_on_gpu(tfjs_node, CASES["range"], tf.TensorSpec((2, 5), name="x"))


def test_a_weight_that_is_quantized_is_a_constant(tfjs_node: TfjsNode) -> None:
    kernel = tf.Variable(np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32))
    function = lambda x: x @ tf.quantization.fake_quant_with_min_max_vars(kernel, -2.0, 2.0, num_bits=4)  # noqa: E731
    check_lowering(tfjs_node, PASSES, function, tf.TensorSpec((None, 3), name="x"))


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (
            lambda x: tf.quantization.fake_quant_with_min_max_vars(x, -1.0, tf.reduce_max(x)),
            "the range is computed",
        ),
        (
            lambda x: _two_way(input=x, input_min=[-1.0] * 3, input_max=[1.0] * 3, range_given=True, axis=2),
            "the range differs along an axis",
        ),
        (lambda x: _two_way(input=x, input_min=0.0, input_max=0.0), "the range is that of the data"),
        (
            lambda x: _two_way(input=tf.cast(x, tf.float16), input_min=0, input_max=1, range_given=True),
            "its data are no float32",
        ),
    ],
)
def test_refuses(function: Callable[[Any], Any], reason: str) -> None:
    assert refusals(PASSES, function, X) == {reason}
