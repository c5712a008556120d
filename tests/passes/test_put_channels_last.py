"""The channels are put last, as TF.js computes with them first wrongly, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tests.passes.operands import random_array
from tests.reference_kernels import channels_first
from tests.traced import converted
from tfjs_magic.passes import put_channels_last

raw = tf.raw_ops
KERNEL, DEPTH, BACK, CUBE, BIAS = (
    random_array("k", *shape) for shape in ((3, 2, 4, 6), (3, 2, 4, 2), (3, 2, 5, 4), (2, 2, 2, 4, 3), (6,))
)


def _batch_norm(x: Any, data_format: str) -> Any:
    return raw.FusedBatchNormV3(
        x=x,
        scale=BIAS[:4],
        offset=BIAS[2:],
        mean=BIAS[1:5],
        variance=BIAS[:4] ** 2 + 1,
        is_training=False,
        data_format=data_format,
    ).y


def _transposed(x: Any, sizes: Any, strides: Any, data_format: str) -> Any:
    return raw.Conv2DBackpropInput(
        input_sizes=sizes, filter=BACK, out_backprop=x, strides=strides, padding="SAME", data_format=data_format
    )


#: With the channels first, and the same with them last: TensorFlow's CPU has most of them with the channels last only.
CASES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "conv": (
        lambda x: tf.nn.conv2d(x, KERNEL, [1, 1, 2, 1], "SAME", "NCHW"),
        lambda x: tf.nn.conv2d(x, KERNEL, [1, 2, 1, 1], "SAME"),
    ),
    "dilated-conv": (
        lambda x: tf.nn.conv2d(x, KERNEL, 1, "VALID", "NCHW", [1, 1, 3, 2]),
        lambda x: tf.nn.conv2d(x, KERNEL, 1, "VALID", "NHWC", [1, 3, 2, 1]),
    ),
    "explicit-padding": (
        lambda x: tf.nn.conv2d(x, KERNEL, 1, [[0, 0], [0, 0], [2, 1], [0, 3]], "NCHW"),
        lambda x: tf.nn.conv2d(x, KERNEL, 1, [[0, 0], [2, 1], [0, 3], [0, 0]]),
    ),
    "depthwise": (
        lambda x: tf.nn.depthwise_conv2d(x, DEPTH, [1, 1, 2, 2], "SAME", "NCHW"),
        lambda x: tf.nn.depthwise_conv2d(x, DEPTH, [1, 2, 2, 1], "SAME"),
    ),
    "bias": (
        lambda x: tf.nn.bias_add(x, BIAS[:4], "NCHW"),
        lambda x: x + BIAS[:4],
    ),
    "maximum": (
        lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME", "NCHW"),
        lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME"),
    ),
    "average": (
        lambda x: tf.nn.avg_pool2d(x, [1, 1, 3, 2], [1, 1, 2, 1], "VALID", "NCHW"),
        lambda x: tf.nn.avg_pool2d(x, [1, 3, 2, 1], [1, 2, 1, 1], "VALID"),
    ),
    "batch-norm": (lambda x: _batch_norm(x, "NCHW"), lambda x: _batch_norm(x, "NHWC")),
    "transposed": (
        lambda x: _transposed(x, [2, 5, 17, 16], [1, 1, 2, 2], "NCHW"),
        lambda x: _transposed(x, [2, 17, 16, 5], [1, 2, 2, 1], "NHWC"),
    ),
    "depth-to-space": (
        lambda x: tf.nn.depth_to_space(x, 2, "NCHW"),
        lambda x: tf.nn.depth_to_space(x, 2),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_matches_the_channels_last(tfjs_node: TfjsNode, case: str) -> None:
    function, last = CASES[case]
    check_lowering(
        tfjs_node,
        [put_channels_last.PASS],
        lambda x: (y := function(tf.tanh(x)), y * 2),
        tf.TensorSpec((2, 4, 9, 8), name="x"),
        reference=lambda x: (y := channels_first(last)(tf.tanh(x)), y * 2),
    )


def test_three_axes(tfjs_node: TfjsNode) -> None:
    check_lowering(
        tfjs_node,
        [put_channels_last.PASS],
        lambda x: raw.Conv3D(input=x, filter=CUBE, strides=[1, 1, 1, 2, 1], padding="SAME", data_format="NCDHW"),
        tf.TensorSpec((None, 4, 5, 6, 4), name="x"),
        reference=channels_first(
            lambda x: raw.Conv3D(input=x, filter=CUBE, strides=[1, 1, 2, 1, 1], padding="SAME"), 5
        ),
    )


def test_between_layers_no_transpose_is_left(tfjs_node: TfjsNode) -> None:
    def first(x: Any) -> Any:
        y = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, KERNEL, 1, "SAME", "NCHW"), BIAS, "NCHW"))
        return tf.nn.max_pool2d(y, 2, 2, "SAME", "NCHW")

    def last(x: Any) -> Any:
        return tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(x, KERNEL, 1, "SAME") + BIAS), 2, 2, "SAME")

    spec = tf.TensorSpec((2, 4, 9, 8), name="x")
    check_lowering(tfjs_node, [put_channels_last.PASS], first, spec, reference=channels_first(last))
    ops = [node["op"] for node in converted(first, spec).topology["node"]]
    assert ops.count("Transpose") == 2


def test_refuses_a_bias_of_data_of_unknown_rank() -> None:
    function = lambda x: raw.BiasAdd(value=x, bias=BIAS, data_format="NCHW")  # noqa: E731
    reasons = refusals([put_channels_last.PASS], function, tf.TensorSpec(None, name="x"))
    assert reasons == {"the rank is unknown"}
