"""A Select whose condition is a vector chooses rows, as TF.js would choose columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering
from tfjs_magic.passes import lower_vector_select, remove_identities, strip_control_inputs


def _select(condition: Any, x: Any, y: Any) -> Any:
    return tf.raw_ops.Select(condition=condition, x=x, y=y)


CASES: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "rows": ((2, 4, 6), lambda x: _select(x[:, 0, 0] > 0, x, -x)),
    "square": ((6, 6), lambda x: _select(x[:, 0] > 0, x, -x)),
    "free-rows": ((None, 4), lambda x: _select(x[:, 0] > 0, x, -x)),
    "unknown-rank": (None, lambda x: _select(x > 0, x, -2 * x)),
    "rows-of-unknown-rank": (None, lambda x: _select(tf.reshape(x, [-1])[:2] > 0, x, -2 * x)),
    "one-for-all-of-unknown-rank": (None, lambda x: _select(tf.reduce_sum(x) > 0, x, -2 * x)),
}


@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str) -> None:
    shape, function = CASES[case]
    spec = tf.TensorSpec(shape, name="x")
    feeds = None
    if shape is None:
        feeds = [{"x": tf.random.stateless_normal((2, 3), [seed, 0]).numpy()} for seed in (1, 2)]
    check_lowering(tfjs_node, [lower_vector_select.PASS], function, spec, feeds=feeds)


def test_rows_chosen_in_a_loop(tfjs_node: TfjsNode) -> None:
    """What a loop carries has no known rank; in every round the shape must be that of the round."""

    def function(x: Any) -> Any:
        step = lambda i, y: (i + 1, _select(y[:, 0] > 0, y - 1, y + tf.reduce_max(x)))  # noqa: E731
        return tf.while_loop(lambda i, _: i < 3, step, (0, x))[1]

    passes = [lower_vector_select.PASS, strip_control_inputs.PASS, remove_identities.PASS]
    check_lowering(tfjs_node, passes, function, tf.TensorSpec((4, 3), name="x"))
