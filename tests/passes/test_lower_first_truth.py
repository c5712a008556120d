"""The first true, and the first false, are found on webgpu, too, which takes any of values that are equal."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.traced import traced
from tfjs_magic.passes import lower_first_truth, run_passes

PASS = lower_first_truth.PASS


def _places(x: tf.Tensor, axis: int) -> tuple[tf.Tensor, ...]:
    """Look for the first 2, which some rows lack, for the first that is none, and among truths themselves."""
    found = x == 2
    numbers = tf.cast(found, tf.int32)
    raw = (f(input=found, dimension=axis, output_type=tf.int32) for f in (tf.raw_ops.ArgMax, tf.raw_ops.ArgMin))
    return tf.argmax(numbers, axis), tf.argmin(tf.cast(numbers, tf.bool), axis), *raw


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("free", [False, True])
def test_lowers(tfjs_node: TfjsNode, axis: int, *, free: bool) -> None:
    spec = tf.TensorSpec((None, None) if free else (40, 300), name="x")
    function = lambda x: _places(x, axis)  # noqa: E731
    feeds = [{"x": np.random.default_rng(seed).integers(0, 9, (40, 300)).astype("f4")} for seed in (1, 2)]
    feeds[0]["x"][:2] = [[1], [2]]
    check_lowering(tfjs_node, [PASS], function, spec, feeds=feeds)
    check_on_gpu(tfjs_node, function, spec, feeds=feeds, reads_at_once=free)


def test_of_a_vector(tfjs_node: TfjsNode) -> None:
    spec = tf.TensorSpec((300,), name="x")
    feeds = [{"x": np.random.default_rng(seed).integers(0, 9, 300).astype("f4")} for seed in (1, 2)]
    feeds[1]["x"][:7] = 2
    check_lowering(tfjs_node, [PASS], lambda x: _places(x, 0), spec, feeds=feeds)
    check_on_gpu(tfjs_node, lambda x: _places(x, 0), spec, feeds=feeds)


def test_leaves_numbers() -> None:
    graph = traced(tf.argmax, tf.TensorSpec((3, 2), name="x"))
    assert not run_passes(graph, [PASS])[0].applied


def test_refuses() -> None:
    def axis_is_fed(x: tf.Tensor, axis: tf.Tensor) -> tf.Tensor:
        return tf.argmax(x > 0, axis)

    fed = tf.TensorSpec((3, 2), name="x"), tf.TensorSpec((), tf.int32, name="axis")
    assert refusals([PASS], axis_is_fed, *fed, lacking=False) == {"the axis is computed, or the rank is unknown"}
    long = tf.TensorSpec((1, 2**22 + 1), name="x")
    assert refusals([PASS], lambda x: tf.argmax(x > 0, 1), long, lacking=False) == {"the axis is longer than 2^22"}
