"""Bias, scale and activation of channels come before a reshape, next to the linear op."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic.artifacts import Array
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import PIPELINE, run_passes, sink_views

PASSES = [sink_views.PASS]
X = tf.TensorSpec((None, 4, 5), name="x")


def _dense(x: Any, units: int = 6) -> Any:
    rows = tf.reshape(x, [-1, 5]) @ random_array("w", 5, units)
    return tf.reshape(rows, [-1, 4, units])


def _heads(x: Any) -> Any:
    return tf.reshape(tf.reshape(x, [-1, 5]) @ random_array("w", 5, 6), [-1, 4, 2, 3])


def _conv1d(x: Any) -> Any:
    return tf.nn.conv1d(x, random_array("w", 3, 5, 6), 1, "SAME")


CASES: dict[str, Any] = {
    "bias": lambda x: tf.nn.bias_add(_dense(x), random_array("b", 6)),
    "offset": lambda x: random_array("b", 1, 1, 6) + _dense(x),
    "scale": lambda x: random_array("b", 6) * _dense(x),
    "scalar": lambda x: _dense(x) * 3.0 + np.float32(1).reshape(1, 1, 1),
    "activation": lambda x: tf.nn.relu(_dense(x)),
    "chain": lambda x: tf.nn.leaky_relu(_dense(x) * random_array("s", 6) + random_array("b", 6)),
    "heads": lambda x: _heads(x) + random_array("b", 2, 3),
    "heads-alike": lambda x: _heads(x) + random_array("b", 3),
    "one-number-per-head": lambda x: _heads(x) * random_array("b", 2, 1),
    "conv1d": lambda x: tf.nn.relu(tf.nn.bias_add(_conv1d(x), random_array("b", 6)) * random_array("s", 6)),
    "expanded": lambda x: tf.expand_dims(tf.reshape(x, [-1, 5]) @ random_array("w", 5, 6), 0) + random_array("b", 6),
}


@pytest.mark.parametrize("case", CASES)
def test_sinks(tfjs_node: TfjsNode, case: str) -> None:
    check_lowering(tfjs_node, PASSES, CASES[case], X)


def test_then_all_is_one_kernel(tfjs_node: TfjsNode) -> None:
    layers = [
        keras.layers.Conv1D(6, 3),
        keras.layers.BatchNormalization(beta_initializer="ones"),
        keras.layers.ReLU(),
        keras.layers.Conv1D(4, 2, activation="relu"),
    ]
    model = keras.Sequential([keras.Input((8, 5)), *layers])
    spec = tf.TensorSpec((2, 8, 5), name="x")
    check_on_gpu(tfjs_node, model, spec)
    graph = traced(model, spec)
    for group in PIPELINE.values():
        run_passes(graph, group)
    assert count_ops(graph) == {"_FusedConv2D": 2, "ExpandDims": 1, "Squeeze": 1}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(random_array("b", 4, 6), id="rows"),
        pytest.param(random_array("b", 4, 1), id="per-row"),
        pytest.param(random_array("b", 1, 1, 1, 6), id="adds-an-axis"),
        pytest.param(random_array("b", 1, 1, 1, 1), id="adds-an-axis-to-a-number"),
    ],
)
def test_refuses_other_constants(value: Array) -> None:
    reasons = refusals(PASSES, lambda x: _dense(x) + value, X, lacking=False)
    assert reasons == {"the constant varies along another axis than the channels"}


@pytest.mark.parametrize("shape", [[-1, 8, 3], [-1, 24], [-1, 3, 8]], ids=str)
def test_refuses_channels_that_are_cut(shape: list[int]) -> None:
    """Six channels: none of these has them as its last axes."""
    function = lambda x: tf.reshape(_dense(x), shape) + random_array("b", shape[-1])  # noqa: E731
    graph = traced(function, X)
    run_passes(graph, PASSES)
    assert count_ops(graph)["Reshape"] >= 2
    flat = lambda x: tf.reshape(tf.reshape(x, [-1, 5]) @ random_array("w", 5, 6), shape) + random_array("b", shape[-1])  # noqa: E731
    assert refusals(PASSES, flat, X, lacking=False) == {"the constant varies along another axis than the channels"}


def test_refuses_what_others_use() -> None:
    function = lambda x: (y := _dense(x), tf.nn.relu(y))  # noqa: E731
    assert refusals(PASSES, function, X, lacking=False) == {"something else uses what is reshaped"}


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: tf.nn.relu(tf.reshape(x, [-1, 5])), id="no-linear-op"),
        pytest.param(lambda x: _dense(x) + x[..., :1], id="no-constant"),
        pytest.param(lambda x: tf.tanh(_dense(x)), id="an-activation-that-none-fuses"),
        pytest.param(lambda x: _dense(x) - 1.0, id="subtraction"),
        pytest.param(lambda x: tf.nn.relu(tf.reshape(tf.tanh(_dense(x)), [-1, 6])), id="something-between"),
    ],
)
def test_leaves(function: Any) -> None:
    assert refusals(PASSES, function, X, lacking=False) == set()
