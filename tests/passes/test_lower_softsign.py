"""Softsign, which TF.js lacks, becomes x / (1 + |x|)."""

from __future__ import annotations

import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering
from tfjs_magic.passes import lower_softsign


def test_lowers(tfjs_node: TfjsNode) -> None:
    function = lambda x: (y := tf.nn.softsign(x), y * x, tf.nn.softsign(y))  # noqa: E731
    check_lowering(tfjs_node, [lower_softsign.PASS], function, tf.TensorSpec((2, 4, 6), name="x"))
