"""Rows that are taken apart by number, and put together again, become gathers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_partitions

raw = tf.raw_ops
PARTS = np.int32([0, 3, 0, 3, 1, 0])
FEEDS = [
    {"x": np.random.default_rng(seed).normal(size=(6, 3)).astype(np.float32), "p": np.roll(PARTS, seed)}
    for seed in (1, 2)
]
X, P = tf.TensorSpec((6, 3), name="x"), tf.TensorSpec((None,), tf.int32, name="p")
FREE = tf.TensorSpec((None, None), name="x")


def _apart(x: Any, parts: Any) -> Any:
    """Take x apart into four, of which one is empty."""
    first, second, _, third = tf.dynamic_partition(x, parts, 4)
    return first, second, third


def _stitched(x: Any, parts: Any) -> Any:
    """Do something else with the rows of each part, then put them in their places again."""
    places = tf.dynamic_partition(tf.range(tf.shape(x)[0]), parts, 4)
    return tf.dynamic_stitch(places, [(i + 1.0) * y for i, y in enumerate(tf.dynamic_partition(x, parts, 4))])


CASES: dict[str, Callable[[Any], Any]] = {
    "apart": lambda x: _apart(x, PARTS),
    "apart-by-two-axes": lambda x: tf.dynamic_partition(x, PARTS[:, None] % [[1, 2, 3]] % 2, 2),
    "empty": lambda x: [tf.concat([x, y], 0) for y in tf.dynamic_partition(x, PARTS, 5)],
    "integers": lambda x: tf.dynamic_partition(tf.cast(9 * x, tf.int32), PARTS % 3 % 2, 2),
    "together": lambda x: tf.dynamic_stitch([[5, 0, 2], [1, 4, 3]], [x[:3], x[3:]]),
    "twice": lambda x: tf.dynamic_stitch([[0, 1, 2], [1, 2, 1]], [x[:3], x[3:]]),
    "of-several-ranks": lambda x: raw.ParallelDynamicStitch(indices=[1, [[0], [2]]], data=[x[0], x[4:, None]]),
}


@pytest.mark.parametrize("spec", [X, FREE], ids=["static", "free"])
@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str, spec: tf.TensorSpec) -> None:
    feeds = [{"x": feed["x"]} for feed in FEEDS]
    check_lowering(tfjs_node, [lower_partitions.PASS], CASES[case], spec, feeds=feeds)


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(_apart, id="apart"),
        pytest.param(_stitched, id="stitched"),
        pytest.param(lambda x, p: tf.dynamic_stitch([p, [2, 2]], [x, x[:2]]), id="together"),
        pytest.param(lambda x, p: tf.dynamic_partition(x, tf.stack([p, 3 - p, p], 1), 4)[0], id="two-axes"),
    ],
)
def test_numbers_are_fed(tfjs_node: TfjsNode, function: Any) -> None:
    check_lowering(tfjs_node, [lower_partitions.PASS], function, FREE, P, feeds=FEEDS)


@pytest.mark.parametrize(
    ("function", "shape", "reason"),
    [
        (
            lambda x: tf.dynamic_stitch([[0], [2]], [x[:1], x[1:]]),
            (2, 3),
            "some rows of the result have no data: give each of them some",
        ),
        (
            lambda x: raw.DynamicStitch(indices=[[0], [2]], data=[x, x]),
            None,
            "the rank of what it takes is unknown",
        ),
    ],
)
def test_refuses(function: Callable[[Any], Any], shape: Any, reason: str) -> None:
    assert refusals([lower_partitions.PASS], function, tf.TensorSpec(shape, name="x")) == {reason}
