"""OneHot is made of integers on the last axis, where TF.js is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import GPU_BACKENDS, TfjsNode
from tests.graph_text import BACKENDS
from tests.passes.checks import check_lowering, refusals
from tests.traced import converted, python_outputs
from tfjs_magic.passes import lower_one_hot


def _indices(x: Any) -> Any:
    return tf.cast(tf.abs(x) * 3, tf.int32)


CASES: dict[str, Callable[[Any], Any]] = {
    "floats": lambda x: tf.one_hot(_indices(x), 9),
    "booleans": lambda x: tf.where(tf.one_hot(_indices(x), 9, on_value=True, off_value=False), 1.0, 2.0),
    "values": lambda x: tf.one_hot(_indices(x), 5, x[0, 0, 0], -1.0, axis=0),
    "middle-axis": lambda x: (
        tf.one_hot(_indices(x), 9, axis=1),
        tf.one_hot(_indices(x), 4, axis=2, dtype=tf.int32),
    ),
    "halves": lambda x: [tf.cast(tf.one_hot(_indices(x), 4, dtype=t), tf.float32) for t in ("float16", "float64")],
    "one-place": lambda x: (
        tf.one_hot(_indices(x), 1),
        tf.one_hot(_indices(x), 1, 7, -2, axis=1),
        tf.one_hot(tf.cast(_indices(x), tf.uint8), 1, on_value=True, off_value=False),
    ),
}


@pytest.mark.parametrize("shape", [(2, 4, 6), (None, 4, None)], ids=["static", "free"])
@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str, shape: Any) -> None:
    check_lowering(tfjs_node, [lower_one_hot.PASS], CASES[case], tf.TensorSpec(shape, name="x"))


@pytest.mark.parametrize("dtype", [tf.int32, tf.float32, tf.bool])
def test_a_depth_that_is_computed(tfjs_node: TfjsNode, dtype: tf.DType) -> None:
    """TF.js refuses 0 and 1."""
    function = lambda x, n: [tf.one_hot(x, n, tf.cast(2, dtype), tf.cast(0, dtype), axis=a) for a in (-1, 1)]  # noqa: E731
    specs = tf.TensorSpec((None, 3), tf.int64, name="x"), tf.TensorSpec((), tf.int32, name="n")
    feeds = [{"x": np.array([[0, 1, -1], [2, 0, 7]]), "n": np.int32(n)} for n in (1, 3)]
    check_lowering(tfjs_node, [lower_one_hot.PASS], function, *specs, feeds=feeds)


@pytest.mark.skipif(bool({*GPU_BACKENDS}.intersection(BACKENDS)), reason="GPUs keep all integers as float32")
def test_large_integers(tfjs_node: TfjsNode) -> None:
    function = lambda x: tf.one_hot(x, 3, 2**31 - 1, -(2**24) - 1)  # noqa: E731
    feeds = [{"x": np.int32(x)} for x in ([0, 2, 1], [5, 1, 0])]
    check_lowering(tfjs_node, [lower_one_hot.PASS], function, tf.TensorSpec((3,), tf.int32, name="x"), feeds=feeds)


def test_refuses_an_axis_of_an_unknown_rank() -> None:
    function = lambda x: tf.one_hot(tf.cast(x, tf.int32), 3, axis=0)  # noqa: E731
    assert refusals([lower_one_hot.PASS], function, tf.TensorSpec(None, name="x")) == {"the rank is unknown"}


def test_chooses_along_five_axes_on_webgl(tfjs_node: TfjsNode) -> None:
    """It chooses along four at most, which a later pass sees to: it must know how many axes these are.

    webgpu reads the depth of every OneHot at once, which a GPU in software may not answer.
    """
    spec = tf.TensorSpec((2, 3, 2, 4), tf.int32, name="x")
    function = lambda x: tf.one_hot(x, 3, axis=1, on_value=2.0, off_value=-0.5)  # noqa: E731
    feeds = [{"x": np.random.default_rng(seed).integers(0, 3, (2, 3, 2, 4)).astype(np.int32)} for seed in (1, 2)]
    for got, feed in zip(
        tfjs_node.run_each(converted(function, spec), feeds, "webgl", forward=False), feeds, strict=True
    ):
        assert_matches(got, python_outputs(function, feed, spec))
