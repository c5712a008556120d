"""Integers and booleans are permuted as floats, which webgpu has shaders for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.traced import traced
from tfjs_magic.passes import lower_permuted_numbers, run_passes

PASS = lower_permuted_numbers.PASS
F, N = tf.float32, tf.int32


def _tokens(x: Any) -> Any:
    return tf.cast(5 * x, N) % 7


CASES: dict[str, Callable[[Any], Any]] = {
    "flags": lambda x: (
        tf.reduce_all(x > -0.5, 1),
        tf.reduce_any(x > 0.9, [0, 1]),
        tf.reduce_all(x > -0.5, 0, keepdims=True),
    ),
    "masked-mean": lambda x: tf.reduce_sum(x, 1) / (1 + tf.reduce_sum(tf.cast(x > 0, F), 1)),
    "casts": lambda x: (
        tf.reduce_mean(tf.cast(_tokens(x), F), 1),
        tf.reduce_max(tf.cast(x > 0, F), 0),
        tf.reduce_min(tf.reshape(tf.cast(_tokens(x), F), [3, 2, -1]), 1),
        tf.math.reduce_prod(tf.cast(x > -1, F), 1),
        tf.cumsum(tf.cast(x > 0, F), 1),
        tf.argmax(tf.cast(x > 0, F), 1),
        tf.transpose(tf.cast(_tokens(x), F), [2, 0, 1]),
    ),
    "integers": lambda x: (
        tf.reduce_max(_tokens(x), 1),
        tf.reduce_min(_tokens(x), [0, 1], keepdims=True),
        tf.argmin(_tokens(x), 1),
        tf.transpose(_tokens(x), [2, 0, 1]),
    ),
}


@pytest.mark.parametrize("shape", [(2, 3, 8), (None, 3, 8)], ids=["static", "free"])
@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str, shape: Any) -> None:
    spec = tf.TensorSpec(shape, name="x")
    check_lowering(tfjs_node, [PASS], CASES[case], spec)
    check_on_gpu(tfjs_node, CASES[case], spec)


def test_sums_of_known_length(tfjs_node: TfjsNode) -> None:
    function = lambda x: (tf.reduce_sum(_tokens(x), 1), tf.cumsum(_tokens(x), 1))  # noqa: E731
    spec = tf.TensorSpec((2, 3, 8), name="x")
    check_lowering(tfjs_node, [PASS], function, spec)
    check_on_gpu(tfjs_node, function, spec)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.reduce_sum(x, 1),
        lambda x: tf.reduce_sum(tf.cast(x > 0, F), [1, 2]),
        lambda x: tf.reduce_any(x > 0, -1),
        lambda x: tf.reduce_sum(tf.cast(x[0] > 0, F), 0),
    ],
    ids=["floats", "last-axes", "last-axis", "matrix"],
)
def test_leaves_what_is_right(function: Callable[[Any], Any]) -> None:
    graph = traced(function, tf.TensorSpec((2, 3, 8), name="x"))
    assert not run_passes(graph, [PASS])[0].applied


@pytest.mark.parametrize("op", [tf.reduce_max, tf.reduce_sum, tf.argmax, tf.reduce_prod])
def test_refuses_integers_that_may_be_large(op: Callable[..., Any]) -> None:
    reasons = refusals([PASS], lambda x: op(x, 1), tf.TensorSpec((2, 3, 8), N, name="x"))
    assert reasons == {"float32 may not hold its integers"}
