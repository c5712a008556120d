"""Reductions by segment become scatters and choices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tfjs_magic.passes import lower_segments

#: webgl has no maxima beyond ±1e20, which those of no values are.
OPS = ["Sum", "Prod", *(["Max", "Min"] if {"cpu", "wasm"}.issuperset(BACKENDS) else [])]
#: Some ids are negative: what has them is left out; segments 1 and 5 have no values.
IDS = np.int32([3, 0, -1, 3, 2, 0, 4, -2])
FEEDS = [{"x": np.random.default_rng(seed).normal(size=(8, 3)).astype(np.float32)} for seed in (1, 2)]


def _unsorted(op: str) -> Any:
    return getattr(tf.math, f"unsorted_segment_{op.lower()}")


@pytest.mark.parametrize("size", [8, None], ids=["static", "free"])
@pytest.mark.parametrize("op", OPS)
def test_unsorted(tfjs_node: TfjsNode, op: str, size: int | None) -> None:
    function = lambda x: tf.clip_by_value(_unsorted(op)(x, IDS, 6), -9, 9)  # noqa: E731
    check_lowering(tfjs_node, [lower_segments.PASS], function, tf.TensorSpec((size, 3), name="x"), feeds=FEEDS)


@pytest.mark.parametrize("op", OPS)
def test_ids_and_their_number_are_fed(tfjs_node: TfjsNode, op: str) -> None:
    function = lambda x, ids, n: tf.clip_by_value(_unsorted(op)(x, ids, n), -9, 9)  # noqa: E731
    specs = tf.TensorSpec((None, None), name="x"), tf.TensorSpec((None,), tf.int64, name="ids")
    feeds = [{**feed, "ids": IDS.astype(np.int64), "n": np.int64(n)} for feed, n in zip(FEEDS, (5, 7), strict=True)]
    check_lowering(tfjs_node, [lower_segments.PASS], function, *specs, tf.TensorSpec((), tf.int64, "n"), feeds=feeds)


@pytest.mark.parametrize("op", OPS)
def test_ids_of_two_axes_and_integers(tfjs_node: TfjsNode, op: str) -> None:
    function = lambda x: _unsorted(op)(tf.cast(x * 5, tf.int32), IDS[:6].reshape(2, 3), 5)  # noqa: E731
    check_lowering(tfjs_node, [lower_segments.PASS], function, tf.TensorSpec((2, 3, 2), name="x"))


@pytest.mark.skipif("Max" not in OPS, reason="no rows are nothing to a GPU")
def test_no_values_have_no_sum(tfjs_node: TfjsNode) -> None:
    function = lambda x: _unsorted("Sum")(x, tf.zeros_like(x[:, 0], tf.int32), 2)  # noqa: E731
    feeds = [{"x": np.ones((rows, 3), np.float32)} for rows in (0, 2)]
    check_lowering(tfjs_node, [lower_segments.PASS], function, tf.TensorSpec((None, 3), name="x"), feeds=feeds)


@pytest.mark.parametrize("op", [*OPS, "Mean"])
def test_sorted(tfjs_node: TfjsNode, op: str) -> None:
    function = lambda x: getattr(tf.math, f"segment_{op.lower()}")(x, [0, 0, 1, 3, 3, 3, 4, 6])  # noqa: E731
    check_lowering(tfjs_node, [lower_segments.PASS], function, tf.TensorSpec((8, 3), name="x"), feeds=FEEDS)


@pytest.mark.parametrize("op", [*OPS, "Mean"])
def test_no_ids_have_no_segments(tfjs_node: TfjsNode, op: str) -> None:
    def function(x: tf.Tensor, ids: tf.Tensor) -> list[tf.Tensor]:
        return [getattr(tf.math, f"segment_{op.lower()}")(x, ids), tf.math.unsorted_segment_prod(x, ids, 2)]

    specs = tf.TensorSpec((None, 3), name="x"), tf.TensorSpec((None,), tf.int32, name="ids")
    feeds = [{"x": FEEDS[0]["x"][:n], "ids": np.int32([0, 0, 1])[:n]} for n in (0, 3)]
    check_lowering(tfjs_node, [lower_segments.PASS], function, *specs, feeds=feeds)
    check_on_gpu(tfjs_node, lambda x, ids: _unsorted("Sum")(x, ids, 2), *specs, feeds=feeds)


@pytest.mark.skipif("Max" not in OPS, reason="webgl has no maxima beyond -1e20")
def test_infinities_are_values(tfjs_node: TfjsNode) -> None:
    """An unsorted maximum begins with the least number, a sorted one with nothing."""

    def function(x: tf.Tensor) -> list[tf.Tensor]:
        ids = tf.zeros_like(x, tf.int32)
        extremes = [tf.math.segment_max(-x, ids), tf.math.segment_min(x, ids), tf.math.segment_max(-x, [0, 2])]
        return [*extremes, _unsorted("Max")(-x, ids, 1), _unsorted("Min")(x, ids, 2)]

    feeds = [{"x": np.float32(x)} for x in ([np.inf, np.inf], [1, 2])]
    check_lowering(tfjs_node, [lower_segments.PASS], function, tf.TensorSpec((2,), name="x"), feeds=feeds)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize(("op", "count"), [("sum", 6), ("mean", 6), ("sqrt_n", 6), ("sqrt_n", None)])
def test_sparse(tfjs_node: TfjsNode, op: str, count: int | None, dtype: str) -> None:
    """TF.js has sum and mean where their number is not given."""
    rows, ids = np.array([0, 7, 2, 2, 5], dtype), np.array([0, 0, 1, 1, 3], dtype)
    function = lambda x: getattr(tf.sparse, f"segment_{op}")(x, rows, ids, num_segments=count)  # noqa: E731
    check_lowering(tfjs_node, [lower_segments.PASS], function, tf.TensorSpec((None, 3), name="x"), feeds=FEEDS)


def test_refuses() -> None:
    spec = tf.TensorSpec((3,), tf.int32, name="x")
    function = lambda x: tf.math.segment_mean(x, [0, 0, 1])  # noqa: E731
    assert refusals([lower_segments.PASS], function, spec) == {"it reduces int32 values"}
    function = lambda x: tf.math.unsorted_segment_sum(x, [0, 0, 1], 2)  # noqa: E731
    assert refusals([lower_segments.PASS], function, tf.TensorSpec(None, name="x")) == {"the rank is unknown"}
