"""Two tensors have the same sizes for certain, or nothing is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.traced import traced
from tfjs_magic.graph.ir import Graph
from tfjs_magic.graph.refs import Ref
from tfjs_magic.graph.sizes import same_sizes

F = tf.float32
SPECS = [tf.TensorSpec((None, 4), F, "x"), tf.TensorSpec((None, 4), F, "y"), tf.TensorSpec((2,), tf.int32, "n")]
W = tf.constant([[1.0] * 6] * 4)


def _pair(function: Callable[..., Any]) -> tuple[Graph, Ref, Ref]:
    graph = traced(function, *SPECS)
    one, other = graph.outputs.values()
    return graph, one, other


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x, *_: (tf.tanh(x), tf.reverse(x, [0])), id="values"),
        pytest.param(lambda x, *_: (x @ W, tf.reverse(x, [0]) @ W[::-1]), id="products"),
        pytest.param(lambda x, *_: (x[1:] + 1.0, tf.tanh(x)[1:] + 2.0), id="slices"),
        pytest.param(lambda x, *_: tf.split(tf.transpose(x), 2), id="parts"),
        pytest.param(lambda x, *_: (tf.reshape(x, (-1, 2)), tf.reshape(tf.tanh(x), (-1, 2))), id="views"),
        pytest.param(lambda x, *_: (tf.where(x > 0.0, 1.0, 0.0), x < 2.0), id="truths"),
        pytest.param(lambda x, y, _: (x[:3] @ W[:, :2] + tf.ones([3, 2]), tf.ones([3, 2]) + y[0, 0]), id="known"),
        pytest.param(lambda x, _, n: (tf.reshape(x, n), tf.reshape(tf.tanh(x), n)), id="the-same-computed-sizes"),
    ],
)
def test_finds_sizes_the_same(function: Callable[..., Any]) -> None:
    assert same_sizes(*_pair(function))


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x, y, _: (x, y), id="inputs"),
        pytest.param(lambda x, y, _: (x @ W, y @ W), id="products"),
        pytest.param(lambda x, *_: (x[1:], x[2:]), id="slices"),
        pytest.param(lambda x, *_: (tf.reshape(x, (-1, 2)), tf.reshape(x, (-1, 1))), id="views"),
        pytest.param(lambda x, _, n: (tf.reshape(x, n), tf.reshape(x, n + 1)), id="computed-sizes"),
        pytest.param(lambda x, *_: (tf.concat([x, x], 0), tf.concat([x, x], 1)), id="axes"),
        pytest.param(lambda x, y, _: (tf.where(x > y[0], 1.0, y), tf.where(x > 0.0, 1.0, 0.0)), id="broadcast"),
        pytest.param(lambda x, *_: (tf.boolean_mask(x, x[:, 0] > 0.0), tf.boolean_mask(x, x[:, 1] > 0.0)), id="counts"),
    ],
)
def test_says_nothing_of_others(function: Callable[..., Any]) -> None:
    assert not same_sizes(*_pair(function))
