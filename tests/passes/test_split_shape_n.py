"""ShapeN, whose shapes TF.js keeps as floats, becomes one Shape per tensor."""

from __future__ import annotations

import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering
from tfjs_magic.passes import split_shape_n


def test_lowers(tfjs_node: TfjsNode) -> None:
    def function(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        a, b = tf.raw_ops.ShapeN(input=[x, y])
        return tf.tile(x, tf.stack([b[1], 1])) * 2 + tf.reduce_sum(tf.cast(a, tf.float32))

    specs = tf.TensorSpec((None, 3), name="x"), tf.TensorSpec((2, None), name="y")
    check_lowering(tfjs_node, [split_shape_n.PASS], function, *specs)
