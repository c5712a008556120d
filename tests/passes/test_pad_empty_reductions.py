"""A reduction that may find no value gets a neutral one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.passes.checks import check_lowering, refusals
from tests.traced import converted, python_outputs, traced
from tfjs_magic.passes import pad_empty_reductions, run_passes

X = tf.TensorSpec((None, 3), name="x")
#: webgl has no infinite maxima, and 1 for 0 / 0.
EXACT = {"cpu", "wasm"}.issuperset(BACKENDS)
#: Some are left, then none.
FEEDS = [{"x": np.float32([[1, -2, 3], [4, 5, -6]])}, {"x": np.float32([[-1, -2, -3], [-4, -5, -6]])}]


def _kept(x: Any) -> Any:
    """Return the rows that begin with a positive number."""
    return tf.boolean_mask(x, x[:, 0] > 0)


CASES: dict[str, Callable[[Any], Any]] = {
    "All": lambda x: tf.reduce_all(_kept(x) > -3, 0),
    "Any": lambda x: tf.reduce_any(_kept(x) > 4, [0, 1], keepdims=True),
    "Max": lambda x: (tf.reduce_max(_kept(x), 0), tf.reduce_max(tf.cast(_kept(x), tf.int32))),
    "Mean": lambda x: (tf.reduce_mean(_kept(x)), tf.reduce_mean(_kept(x), -2, keepdims=True)),
    "Min": lambda x: (tf.reduce_min(_kept(x), 0), tf.reduce_min(tf.cast(_kept(x), tf.int32))),
    "Prod": lambda x: (tf.reduce_prod(_kept(x), 0), tf.reduce_prod(tf.cast(_kept(x), tf.int64))),
    "Sum": lambda x: (tf.reduce_sum(_kept(x), [0]), tf.reduce_sum(tf.cast(_kept(x), tf.int32), 0)),
}


@pytest.mark.parametrize("op", CASES)
def test_lowers(tfjs_node: TfjsNode, op: str) -> None:
    feeds = FEEDS if EXACT or op in {"All", "Any", "Prod", "Sum"} else [{"x": FEEDS[0]["x"] * n} for n in (1, 2)]
    check_lowering(tfjs_node, [pad_empty_reductions.PASS], CASES[op], X, feeds=feeds)


def test_slices_that_values_cut(tfjs_node: TfjsNode) -> None:
    function = lambda x, n: tf.reduce_sum(x[:, :n], 1) + tf.cast(tf.reduce_sum(tf.range(n)), tf.float32)  # noqa: E731
    feeds = [{"x": FEEDS[0]["x"], "n": np.int32(n)} for n in (0, 2)]
    check_lowering(
        tfjs_node, [pad_empty_reductions.PASS], function, X, tf.TensorSpec((), tf.int32, name="n"), feeds=feeds
    )


@pytest.mark.parametrize("op", [tf.reduce_sum, tf.reduce_prod])
def test_each_of_two_axes_may_be_empty(tfjs_node: TfjsNode, op: Callable[..., Any]) -> None:
    """Also behind a padding of one of them."""
    function = lambda x, n: [op(x[: n[0], : n[1]]), op(tf.pad(x[: n[0], : n[1]], [[0, 1], [0, 0]]))]  # noqa: E731
    feeds = [{"x": FEEDS[0]["x"], "n": np.int32(n)} for n in ((2, 0), (1, 2), (0, 0), (0, 3))]
    spec = tf.TensorSpec((2,), tf.int32, name="n")
    check_values(tfjs_node, function, feeds, X, spec)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, n: tf.reduce_prod(tf.fill([n[0], 2], 2.0) * x[0, 0]),
        lambda x, n: tf.reduce_prod(tf.tile(x, n), 0),
        lambda x, n: tf.reduce_prod(tf.split(x, [n[0], 2 - n[0]])[0]),
        lambda x, n: tf.reduce_prod(tf.repeat(x[0], n[0])),
    ],
    ids=["fill", "tile", "split", "repeat"],
)
def test_values_that_are_repeated_never(tfjs_node: TfjsNode, function: Callable[..., Any]) -> None:
    feeds = [{"x": FEEDS[0]["x"], "n": np.int32(n)} for n in ((2, 1), (0, 1))]
    check_values(tfjs_node, function, feeds, X, tf.TensorSpec((2,), tf.int32, name="n"))


def check_values(
    node: TfjsNode, function: Callable[..., Any], feeds: list[dict[str, Any]], *specs: tf.TensorSpec
) -> None:
    """Compare on every backend; the results of some feeds are alike."""
    model = converted(function, *specs)
    for backend in BACKENDS:
        for got, feed in zip(node.run_each(model, feeds, backend), feeds, strict=True):
            assert_matches(got, python_outputs(function, feed, *specs))


def test_an_axis_that_is_known_to_be_empty(tfjs_node: TfjsNode) -> None:
    function = lambda x: tf.reduce_prod(x[:, :0], 1) - 2 * x[:, 0]  # noqa: E731
    check_lowering(tfjs_node, [pad_empty_reductions.PASS], function, tf.TensorSpec((2, 3), name="x"))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.reduce_mean(x, 0),
        lambda x: tf.reduce_sum(x[:, : tf.shape(x)[0]], 1),
        lambda x: tf.reduce_sum(_kept(x), 1),
        lambda x: tf.reduce_sum(tf.range(tf.shape(x)[0])),
    ],
    ids=["batch", "sizes", "other-axis", "range-of-size"],
)
def test_leaves_what_only_sizes_decide(function: Callable[[Any], Any]) -> None:
    (report,) = run_passes(traced(function, X), [pad_empty_reductions.PASS])
    assert not report.applied


def test_refuses() -> None:
    assert refusals([pad_empty_reductions.PASS], lambda x: tf.reduce_mean(tf.cast(_kept(x), tf.int32)), X) == {
        "it may reduce no value, of int32"
    }
    assert refusals([pad_empty_reductions.PASS], lambda x: tf.reduce_max(tf.cast(_kept(x), tf.int64)), X) == {
        "it may reduce no value, of int64"
    }
    computed = lambda x, n: tf.reduce_sum(_kept(x), n)  # noqa: E731
    assert refusals([pad_empty_reductions.PASS], computed, X, tf.TensorSpec((), tf.int32, name="n")) == {
        "its axes are computed, or the rank is unknown"
    }
