"""Rows that are picked from none are none, of the right shape."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tests.traced import traced
from tfjs_magic.passes import run_passes, shape_picked_rows

PASS = shape_picked_rows.PASS
ROWS = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
#: No row is good, and all are.
FEEDS = [{"x": -abs(ROWS)}, {"x": abs(ROWS)}]


def _chosen_twice(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Pick rows as detectors do: the good ones, then those that are left of them."""
    good = tf.boolean_mask(x, x[:, 0] > 0)
    first = tf.boolean_mask(good, good[:, 1] > 0)
    return first, tf.boolean_mask(good[:, 2], good[:, 1] > 0), tf.matmul(first, tf.ones((4, 2)))


def test_lowers(tfjs_node: TfjsNode) -> None:
    check_lowering(tfjs_node, [PASS], _chosen_twice, tf.TensorSpec((None, 4), name="x"), feeds=FEEDS)


def test_leaves_what_is_reshaped_and_tables_of_known_size() -> None:
    function = lambda x: tf.reshape(tf.gather(tf.boolean_mask(x, x[:, 0] > 0), [0]), [-1])  # noqa: E731
    for given in (function, lambda x: tf.gather(x, tf.where(x[:, 0] > 0)[:, 0])):
        assert not run_passes(traced(given, tf.TensorSpec((5, 4), name="x")), [PASS])[0].applied


def test_refuses() -> None:
    def picked(x: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.boolean_mask(x, x[:, 0] > 0), tf.cast(x[:, 1], tf.int32))

    free = tf.TensorSpec((None, None), name="x")
    assert refusals([PASS], picked, free, lacking=False) == {"other than one size of the result is unknown"}
    axis = tf.TensorSpec((), tf.int32, name="axis")
    fed = lambda x, axis: tf.gather(tf.boolean_mask(x, x[:, 0] > 0), [0], axis=axis)  # noqa: E731
    said = {"the axis is computed, there are batch axes, or a rank is unknown"}
    assert refusals([PASS], fed, free, axis, lacking=False) == said
