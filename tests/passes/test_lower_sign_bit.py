"""What asks for a float's sign bit asks for its sign, and tells the zeros apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.traced import converted, python_outputs, traced
from tfjs_magic.passes import lower_sign_bit, run_passes

X = tf.TensorSpec((None, 3), name="x")
FEEDS = [
    {"x": np.float32([[0, -0.0, -1], [-0.0, 0, -5], [np.inf, -np.inf, 3], [-0.0, -0.0, -0.0]])},
    {"x": np.float32([[-0.0, 0, 2], [1e-38, -1e-38, 0], [0, 0, -0.0]])},
]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (keras.ops.argmax(x, axis=-1), keras.ops.argmin(x, axis=-1)),
        lambda x: (keras.ops.signbit(x), keras.ops.signbit(-x)),
        lambda x: (keras.ops.argmax(x), tf.cast(keras.ops.signbit(x), tf.float32)),
    ],
    ids=["argmax", "signbit", "both"],
)
def test_lowers(tfjs_node: TfjsNode, function: Callable[[Any], Any]) -> None:
    model = converted(function, X)
    for backend in BACKENDS:
        for got, feed in zip(tfjs_node.run_each(model, FEEDS, backend), FEEDS, strict=True):
            assert_matches(got, python_outputs(function, feed, X))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.bitcast(x, tf.int32) < 0,
        lambda x: tf.bitwise.bitwise_and(tf.bitcast(x, tf.int32), 1) < 0,
        lambda x: tf.bitwise.bitwise_and(tf.bitcast(x, tf.int32), tf.int32.min) < 1,
    ],
    ids=["no-mask", "another-bit", "another-number"],
)
def test_leaves_other_bits(function: Callable[[Any], Any]) -> None:
    (report,) = run_passes(traced(function, X), [lower_sign_bit.PASS])
    assert not report.applied
