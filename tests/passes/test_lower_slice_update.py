"""An update of a slice becomes a choice."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_slice_update

X, U = tf.TensorSpec((2, 5, 4), name="x"), tf.TensorSpec((2, 2, 3), name="u")


@pytest.mark.parametrize("start", [(0, 0, 0), (0, 2, 1), (0, 4, 9), (-3, -1, 1)], ids=str)
def test_lowers(tfjs_node: TfjsNode, start: tuple[int, ...]) -> None:
    function = lambda x, u: keras.ops.slice_update(x, start, u)  # noqa: E731
    check_lowering(tfjs_node, [lower_slice_update.PASS], function, X, U)


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
def test_computed_starts_and_unknown_sizes(tfjs_node: TfjsNode, dtype: tf.DType) -> None:
    function = lambda x, u, n: keras.ops.slice_update(x, (0, n, 1), u)  # noqa: E731
    specs = tf.TensorSpec((None, None, 4), name="x"), tf.TensorSpec((None, 2, None), name="u")
    rng = np.random.default_rng(0)
    feeds = [
        {"x": rng.normal(size=(2, 5, 4)), "u": rng.normal(size=(2, 2, 3)), "n": np.asarray(n, dtype.as_numpy_dtype)}
        for n in (-2, 1, 7)
    ]
    feeds = [{**feed, "x": feed["x"].astype(np.float32), "u": feed["u"].astype(np.float32)} for feed in feeds]
    check_lowering(tfjs_node, [lower_slice_update.PASS], function, *specs, tf.TensorSpec((), dtype, "n"), feeds=feeds)


def test_integers(tfjs_node: TfjsNode) -> None:
    function = lambda x, u: keras.ops.slice_update(  # noqa: E731
        tf.cast(x * 100, tf.int32), (0, 2, 1), tf.cast(u * 100, tf.int32)
    )
    check_lowering(tfjs_node, [lower_slice_update.PASS], function, X, U)


def test_the_whole_is_replaced(tfjs_node: TfjsNode) -> None:
    function = lambda x: keras.ops.slice_update(x, (0, 0, 0), x * 2)  # noqa: E731
    check_lowering(tfjs_node, [lower_slice_update.PASS], function, X)


def test_refuses_an_unknown_rank() -> None:
    function = lambda x, u: keras.ops.slice_update(x, (0, 0), u)  # noqa: E731
    spec = tf.TensorSpec(None, name="x")
    assert refusals([lower_slice_update.PASS], function, spec, tf.TensorSpec((1, 2), name="u")) == {
        "the rank is unknown"
    }


def test_an_update_of_nothing_changes_nothing(tfjs_node: TfjsNode) -> None:
    function = lambda x, u: keras.ops.slice_update(x, (0, 2, 1), u[:, :0]) * 2.0  # noqa: E731
    check_lowering(tfjs_node, [lower_slice_update.PASS], function, X, U)
