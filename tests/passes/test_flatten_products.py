"""A product of rows in a batch with one matrix is a product of all rows."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.passes.operands import random_array
from tfjs_magic.passes import flatten_products

PASSES = [flatten_products.PASS]


def _product(x: Any, *, y: bool = False, **options: bool) -> Any:
    return tf.raw_ops.BatchMatMulV2(x=x, y=random_array("w", *((7, 5) if y else (5, 7))), adj_y=y, **options)


@pytest.mark.parametrize("shape", [(2, 4, 5), (None, 4, 5), (2, None, 5), (3, None, 2, 5), (1, 4, 5)], ids=str)
def test_flattens(tfjs_node: TfjsNode, shape: Any) -> None:
    spec = tf.TensorSpec(shape, name="x")
    check_lowering(tfjs_node, PASSES, _product, spec)
    check_on_gpu(tfjs_node, lambda x: tf.nn.relu(_product(x) + 1.0), spec)


@pytest.mark.parametrize(
    ("function", "shape", "reason"),
    [
        pytest.param(_product, (None, None, 5), "more than one size is unknown", id="unknown"),
        pytest.param(lambda x: _product(x, y=True), (2, 4, 5), "an operand is transposed", id="transposed-weights"),
        pytest.param(lambda x: _product(x, adj_x=True), (2, 5, 4), "an operand is transposed", id="transposed-rows"),
        pytest.param(_product, (4, 5), None, id="no-batch"),
        pytest.param(lambda x: x @ random_array("w", 2, 5, 3), (2, 4, 5), None, id="a-matrix-each"),
        pytest.param(lambda x: x @ x[0], (2, 5, 5), None, id="computed"),
        pytest.param(lambda x: random_array("w", 7, 4) @ x, (2, 4, 5), None, id="from-the-left"),
    ],
)
def test_refuses(function: Any, shape: Any, reason: str | None) -> None:
    reasons = refusals(PASSES, function, tf.TensorSpec(shape, name="x"), lacking=False)
    assert reasons == ({reason} if reason else set())
