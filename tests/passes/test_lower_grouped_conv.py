"""Grouped convolutions run in TF.js as depthwise ones, or as one per group."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.models import keras_outputs, randomised, samples_of
from tests.passes.checks import check_lowering, refusals
from tests.passes.operands import random_array
from tfjs_magic.passes import lower_grouped_conv
from tfjs_magic.pipeline import convert

REASON = "the weights are computed, or the channels are not last"
CASES: dict[str, tuple[Any, Any]] = {
    "two-groups": ((3, 3, 2, 8), {"padding": "VALID"}),
    "one-channel-each": ((3, 3, 1, 8), {}),
    "strides": ((3, 3, 1, 8), {"strides": 2}),
    "uneven-strides": ((3, 3, 1, 8), {"strides": (1, 2)}),
    "dilated": ((3, 3, 2, 8), {"dilations": 2}),
}


def _conv(x: Any, kernel: Any, **options: Any) -> Any:
    return tf.nn.conv2d(x, kernel, **({"strides": 1, "padding": "SAME"} | options))


@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str) -> None:
    shape, options = CASES[case]
    kernel = random_array("kernel", *shape)
    spec = tf.TensorSpec((None, 9, 8, 4), name="x")
    check_lowering(tfjs_node, [lower_grouped_conv.PASS], lambda x: _conv(x, kernel, **options), spec)


def test_one_feeds_another(tfjs_node: TfjsNode) -> None:
    kernel = random_array("kernel", 3, 3, 2, 4)
    spec = tf.TensorSpec((None, 9, 8, 4), name="x")
    check_lowering(tfjs_node, [lower_grouped_conv.PASS], lambda x: _conv(_conv(x, kernel), kernel), spec)


@pytest.mark.parametrize(
    ("shape", "layers", "ops"),
    [
        pytest.param((9, 4), [keras.layers.Conv1D(8, 3, groups=2)], {"Conv2D": 2}, id="one-axis"),
        pytest.param((5, 4, 6, 4), [keras.layers.Conv3D(8, 3, groups=2, strides=2)], {"Conv3D": 2}, id="three-axes"),
        pytest.param(
            (8, 8, 4), [keras.layers.Conv2D(8, 3, groups=4)], {"FusedDepthwiseConv2dNative": 1}, id="depthwise"
        ),
        pytest.param(
            (8, 8, 4),
            [
                keras.layers.Conv2D(8, 3, groups=2, use_bias=False),
                keras.layers.BatchNormalization(),
                keras.layers.ReLU(),
            ],
            {"Conv2D": 2, "Mul": 0},
            id="batch-norm-and-relu",
        ),
    ],
)
def test_matches_keras(tfjs_node: TfjsNode, shape: Any, layers: list[Any], ops: dict[str, int]) -> None:
    model = randomised(keras.Sequential([keras.Input(shape, name="x"), *layers]))
    web = convert(model, format="graph")
    assert {op: web.report.ops.get(op, 0) for op in ops} == ops
    feed = samples_of(web.inputs, 1)
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(web, feed, backend), keras_outputs(model, feed))


def test_refuses_computed_weights() -> None:
    specs = tf.TensorSpec((None, 8, 8, 4), name="x"), tf.TensorSpec((3, 3, 2, 4), name="kernel")
    assert refusals([lower_grouped_conv.PASS], _conv, *specs) == {REASON}


def test_refuses_channels_first() -> None:
    """They are put last before."""
    kernel = random_array("kernel", 3, 3, 2, 4)
    function = lambda x: _conv(x, kernel, data_format="NCHW")  # noqa: E731
    spec = tf.TensorSpec((2, 4, 8, 8), name="x")
    assert refusals([lower_grouped_conv.PASS], function, spec, lacking=False) == {REASON}
