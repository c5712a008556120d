"""ListDiff becomes a comparison, so that TF.js asks for the asynchronous executor itself."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.passes.checks import check_lowering
from tfjs_magic.passes import lower_list_diff


@pytest.mark.parametrize("index", [tf.int32, tf.int64])
@pytest.mark.parametrize("size", [7, None])
def test_lowers(tfjs_node: TfjsNode, size: int | None, index: tf.DType) -> None:
    function = lambda x, y: tf.raw_ops.ListDiff(x=x, y=y, out_idx=index)  # noqa: E731
    specs = tf.TensorSpec((size,), tf.int32, name="x"), tf.TensorSpec((None,), tf.int32, name="y")
    kept = np.int32([3, 1, 3, 2, 2**24 + int({"cpu", "wasm"}.issuperset(BACKENDS)), -5, 9])
    feeds = [{"x": kept, "y": np.int32(some)} for some in ([1, 2, 8, 2**24], [3, 3, 9])]
    check_lowering(tfjs_node, [lower_list_diff.PASS], function, *specs, feeds=feeds)


def test_none_is_left(tfjs_node: TfjsNode) -> None:
    function = lambda x: tf.raw_ops.ListDiff(x=x, y=x)  # noqa: E731
    feeds = [{"x": np.float32([1, 2, 3])}, {"x": np.float32([np.nan, 2, 3])}]
    check_lowering(tfjs_node, [lower_list_diff.PASS], function, tf.TensorSpec((3,), name="x"), feeds=feeds)
