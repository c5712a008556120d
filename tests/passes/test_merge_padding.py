"""Zeros around the data become the convolution's own padding."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.passes.operands import random_array
from tfjs_magic.passes import merge_padding

PASSES = [merge_padding.PASS]
X = tf.TensorSpec((None, 6, 7, 3), name="x")
SIDES = [[0, 0], [1, 2], [0, 3], [0, 0]]


def _conv(x: Any, strides: Any = 1, padding: Any = "VALID", dilations: Any = None) -> Any:
    return tf.nn.conv2d(x, random_array("w", 3, 2, 3, 5), strides, padding, dilations=dilations)


def _depthwise(x: Any, strides: Any = 1) -> Any:
    return tf.nn.depthwise_conv2d(x, random_array("w", 3, 2, 3, 2), [1, strides, strides, 1], "VALID")


@pytest.mark.parametrize(
    "conv", [_conv, _depthwise, lambda x, _: _conv(x, dilations=2)], ids=["conv", "depthwise", "dilated"]
)
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("behind", [tf.identity, lambda y: tf.nn.relu(y + 1.0)], ids=["plain", "fused"])
def test_merges(tfjs_node: TfjsNode, conv: Any, strides: int, behind: Any) -> None:
    function = lambda x: behind(conv(tf.pad(x, SIDES), strides))  # noqa: E731
    check_lowering(tfjs_node, PASSES, function, X)


@pytest.mark.parametrize("conv", [_conv, _depthwise], ids=["conv", "depthwise"])
def test_is_right_on_gpus(tfjs_node: TfjsNode, conv: Any) -> None:
    check_on_gpu(tfjs_node, lambda x: tf.nn.relu6(conv(tf.pad(x, SIDES), 2) + 1.0), X)


def test_merges_what_is_padded_with_zero_by_name(tfjs_node: TfjsNode) -> None:
    function = lambda x: _conv(tf.raw_ops.PadV2(input=x, paddings=SIDES, constant_values=0.0))  # noqa: E731
    check_lowering(tfjs_node, PASSES, function, X)


def test_merges_where_sizes_are_unknown(tfjs_node: TfjsNode) -> None:
    spec = tf.TensorSpec((None, None, None, 3), name="x")
    feeds = [{"x": random_array(f"x{i}", 2, 5, 6, 3)} for i in (1, 2)]
    check_lowering(tfjs_node, PASSES, lambda x: _conv(tf.pad(x, SIDES), 2), spec, feeds=feeds)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        pytest.param(
            lambda x: _conv(tf.pad(x, [[1, 0], *SIDES[1:]])),
            "the paddings are computed, or of another axis than height and width",
            id="batch",
        ),
        pytest.param(
            lambda x: tf.nn.conv2d(tf.pad(x, [[0, 0]] * 3 + [[1, 0]]), random_array("w", 2, 2, 4, 3), 1, "VALID"),
            "the paddings are computed, or of another axis than height and width",
            id="channels",
        ),
        pytest.param(
            lambda x: _conv(tf.pad(x, tf.constant(SIDES) * tf.minimum(tf.shape(x)[0], 1))),
            "the paddings are computed, or of another axis than height and width",
            id="computed",
        ),
        pytest.param(
            lambda x: _conv(tf.pad(x, SIDES, constant_values=1.0)), "it is not zeros that are padded with", id="ones"
        ),
        pytest.param(
            lambda x: (_conv(y := tf.pad(x, SIDES)), y * 2), "the padded data are used elsewhere, too", id="twice"
        ),
        pytest.param(lambda x: _conv(tf.pad(x, SIDES), padding="SAME"), None, id="same"),
        pytest.param(lambda x: _conv(tf.pad(x, SIDES, "REFLECT")), None, id="mirror"),
    ],
)
def test_refuses(function: Any, reason: str | None) -> None:
    assert refusals(PASSES, function, X, lacking=False) == ({reason} if reason else set())
