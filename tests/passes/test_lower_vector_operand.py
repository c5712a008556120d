"""A vector that meets five axes gets as many, for webgpu."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu
from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic.passes import lower_vector_operand, run_passes

PASS = lower_vector_operand.PASS
V = random_array("v", 5)

CASES: dict[str, Callable[..., Any]] = {
    "bias": lambda x, _: tf.nn.bias_add(x, V),
    "constants": lambda x, _: (V - x, x * V, tf.maximum(x, V)),
    "computed": lambda x, v: (x / v, tf.math.squared_difference(2 * v, x)),
    "comparisons": lambda x, v: (x < v, tf.equal(V > 0, x > 0)),
    "booleans": lambda x, v: tf.logical_and(x > 0, v > -1),
    "integers": lambda x, v: tf.cast(9 * x, tf.int32) // (1 + tf.abs(tf.cast(9 * v, tf.int32))),
}


@pytest.mark.parametrize("case", CASES)
def test_reshapes(tfjs_node: TfjsNode, case: str) -> None:
    specs = [tf.TensorSpec((None, 2, 3, 4, 5), name="x"), tf.TensorSpec((5,), name="v")]
    check_lowering(tfjs_node, [PASS], CASES[case], *specs)
    check_on_gpu(tfjs_node, CASES[case], *specs)


def test_conv3d_with_a_bias(tfjs_node: TfjsNode) -> None:
    layer = tf.keras.layers.Conv3D(4, 2, bias_initializer="ones")
    spec = tf.TensorSpec((None, 3, 4, 3, 2), name="x")
    layer.build(spec.shape)
    check_on_gpu(tfjs_node, layer, spec, tolerance=1e-5)


@pytest.mark.parametrize("other", [(), (1,), (1, 5), (4, 5)])
def test_leaves_what_is_no_vector(other: Any) -> None:
    specs = [tf.TensorSpec((2, 2, 3, 4, 5), name="x"), tf.TensorSpec(other, name="v")]
    assert not run_passes(traced(tf.add, *specs), [PASS])[0].applied


def test_leaves_a_vector_that_meets_four_axes() -> None:
    specs = [tf.TensorSpec((2, 3, 4, 5), name="x"), tf.TensorSpec((5,), name="v")]
    assert not run_passes(traced(tf.add, *specs), [PASS])[0].applied
