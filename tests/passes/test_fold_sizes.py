"""Sizes that are known become constants, although the whole shape is not known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.passes.checks import check_lowering, refusals
from tfjs_magic import convert
from tfjs_magic.passes import fold_sizes

IMAGE = tf.TensorSpec((None, 9, 8, 4), name="x")
UNKNOWN = "an unknown size is taken"


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param(lambda shape: shape[1:3], id="some"),
        pytest.param(lambda shape: shape[-1], id="last"),
        pytest.param(lambda shape: shape[3:0:-2], id="backwards"),
        pytest.param(lambda shape: shape[2:], id="rest"),
    ],
)
def test_folds(tfjs_node: TfjsNode, sizes: Callable[[Any], Any]) -> None:
    function = lambda x: tf.cast(sizes(tf.shape(x)), tf.float32) * x[0, 0, 0, 0]  # noqa: E731
    check_lowering(tfjs_node, [fold_sizes.PASS], function, IMAGE)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda shape: shape[0], UNKNOWN),
        (lambda shape: shape[:2], UNKNOWN),
        (lambda shape: shape[shape[0] :], "the slice is computed"),
        (lambda shape: shape[tf.newaxis], "a mask adds an axis"),
    ],
)
def test_refuses(function: Callable[[Any], Any], reason: str) -> None:
    sizes = lambda x: function(tf.shape(x)) * 2  # noqa: E731
    assert refusals([fold_sizes.PASS], sizes, IMAGE, lacking=False) >= {reason}


ROWS = tf.TensorSpec((None, 3), name="x")
W = tf.Variable([[1.0, 2, 3], [0.5, 4, 6], [7, 8, 9]])


def _chosen(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: function(x), lambda: tf.tile(x[:1], [3, 1]))


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: tf.eye(tf.shape(x)[1]), id="eye"),
        pytest.param(lambda x: tf.zeros((tf.shape(x)[1], 3)), id="zeros"),
        pytest.param(lambda x: tf.tile(W[:1], [tf.shape(x)[1], 1]), id="tiled"),
        pytest.param(lambda x: tf.reshape(W, [tf.shape(x)[1], -1]) * 2.0, id="reshaped"),
    ],
)
def test_what_a_size_holds_back_stays_in_its_branch(tfjs_node: TfjsNode, function: Callable[[Any], Any]) -> None:
    model = convert(tf.function(_chosen(function)).get_concrete_function(ROWS))
    assert model.reference is not None
    for sign in (1, -1):
        feed = {"x": np.float32([[1, 2, 3], [4, 0.5, 6]]) * sign}
        for backend in BACKENDS:
            assert_matches(tfjs_node.run(model, feed, backend), model.reference(feed))


def test_refuses_what_a_size_alone_holds_back() -> None:
    function = _chosen(lambda x: tf.eye(tf.shape(x)[1]))
    reason = "it alone says in which branch the next op stands"
    assert reason in refusals([fold_sizes.PASS], function, ROWS, lacking=False)
