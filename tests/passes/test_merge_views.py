"""Reshapes that follow each other are one; those that change nothing go."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tests.traced import traced
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import merge_views, remove_identities, run_passes

PASSES = [merge_views.PASS, remove_identities.PASS]


def _spec(*shape: int | None, dtype: Any = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec(shape, dtype, name="x")


CASES: dict[str, tuple[Any, tf.TensorSpec]] = {
    "two": (lambda x: tf.exp(tf.reshape(tf.reshape(x, [-1, 6]), [-1, 3, 4])), _spec(None, 4, 3)),
    "three": (lambda x: tf.exp(tf.reshape(tf.expand_dims(tf.reshape(x, [6, 4]), 1), [8, 3])), _spec(2, 4, 3)),
    "there-and-back": (lambda x: tf.exp(tf.squeeze(tf.expand_dims(tf.exp(x), 1), [1])), _spec(None, 4, 3)),
    "expanded-and-squeezed-elsewhere": (
        lambda x: tf.exp(tf.squeeze(tf.expand_dims(x, 1), [2])),
        _spec(None, 1, 3),
    ),
    "nothing": (lambda x: tf.exp(tf.reshape(tf.exp(x), [-1, 4, 3])), _spec(None, 4, 3)),
    "as-output": (lambda x: tf.reshape(tf.reshape(tf.exp(x), [-1, 6]), [-1, 4, 3]), _spec(None, 4, 3)),
    "also-used-between": (lambda x: (tf.exp(y := tf.reshape(x, [-1, 6])), tf.reshape(y, [-1, 2])), _spec(None, 6)),
    "integers": (lambda x: tf.reshape(tf.expand_dims(x, 0), [3, 4]) + 1, _spec(2, 6, dtype=tf.int32)),
}


@pytest.mark.parametrize("case", CASES)
def test_merges(tfjs_node: TfjsNode, case: str) -> None:
    function, spec = CASES[case]
    check_lowering(tfjs_node, PASSES, function, spec, tolerance=1e-6)


def test_nothing_is_left_of_what_changes_nothing() -> None:
    graph = traced(*CASES["there-and-back"])
    run_passes(graph, PASSES)
    assert count_ops(graph) == {"Exp": 2}


def test_a_reshape_that_swaps_sizes_stays() -> None:
    """Equal in number, of another shape: an unknown size may be any."""
    function = lambda x: tf.exp(tf.reshape(x, [4, -1]))  # noqa: E731
    assert refusals(PASSES[:1], function, _spec(None, 4), lacking=False) == set()


def test_refuses_two_unknown_sizes() -> None:
    def function(x: Any) -> Any:
        shape = tf.shape(x)
        return tf.reshape(tf.reshape(x, [-1]), [shape[1], shape[0]]) + 1.0

    assert refusals(PASSES[:1], function, _spec(None, None), lacking=False) == {"more than one size is unknown"}


def test_refuses_what_has_no_values() -> None:
    function = lambda x: tf.reshape(tf.reshape(x, [0, 6]), [0, 3]) + 1.0  # noqa: E731
    assert refusals(PASSES[:1], function, _spec(0, 4, 3), lacking=False) == {"it has no values"}


def test_refuses_what_sizes_alone_hold_in_a_branch() -> None:
    def function(x: Any) -> Any:
        negative, positive = tf.raw_ops.Switch(data=x, pred=tf.reduce_sum(x) > 0)
        view = tf.reshape(tf.reshape(x, [tf.shape(positive)[0], 3, 4]), [-1, 12])
        return tf.raw_ops.Merge(inputs=[view, negative])[0]

    reasons = refusals(PASSES[:1], function, _spec(None, 12), lacking=False)
    assert reasons == {"its sizes alone say in which branch it stands"}
