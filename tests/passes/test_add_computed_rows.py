"""A computed row that is added as a bias is added as it is."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.passes.operands import random_array
from tfjs_magic.passes import add_computed_rows

PASSES = [add_computed_rows.PASS]


def _row(x: Any) -> Any:
    """Make one row (1, 6) of x (…, 6)."""
    return tf.reshape(tf.reduce_sum(tf.reshape(x, [-1, 6]), 0), [1, 6]) @ random_array("v", 6, 6)


@pytest.mark.parametrize("shape", [(1, 6), (3, 6), (None, 6), (2, 3, 6)], ids=str)
@pytest.mark.parametrize("squeeze", [tf.squeeze, lambda r: tf.reshape(r, [6])], ids=["Squeeze", "Reshape"])
def test_adds_the_row(tfjs_node: TfjsNode, squeeze: Any, shape: Any) -> None:
    def function(x: Any) -> Any:
        return tf.nn.bias_add(x, squeeze(_row(x)))

    spec = tf.TensorSpec(shape, name="x")
    check_lowering(tfjs_node, PASSES, function, spec)
    check_on_gpu(tfjs_node, function, spec)


@pytest.mark.parametrize(
    ("function", "shape", "reason"),
    [
        pytest.param(
            lambda x: tf.nn.bias_add(x, tf.squeeze(_row(x)[None])), (3, 6), "what is added has more axes", id="axes"
        ),
        pytest.param(
            lambda x: tf.nn.bias_add(x, tf.reshape(x[:2, :3], [6])), (3, 6), "what is added is no row", id="no-row"
        ),
        pytest.param(lambda x: tf.nn.bias_add(x, tf.squeeze(_row(x)), "NC.."), (2, 6, 3, 2), None, id="channels-first"),
        pytest.param(lambda x: tf.nn.bias_add(x, random_array("b", 6)), (3, 6), None, id="constant"),
        pytest.param(lambda x: tf.nn.bias_add(x, x[1]), (3, 6), None, id="no-view"),
    ],
)
def test_refuses(function: Any, shape: Any, reason: str | None) -> None:
    reasons = refusals(PASSES, function, tf.TensorSpec(shape, name="x"), lacking=False)
    assert reasons == ({reason} if reason else set())
