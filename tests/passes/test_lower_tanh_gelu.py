"""The approximate GELU is a product with a sigmoid."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.traced import traced
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import PIPELINE, lower_tanh_gelu, run_passes

PASSES = [lower_tanh_gelu.PASS]
X = tf.TensorSpec((None, 9), name="x")
FEEDS = [{"x": s * np.linspace(-9, 9, 18, dtype=np.float32).reshape(2, 9)} for s in (1, 30)]


def _gelu(x: Any) -> Any:
    return 0.5 * x * (1.0 + tf.tanh(0.8 * (x + 0.04 * x * x * x)))


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(_gelu, id="gelu"),
        pytest.param(lambda x: (tf.tanh(tf.sin(x) * 3.0) + 1.0) * (x * 0.5), id="exchanged"),
        pytest.param(lambda x: 0.5 * x * (1.0 + tf.tanh(x * np.arange(9, dtype=np.float32))), id="a-factor-each"),
    ],
)
def test_lowers(tfjs_node: TfjsNode, function: Any) -> None:
    check_lowering(tfjs_node, PASSES, function, X, feeds=FEEDS)
    check_on_gpu(tfjs_node, function, X, feeds=FEEDS)


def test_keras_approximate_gelu(tfjs_node: TfjsNode) -> None:
    function = lambda x: keras.ops.gelu(x, approximate=True)  # noqa: E731
    check_on_gpu(tfjs_node, function, X, feeds=FEEDS)
    graph = traced(function, X)
    for group in PIPELINE.values():
        run_passes(graph, group)
    assert count_ops(graph) == {"Mul": 5, "AddV2": 1, "Sigmoid": 1}


def test_refuses_what_others_use() -> None:
    function = lambda x: (0.5 * x * (1.0 + (z := tf.tanh(0.8 * x))), z)  # noqa: E731
    assert refusals(PASSES, function, X, lacking=False) == {"something else uses what is between"}


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: 0.5 * x * (2.0 + tf.tanh(0.8 * x)), id="two"),
        pytest.param(lambda x: 0.4 * x * (1.0 + tf.tanh(0.8 * x)), id="no-half"),
        pytest.param(lambda x: x * (1.0 + tf.tanh(0.8 * x)), id="whole"),
        pytest.param(lambda x: 0.5 * x * (1.0 - tf.tanh(0.8 * x)), id="subtracted"),
        pytest.param(lambda x: 0.5 * x * (1.0 + tf.tanh(x)), id="no-factor"),
        pytest.param(lambda x: 0.5 * x * (1.0 + tf.sin(0.8 * x)), id="sine"),
    ],
)
def test_leaves(function: Any) -> None:
    assert refusals(PASSES, function, X, lacking=False) == set()
