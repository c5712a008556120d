"""Roll, which TF.js lacks, becomes slices that change places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import GPU_BACKENDS, TfjsNode
from tests.graph_text import BACKENDS
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tfjs_magic.passes import lower_roll

CASES: dict[str, Callable[[Any], Any]] = {
    "one-axis": lambda x: tf.roll(x, 1, 1),
    "axes-more-than-once": lambda x: tf.roll(x, [2, -9, 5], [1, 2, 2]),
    "integers-from-the-back": lambda x: tf.roll(tf.cast(9 * x, tf.int32), 3, -1),
    "all-the-way-round": lambda x: tf.roll(x, 6, 2),
}


@pytest.mark.parametrize("shape", [(2, 4, 6), (None, 4, 6)], ids=["static", "free"])
@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str, shape: Any) -> None:
    check_lowering(tfjs_node, [lower_roll.PASS], CASES[case], tf.TensorSpec(shape, name="x"))


@pytest.mark.parametrize("case", CASES)
def test_takes_sizes_in_the_browser(tfjs_node: TfjsNode, case: str) -> None:
    """Also where the shift is longer than the axis, or leaves it as it is."""
    rng = np.random.default_rng(1)
    feeds = [{"x": rng.normal(size=(2, high, wide)).astype(np.float32)} for high, wide in ((4, 6), (1, 3), (3, 5))]
    spec = tf.TensorSpec((None, None, None), name="x")
    check_lowering(tfjs_node, [lower_roll.PASS], CASES[case], spec, feeds=feeds)


@pytest.mark.parametrize("free", [False, True])
def test_takes_shifts_in_the_browser(tfjs_node: TfjsNode, *, free: bool) -> None:
    specs = [tf.TensorSpec((None, None) if free else (3, 5), name="x"), tf.TensorSpec((2,), tf.int32, name="n")]
    feeds = [
        {"x": np.random.default_rng(seed).normal(size=(3, 5)).astype(np.float32), "n": np.array(n, np.int32)}
        for seed, n in enumerate(([1, 2], [-1, 0], [0, -9], [7, 5]))
    ]
    function = lambda x, n: {"both": tf.roll(x, n, [0, 1]), "one": tf.roll(x, n[1], -1)}  # noqa: E731
    check_lowering(tfjs_node, [lower_roll.PASS], function, *specs, feeds=feeds)


@pytest.mark.skipif(bool({*GPU_BACKENDS}.intersection(BACKENDS)), reason="no rows are nothing to a GPU")
def test_no_rows_stay_none(tfjs_node: TfjsNode) -> None:
    function = lambda x, n: [tf.roll(x, 1, 0), tf.roll(x, n, 0)]  # noqa: E731
    specs = tf.TensorSpec((None, 3), name="x"), tf.TensorSpec((), tf.int32, name="n")
    feeds = [{"x": np.ones((rows, 3), np.float32), "n": np.int32(2)} for rows in (0, 4)]
    check_lowering(tfjs_node, [lower_roll.PASS], function, *specs, feeds=feeds)


def test_runs_on_the_gpu(tfjs_node: TfjsNode) -> None:
    check_on_gpu(tfjs_node, lambda x: tf.roll(x, 3, 1), tf.TensorSpec((2, 5), name="x"))


@pytest.mark.parametrize(
    ("function", "shape", "reason"),
    [
        (lambda x: tf.roll(x, 1, tf.cast(x[0, 0], tf.int32)), (2, 3), "the axis is computed"),
        (lambda x: tf.roll(x, 1, 0), None, "the rank is unknown"),
    ],
)
def test_refuses(function: Callable[[Any], Any], shape: Any, reason: str) -> None:
    assert refusals([lower_roll.PASS], function, tf.TensorSpec(shape, name="x")) == {reason}
