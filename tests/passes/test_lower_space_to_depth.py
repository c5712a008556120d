"""SpaceToDepth, which TF.js lacks, becomes reshapes and a transpose."""

from __future__ import annotations

import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tests.reference_kernels import channels_first
from tfjs_magic.passes import lower_space_to_depth, put_channels_last


def test_lowers(tfjs_node: TfjsNode) -> None:
    function = lambda x: tf.nn.space_to_depth(x, 3)  # noqa: E731
    check_lowering(tfjs_node, [lower_space_to_depth.PASS], function, tf.TensorSpec((None, 6, 9, 4), name="x"))


def test_lowers_once_the_channels_are_last(tfjs_node: TfjsNode) -> None:
    check_lowering(
        tfjs_node,
        [put_channels_last.PASS, lower_space_to_depth.PASS],
        lambda x: tf.nn.space_to_depth(x, 3, "NCHW"),
        tf.TensorSpec((None, 4, 6, 9), name="x"),
        reference=channels_first(lambda x: tf.nn.space_to_depth(x, 3)),
    )


def test_refuses_unknown_sizes() -> None:
    function = lambda x: tf.nn.space_to_depth(x, 2)  # noqa: E731
    reasons = refusals([lower_space_to_depth.PASS], function, tf.TensorSpec((1, None, 4, 2), name="x"))
    assert reasons == {"a size is unknown"}


def test_refuses_channels_first() -> None:
    function = lambda x: tf.nn.space_to_depth(x, 2, "NCHW")  # noqa: E731
    spec = tf.TensorSpec((1, 3, 4, 4), name="x")
    assert refusals([lower_space_to_depth.PASS], function, spec, lacking=False) == {"the channels are not last"}
