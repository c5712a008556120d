"""The products of a batch become one product after the other."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.models import randomised
from tests.passes.checks import check_lowering, refusals
from tests.traced import traced
from tfjs_magic import convert
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import split_products
from tfjs_magic.passes.rewrite import run_passes

PASSES = [split_products.PASS]
_ORDERS = ((0, 2, 1, 3), (0, 2, 3, 1), (0, 1, 3, 2))


def _spec(name: str, *shape: int | None) -> tf.TensorSpec:
    return tf.TensorSpec(shape, name=name)


def _product(a: Any, b: Any, **options: bool) -> Any:
    return tf.raw_ops.BatchMatMulV2(x=a, y=b, **options) / 8.0


@pytest.mark.parametrize("batch", [(3,), (2, 3), (1, 2), (2, 1), (1, 2, 2)], ids=str)
@pytest.mark.parametrize(("adj_x", "adj_y"), [*itertools.product([False, True], repeat=2)])
def test_splits_a_batch(tfjs_node: TfjsNode, batch: Any, adj_x: bool, adj_y: bool) -> None:  # noqa: FBT001
    a, b = ((64, 32) if adj_x else (32, 64)), ((40, 64) if adj_y else (64, 40))
    product = lambda a, b: _product(a, b, adj_x=adj_x, adj_y=adj_y)  # noqa: E731
    check_lowering(tfjs_node, PASSES, product, _spec("a", *batch, *a), _spec("b", *batch, *b))


@pytest.mark.parametrize("orders", [*itertools.product(_ORDERS, repeat=2)], ids=str)
@pytest.mark.parametrize("adj_y", [False, True])
def test_heads_that_lie_side_by_side_stay(tfjs_node: TfjsNode, orders: Any, adj_y: bool) -> None:  # noqa: FBT001
    """Each order of the axes of both operands that gives a product: two heads, of 40 · 48 and 48 · 36 numbers."""
    made = [(1, 2, 40, 48), (1, 2, 36, 48) if adj_y else (1, 2, 48, 36)]
    shapes = [[shape[order.index(axis)] for axis in range(4)] for order, shape in zip(orders, made, strict=True)]

    def function(a: Any, b: Any) -> Any:
        a, b = (tf.transpose(ref, order) for ref, order in zip((a, b), orders, strict=True))
        return tf.transpose(_product(a, b, adj_y=adj_y), (0, 2, 1, 3))

    check_lowering(tfjs_node, PASSES, function, _spec("a", *shapes[0]), _spec("b", *shapes[1]))


def test_a_transpose_behind_goes() -> None:
    def function(a: Any, b: Any) -> Any:
        a, b = (tf.transpose(ref, (0, 2, 1, 3)) for ref in (a, b))
        return tf.transpose(tf.raw_ops.BatchMatMulV2(x=a, y=b, adj_y=True), (0, 2, 1, 3))

    graph = traced(function, _spec("a", 1, 40, 2, 48), _spec("b", 1, 36, 2, 48))
    run_passes(graph, PASSES)
    assert count_ops(graph)["Transpose"] == 1  # of the keys, as a whole
    assert count_ops(graph)["BatchMatMulV2"] == 2


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        pytest.param((2, None, 64), (2, 64, 64), "a size is unknown", id="unknown-rows"),
        pytest.param((None, 64, 64), (None, 64, 64), "a size is unknown", id="unknown-batch"),
        pytest.param((2, 64, 64), (1, 64, 64), "the batches differ", id="one-matrix"),
        pytest.param((2, 64, 64), (64, 64), "the batches differ", id="rank-2"),
        pytest.param((33, 64, 64), (33, 64, 64), "there are more than 32 products", id="many"),
        pytest.param((2, 32, 32), (2, 32, 32), "the products are small", id="small"),
        pytest.param((1, 64, 64), (1, 64, 64), None, id="one-product"),
        pytest.param((64, 64), (64, 64), None, id="no-batch"),
    ],
)
def test_refuses(a: Any, b: Any, reason: str | None) -> None:
    reasons = refusals(PASSES, _product, _spec("a", *a), _spec("b", *b), lacking=False)
    assert reasons == ({reason} if reason else set())


def test_leaves_integers() -> None:
    specs = (tf.TensorSpec((2, 64, 64), tf.int32, name) for name in ("a", "b"))
    assert refusals(PASSES, lambda a, b: tf.raw_ops.BatchMatMulV2(x=a, y=b), *specs) == set()


@pytest.mark.parametrize("mask", [False, True])
def test_an_encoder_for_wasm_has_no_batch_of_products(tfjs_node: TfjsNode, mask: bool) -> None:  # noqa: FBT001
    x = keras.Input((48, 64), name="x")
    y = keras.layers.MultiHeadAttention(2, 32)(x, x, use_causal_mask=mask)
    model = randomised(keras.Model(x, keras.layers.Dense(3)(keras.layers.LayerNormalization()(y + x))))
    result = convert(model, format="graph", target="wasm", inputs={"x": (1, 48, 64)})
    assert {report.name: report.applied for report in result.report.passes}["split_products"] == 2
    feed = {"x": np.random.default_rng(0).normal(size=(1, 48, 64)).astype(np.float32)}
    for backend in ("cpu", "wasm"):
        (got,) = tfjs_node.run_each(result, [feed], backend)
        want = np.asarray(model(feed["x"]))
        assert np.abs(got[result.outputs[0].name] - want).max() < 1e-5 * np.abs(want).max()
