"""ShapeN, of which TF.js makes float32, becomes one Shape per operand."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering
from tfjs_magic.passes import lower_shape_n


def test_lowers(tfjs_node: TfjsNode) -> None:
    specs = [tf.TensorSpec((None, None), name="x"), tf.TensorSpec((None,), name="y")]
    feeds = [{"x": np.zeros((2, 3 + n), np.float32), "y": np.ones(4 + n, np.float32)} for n in range(2)]
    check_lowering(tfjs_node, [lower_shape_n.PASS], lambda x, y: tf.shape_n([x, y, x[1:]]), *specs, feeds=feeds)
