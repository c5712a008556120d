"""The bias of a recurrent net joins the product of all steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.passes.operands import random_array
from tfjs_magic.passes import add_to_steps, join_steps

PASSES = [add_to_steps.PASS]
W, U, B = random_array("w", 5, 6), random_array("u", 6, 6), tf.constant(random_array("b", 6))
Cell = Callable[[Any, Any], Any]


def _net(x: Any, cell: Cell) -> Any:
    """Return the last state of a net whose x·W is computed for all four steps at once."""
    parts = tf.split(tf.reshape(x, [-1, 5]) @ W, 4)
    state = tf.tanh(parts[0])
    for part in parts:
        state = tf.tanh(cell(part, state @ U))
    return state


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(lambda x, h: (x + h) + B, id="left"),
        pytest.param(lambda x, h: tf.nn.bias_add(x + h, B), id="bias"),
        pytest.param(lambda x, h: (h + B) + x, id="to-the-product"),
        pytest.param(lambda x, h: (x + h) + 0.5, id="scalar"),
    ],
)
def test_adds_to_the_parts(tfjs_node: TfjsNode, cell: Cell, rows: int) -> None:
    spec = tf.TensorSpec((4, rows, 5), name="x")
    check_lowering(tfjs_node, PASSES, lambda x: _net(x, cell), spec)


def test_all_parts_get_it_at_once(tfjs_node: TfjsNode) -> None:
    def function(x: Any) -> Any:
        return _net(x, lambda x, h: (x + h) + B)

    spec = tf.TensorSpec((4, 2, 5), name="x")
    check_lowering(tfjs_node, [*PASSES, join_steps.PASS], function, spec)
    check_on_gpu(tfjs_node, function, spec)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        pytest.param(
            lambda x, h: (x + h) + random_array("rows", 2, 6),
            "the offset is not one finite number per channel",
            id="per-row",
        ),
        pytest.param(
            lambda x, h: tf.nn.bias_add((y := x + h), B) * y,
            "a sum of two also feeds another node or an output",
            id="sum-is-used",
        ),
        pytest.param(lambda x, h: (x * h) + B, None, id="no-sum"),
        pytest.param(lambda x, h: (tf.tanh(x) + h) + B, None, id="no-product"),
        pytest.param(lambda x, h: (x + h[:1]) + B, None, id="another-shape"),
    ],
)
def test_refuses(cell: Cell, reason: str | None) -> None:
    reasons = refusals(PASSES, lambda x: _net(x, cell), tf.TensorSpec((4, 2, 5), name="x"), lacking=False)
    assert reasons == ({reason} if reason else set())
