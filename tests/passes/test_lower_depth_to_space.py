"""DepthToSpace of integers and booleans, which TF.js refuses, becomes reshapes and a transpose."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tests.reference_kernels import channels_first
from tfjs_magic.passes import lower_depth_to_space, put_channels_last


@pytest.mark.parametrize("dtype", [tf.int32, tf.bool], ids=["int32", "bool"])
def test_lowers(tfjs_node: TfjsNode, dtype: Any) -> None:
    function = lambda x: tf.nn.depth_to_space(tf.cast(100 * x, dtype) if dtype == tf.int32 else x > 0, 3)  # noqa: E731
    check_lowering(tfjs_node, [lower_depth_to_space.PASS], function, tf.TensorSpec((None, 2, 4, 18), name="x"))


def test_lowers_once_the_channels_are_last(tfjs_node: TfjsNode) -> None:
    check_lowering(
        tfjs_node,
        [put_channels_last.PASS, lower_depth_to_space.PASS],
        lambda x: tf.nn.depth_to_space(x, 2, "NCHW"),
        tf.TensorSpec((None, 8, 3, 4), tf.int32, name="x"),
        reference=channels_first(lambda x: tf.nn.depth_to_space(x, 2)),
    )


def test_refuses_unknown_sizes() -> None:
    function = lambda x: tf.nn.depth_to_space(x, 2)  # noqa: E731
    reasons = refusals([lower_depth_to_space.PASS], function, tf.TensorSpec((1, None, 4, 8), tf.int32, name="x"))
    assert reasons == {"a size is unknown"}


def test_refuses_channels_first() -> None:
    """The pipeline puts them last; what is left is that webgpu permutes floats alone."""
    function = lambda x: tf.nn.depth_to_space(x, 2, "NCHW")  # noqa: E731
    spec = tf.TensorSpec((1, 8, 4, 4), tf.int32, name="x")
    assert refusals([lower_depth_to_space.PASS], function, spec) == {"the channels are not last"}
