"""A batch norm that nothing folds is a depthwise convolution with a window of one pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu
from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import PIPELINE, run_passes, scale_by_convolution

PASSES = [scale_by_convolution.PASS]
X = tf.TensorSpec((None, 4, 5, 6), name="x")
S, B = random_array("s", 6), random_array("b", 6)


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: x * S + B, id="plain"),
        pytest.param(lambda x: tf.nn.relu(B.reshape(1, 1, 1, 6) + S.reshape(1, 1, 6) * x), id="exchanged"),
        pytest.param(lambda x: tf.nn.relu6(tf.nn.bias_add(x * S, B)), id="bias"),
        pytest.param(lambda x: tf.tanh(x * S + 0.5), id="one-offset"),
        pytest.param(lambda x: tf.nn.leaky_relu(x * S + B), id="not-fused"),
    ],
)
def test_scales(tfjs_node: TfjsNode, function: Any) -> None:
    check_lowering(tfjs_node, PASSES, function, X, tolerance=1e-6)
    check_on_gpu(tfjs_node, function, X, tolerance=1e-6)


def test_batch_norm_behind_a_concatenation_is_one_kernel(tfjs_node: TfjsNode) -> None:
    function = lambda x: tf.nn.relu(tf.concat([x, tf.sin(x)], 3) * random_array("s", 12) + random_array("b", 12))  # noqa: E731
    check_on_gpu(tfjs_node, function, X)
    graph = traced(function, X)
    for group in PIPELINE.values():
        run_passes(graph, group)
    assert count_ops(graph) == {"Sin": 1, "ConcatV2": 1, "FusedDepthwiseConv2dNative": 1}


@pytest.mark.parametrize(
    ("function", "spec", "reason"),
    [
        (lambda x: x * S, X, "nothing constant is added to it, or something else uses it"),
        (lambda x: (y := x * S, y + B), X, "nothing constant is added to it, or something else uses it"),
        (lambda x: x * S + x, X, "nothing constant is added to it, or something else uses it"),
        (lambda x: x * random_array("s", 5, 1) + B, X, "factor or offset varies along another axis"),
        (lambda x: x * S + random_array("b", 5, 1), X, "factor or offset varies along another axis"),
        (lambda x: x * np.float32([1, 2, np.inf, 4, 5, 6]) + B, X, "factor or offset varies along another axis"),
        (lambda x: x * S + B, tf.TensorSpec((2, 4, 5, None), name="x"), "the number of channels is unknown"),
        (lambda x: x * 2.0 + B, X, None),
        (lambda x: x * S + B, tf.TensorSpec((2, 5, 6), name="x"), None),
        (lambda x: x * x + B, X, None),
    ],
    ids="no-offset used-twice residual rows offset-of-rows infinite unknown scalar rank computed".split(),
)
def test_refuses(function: Any, spec: tf.TensorSpec, reason: str | None) -> None:
    (report,) = run_passes(traced(function, spec), PASSES)
    assert not report.applied
    assert set(report.misses) == ({reason} if reason else set())
