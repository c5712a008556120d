"""InTopK, which TF.js lacks, becomes a count of what is larger."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_in_top_k

#: Ties with the target are within the first; -1 and 5 are no classes; no row with an infinity or NaN is sure.
ROWS = [[0.1, 0.9, 0.5, 0.5, -1], [3, 2, 2, 2, 1], [1, 2, 3, 4, 5], [5, 4, 3, 2, 1], [0, 0, 0, 0, 0], [2, 1, 9, 1, 8]]
#: Drivers of GPUs need not keep infinities.
ODD = [[1, np.inf, 2, 3, 4], [np.nan, 1, 2, 3, 4]] if {"cpu", "wasm"}.issuperset(BACKENDS) else [[7, 7, 7, 6, 6]] * 2
CHANCES = np.float32(ROWS + ODD)
TARGETS = np.int32([2, 1, 5, -1, 4, 0, 4, 4])


@pytest.mark.parametrize("k", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
def test_lowers(tfjs_node: TfjsNode, k: int, dtype: tf.DType) -> None:
    function = lambda x, t: tf.cast(tf.math.in_top_k(t, x, k), tf.float32) + x[:, 4]  # noqa: E731
    specs = tf.TensorSpec((None, 5), name="x"), tf.TensorSpec((None,), dtype, name="t")
    targets = TARGETS.astype(dtype.as_numpy_dtype)
    feeds = [{"x": CHANCES, "t": targets}, {"x": CHANCES[::-1], "t": targets}, {"x": CHANCES[1:], "t": targets[:-1]}]
    check_lowering(tfjs_node, [lower_in_top_k.PASS], function, *specs, feeds=feeds[:2])
    check_lowering(tfjs_node, [lower_in_top_k.PASS], function, *specs, feeds=feeds[1:])


def test_k_is_fed_or_an_attribute(tfjs_node: TfjsNode) -> None:
    def function(x: tf.Tensor, k: tf.Tensor) -> tf.Tensor:
        old = tf.raw_ops.InTopK(predictions=x, targets=TARGETS, k=2)
        return tf.cast(tf.stack([old, tf.math.in_top_k(TARGETS, x, k)]), tf.float32) + x[0, 0]

    specs = tf.TensorSpec((8, None), name="x"), tf.TensorSpec((), tf.int32, name="k")
    feeds = [{"x": CHANCES, "k": np.int32(3)}, {"x": CHANCES[::-1], "k": np.int32(1)}]
    check_lowering(tfjs_node, [lower_in_top_k.PASS], function, *specs, feeds=feeds)


def test_refuses() -> None:
    specs = tf.TensorSpec(None, name="x"), tf.TensorSpec((None,), tf.int32, name="t")
    function = lambda x, t: tf.math.in_top_k(t, x, 2)  # noqa: E731
    assert refusals([lower_in_top_k.PASS], function, *specs) == {"the rank of the predictions is unknown"}
