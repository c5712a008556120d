"""The scale of scores goes to the query."""

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
from tfjs_magic.passes import PIPELINE, fold_product_scale, run_passes

PASSES = [fold_product_scale.PASS]
X, Y = tf.TensorSpec((6, 8), name="x"), tf.TensorSpec((2, 4, 5), name="y")


def _heads(x: Any, bias: Any = None) -> Any:
    """X (6, 8) as two heads (2, 6, 4)."""
    x = x @ random_array("w", 8, 8)
    x = x if bias is None else x + bias
    return tf.transpose(tf.reshape(x, (6, 2, 4)), (1, 0, 2))


@pytest.mark.parametrize("bias", [None, random_array("b", 8)], ids=["no-bias", "bias"])
@pytest.mark.parametrize("scale", [np.float32(0.3), np.full((1, 1, 1), -2, np.float32)], ids=["scalar", "ones"])
def test_moves(tfjs_node: TfjsNode, bias: Any, scale: Any) -> None:
    check_lowering(tfjs_node, PASSES, lambda x, y: scale * (_heads(x, bias) @ y), X, Y)
    check_lowering(
        tfjs_node, PASSES, lambda x, y: tf.matmul(y, _heads(x, bias), transpose_a=True, transpose_b=True) * scale, X, Y
    )


def test_attention_scales_no_scores(tfjs_node: TfjsNode) -> None:
    x = keras.Input((5, 8), name="x")
    model = keras.Model(x, keras.layers.MultiHeadAttention(2, 4)(x, x))
    for i, variable in enumerate(model.weights):
        variable.assign(random_array(f"w{i}", *variable.shape))
    function, spec = (lambda x: model(x) * 1.0), tf.TensorSpec((2, 5, 8), name="x")
    check_on_gpu(tfjs_node, function, spec)
    graph = traced(function, spec)
    for group in PIPELINE.values():
        run_passes(graph, group)
    assert "Mul" not in count_ops(graph)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x, y: (_heads(x) @ y) * 1e-4, "the factor is very small or very large"),
        (lambda x, y: (_heads(x) @ y) * 1e4, "the factor is very small or very large"),
        (lambda x, y: (_heads(x) @ y) * random_array("s", 5), None),
        (lambda x, y: (_heads(x) @ y) * y[0, 0, 0], None),
        (lambda x, y: ((p := _heads(x) @ y) * 0.5, p), None),
        (lambda x, y: (((h := _heads(x)) @ y) * 0.5, h), None),
        (lambda x, y: (tf.nn.relu(_heads(x)) @ y) * 0.5, None),
        (lambda x, y: (tf.reshape(x, (2, 6, 4)) @ y) * 0.5, None),
    ],
    ids="small large channels computed product-used heads-used relu no-linear-op".split(),
)
def test_refuses(function: Any, reason: str | None) -> None:
    assert refusals(PASSES, function, X, Y, lacking=False) == ({reason} if reason else set())


def test_leaves_weights_that_something_else_uses() -> None:
    def function(x: Any, y: Any) -> Any:
        weights = tf.constant(random_array("w", 8, 8))
        heads = tf.reshape(x @ weights, (2, 6, 4))
        return (heads @ y) * 0.5, (x + 1) @ weights

    assert refusals(PASSES, function, X, Y, lacking=False) == set()
