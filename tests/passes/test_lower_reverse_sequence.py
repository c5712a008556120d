"""ReverseSequence, which TF.js lacks, becomes a gather."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_reverse_sequence

CASES: dict[str, Callable[[Any], Any]] = {
    "batch-first": lambda x: tf.reverse_sequence(x, [1, 3], 1, 0),
    "time-first": lambda x: tf.reverse_sequence(x, [1, 2, 0, 1], 0, 1),
    "last": lambda x: tf.reverse_sequence(x, [1, 5], 2, 0),
    "backwards": lambda x: (
        tf.reverse_sequence(x, [0, 1, 2, 2, 1, 0], 0, 2),
        tf.reverse_sequence(x, [6, 3, 2, 0], 2, 1),
    ),
    "inner-integers": lambda x: tf.reverse_sequence(tf.cast(9 * x[:, :, None], tf.int32), [1, 3, 0, 6], 3, 1),
    "inner-booleans": lambda x: tf.cast(tf.reverse_sequence(x[None] > 0, [1, 3, 0, 6], 3, 2), tf.float32) + x[0, 0, 0],
    "long-integers": lambda x: tf.reverse_sequence(x, tf.cast(tf.math.round(x[:, 0, 0]) * 0 + 2, tf.int64), 1),
}


@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str) -> None:
    check_lowering(tfjs_node, [lower_reverse_sequence.PASS], CASES[case], tf.TensorSpec((2, 4, 6), name="x"))


def test_lowers_what_is_known_only_in_the_browser(tfjs_node: TfjsNode) -> None:
    function = lambda x: tf.reverse_sequence(x, tf.shape(x)[:1] * [2, 1, 3] // 3, 1)  # noqa: E731
    feeds = [{"x": np.random.default_rng(seed).normal(size=(3, 4, 6)).astype(np.float32)} for seed in (1, 2)]
    spec = tf.TensorSpec((None, None, 6), name="x")
    check_lowering(tfjs_node, [lower_reverse_sequence.PASS], function, spec, feeds=feeds)


def test_any_sizes_of_inner_axes(tfjs_node: TfjsNode) -> None:
    function = lambda x: tf.reverse_sequence(x, tf.shape(x)[2:] * [1, 2], 1, 2)  # noqa: E731
    feeds = [{"x": np.random.default_rng(seed).normal(size=(3, 4, 2)).astype(np.float32)} for seed in (1, 2)]
    spec = tf.TensorSpec((None, None, None), name="x")
    check_lowering(tfjs_node, [lower_reverse_sequence.PASS], function, spec, feeds=feeds)


def test_refuses() -> None:
    function = lambda x: tf.reverse_sequence(x, [1, 2], 1, 0)  # noqa: E731
    assert refusals([lower_reverse_sequence.PASS], function, tf.TensorSpec(None, name="x")) == {"the rank is unknown"}
