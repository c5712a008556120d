"""The offset of a layer normalisation goes into the biases behind."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import PIPELINE, fold_input_offset, run_passes

PASSES = [fold_input_offset.PASS]
X, ROWS = tf.TensorSpec((None, 5, 4, 3), name="x"), tf.TensorSpec((4, 6), name="x")
B3 = random_array("b", 3)


def _normalised(x: Any, offset: Any, scale: Any = 1.5) -> Any:
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + 1e-3) * scale + offset  # TensorFlow multiplies the root by the scale


def _keras(offset: Any, channels: int = 3) -> Any:
    norm = keras.layers.LayerNormalization()
    norm.build((None, channels))
    norm.gamma.assign(1 + 0.2 * random_array("g", channels))
    norm.beta.assign(np.broadcast_to(offset, channels))
    return norm


LINEAR: dict[str, Any] = {
    "matrix": lambda x: tf.reshape(x, [-1, 3]) @ random_array("w", 3, 5),
    "conv": lambda x: tf.nn.conv2d(x, random_array("w", 2, 3, 3, 4), (1, 2), "VALID"),
    "dilated": lambda x: tf.nn.conv2d(x, random_array("w", 2, 2, 3, 4), 1, "VALID", dilations=2),
    "three": lambda x: (*(tf.reshape(x, [-1, 3]) @ random_array(w, 3, 5) for w in "qk"), LINEAR["conv"](x)),
}


@pytest.mark.parametrize("offset", [B3, B3.reshape(1, 1, 3), np.float32(0.3)], ids=["channels", "ones", "scalar"])
@pytest.mark.parametrize("kind", LINEAR)
def test_folds(tfjs_node: TfjsNode, kind: str, offset: Any) -> None:
    check_lowering(tfjs_node, PASSES, lambda x: LINEAR[kind](_normalised(x, offset)), X)


def test_beta_and_gamma_are_gone(tfjs_node: TfjsNode) -> None:
    norm = _keras(B3)
    block = lambda x: LINEAR["matrix"](norm(x)) + random_array("c", 5)  # noqa: E731
    check_on_gpu(tfjs_node, block, X)
    graph = traced(block, X)
    for group in PIPELINE.values():
        run_passes(graph, group)
    assert {op: count_ops(graph)[op] for op in ("Mul", "_FusedMatMul")} == {"Mul": 1, "_FusedMatMul": 1}


def test_a_large_offset_rounds_no_more(tfjs_node: TfjsNode) -> None:
    check_lowering(tfjs_node, PASSES, lambda x: LINEAR["matrix"](_normalised(x, 100 * B3)), X)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: tf.matmul(_normalised(x, 0.5), random_array("w", 5, 6), transpose_b=True), "_PLAIN"),
        (lambda x: _normalised(x, random_array("b", 4, 6)) @ random_array("w", 6, 5), "_CHANNELS"),
        (lambda x: _normalised(x, 3e38) @ random_array("w", 6, 5), "the folded offset is not finite"),
        (lambda x: (x * 2.0 + 0.5) @ random_array("w", 6, 5), None),
        (lambda x: _normalised(x, x[:1]) @ random_array("w", 6, 5), None),
        (lambda x: (y := _normalised(x, 0.5)) + y @ random_array("w", 6, 6), None),
        (lambda x: tf.nn.relu(_normalised(x, 0.5)) @ random_array("w", 6, 5), None),
        (lambda x: tf.transpose(_normalised(x, 0.5)) @ random_array("w", 4, 5), None),
        (lambda x: (y := _normalised(x, 0.5), y @ random_array("w", 6, 5)), None),
    ],
    ids="transposed rows infinite other-data computed residual relu turned output".split(),
)
def test_refuses(function: Any, reason: str | None) -> None:
    sentences = {
        "_PLAIN": "an operand is transposed, or zeros are padded",
        "_CHANNELS": "the offset is not one number per channel",
    }
    reasons = refusals(PASSES, function, ROWS, lacking=False)
    assert reasons == ({sentences.get(reason, reason)} if reason else set())


def test_refuses_padding() -> None:
    conv = lambda x: tf.nn.conv2d(_normalised(x, B3), random_array("w", 2, 3, 3, 4), 1, "SAME")  # noqa: E731
    assert refusals(PASSES, conv, X, lacking=False) == {"an operand is transposed, or zeros are padded"}
    deep = lambda x: tf.nn.depthwise_conv2d(_normalised(x, B3), random_array("w", 1, 1, 3, 2), [1] * 4, "VALID")  # noqa: E731
    assert refusals(PASSES, deep, X, lacking=False) == {"an operand is transposed, or zeros are padded"}
