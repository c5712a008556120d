"""Zeros that are there already take the place of zeros like something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.passes.checks import check_lowering, check_on_gpu
from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic import convert
from tfjs_magic.passes import reuse_zeros, run_passes

PASSES = [reuse_zeros.PASS]
SPECS = [tf.TensorSpec((None, 4), name="x"), tf.TensorSpec((None, 4), name="y"), tf.TensorSpec((), tf.bool, name="p")]
W = tf.constant(random_array("w", 4, 3))


def _like_the_product(x: Any) -> Any:
    zeros = tf.zeros([tf.shape(x)[0], 3])
    return tf.where(x[:, 1:] > 0.0, 1.0, zeros), tf.where(x[:, :3] > 0.0, 2.0, tf.zeros_like(tf.tanh(x @ W)))


def test_takes_zeros_of_the_same_sizes(tfjs_node: TfjsNode) -> None:
    check_lowering(tfjs_node, PASSES, _like_the_product, SPECS[0])
    check_on_gpu(tfjs_node, _like_the_product, SPECS[0])


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(
            lambda x, y, _: (tf.zeros([tf.shape(y)[0], 4]) + y, tf.zeros_like(tf.tanh(x))), id="another-batch"
        ),
        pytest.param(lambda x, *_: (tf.fill([tf.shape(x)[0], 4], -0.0) * x, tf.zeros_like(tf.tanh(x))), id="no-zeros"),
        pytest.param(lambda x, *_: (tf.zeros([tf.shape(x)[0], 3]) * x[:, :3], tf.zeros_like(tf.tanh(x))), id="columns"),
        pytest.param(
            lambda x, *_: (tf.zeros([tf.shape(x)[0], 4], tf.int32), tf.zeros_like(tf.tanh(x))), id="another-dtype"
        ),
        pytest.param(
            lambda x, _, p: (
                tf.cond(p, lambda: tf.zeros([tf.shape(x)[0], 4]) * x, lambda: x),
                tf.zeros_like(tf.tanh(x)),
            ),
            id="in-a-branch",
        ),
    ],
)
def test_takes_no_other_zeros(function: Callable[..., Any]) -> None:
    (report,) = run_passes(traced(function, *SPECS), PASSES)
    assert not report.applied


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("layer", ["LSTM", "GRU", "SimpleRNN"])
def test_a_free_batch_has_the_steps_of_a_fixed_one(tfjs_node: TfjsNode, layer: str, backend: str) -> None:
    """But for the zeros that the state begins with."""
    inputs = keras.Input((6, 3), name="x")
    x = keras.layers.Masking()(inputs)
    outputs = getattr(keras.layers, layer)(4, return_sequences=True, go_backwards=True, zero_output_for_mask=True)(x)
    model = keras.Model(inputs, [outputs, getattr(keras.layers, layer)(4)(x)])
    fixed, free = (convert(model, format="graph", inputs={"x": (batch, 6, 3)}) for batch in (3, None))
    assert sum(free.report.ops.values()) <= sum(fixed.report.ops.values()) + 8
    feeds = [{"x": random_array(f"x{rows}", rows, 6, 3)} for rows in (1, 3)]
    for feed in feeds:
        feed["x"][0, 2] = feed["x"][-1, 5] = 0
    for feed, result in zip(feeds, tfjs_node.run_each(free, feeds, backend), strict=True):
        for got, want in zip(result.values(), model(feed["x"]), strict=True):
            np.testing.assert_allclose(got, want, atol=1e-5)
