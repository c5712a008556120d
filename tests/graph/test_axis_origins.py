"""An axis has its size from one axis for certain, or nothing is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.traced import traced
from tfjs_magic.graph.axis_origins import axis_origin

F = tf.float32
SPECS = [tf.TensorSpec((None, 3, 4), F, "x"), tf.TensorSpec((None, None), F, "y")]
W = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])


@pytest.mark.parametrize(
    ("function", "axis", "origin"),
    [
        pytest.param(lambda x, _: tf.tanh(tf.transpose(x, [1, 0, 2])), 1, ("x", 0), id="transposed"),
        pytest.param(lambda x, _: tf.transpose(x, [1, 0, 2])[0] @ W, 0, ("x", 0), id="rows-of-a-product"),
        pytest.param(lambda x, _: tf.split(x, 2, -1)[1], 0, ("x", 0), id="part"),
        pytest.param(lambda x, _: tf.fill([3, tf.shape(x)[0]], 1.0), 1, ("x", 0), id="filled"),
        pytest.param(lambda _, y: tf.fill([tf.shape(y)[-1], 2], 1.0), 0, ("y", 1), id="filled-from-behind"),
        pytest.param(lambda _, y: tf.fill(tf.shape(y), 2.0), 1, ("y", 1), id="filled-alike"),
        pytest.param(lambda _, y: tf.tanh(y) * (y + 1.0), 1, ("y", 1), id="both"),
        pytest.param(lambda _, y: tf.tanh(y) + tf.ones([1, 1]), 0, ("y", 0), id="beside-one"),
        pytest.param(lambda x, y: tf.tanh(y) + tf.fill([tf.shape(x)[0], 1], 2.0), 0, None, id="two"),
        pytest.param(lambda x, y: tf.tanh(y) + x[:, 0, :1], 0, None, id="either"),
    ],
)
def test_finds_the_origin(function: Callable[..., Any], axis: int, origin: tuple[str, int] | None) -> None:
    graph = traced(function, *SPECS)
    found = axis_origin(graph, next(iter(graph.outputs.values())), axis)
    names = {node: name for name, node in graph.inputs.items()}
    assert (found and (names.get(graph.producer(found[0]).name), found[1])) == origin


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda _, y: y[1:], id="cut"),
        pytest.param(lambda _, y: tf.reduce_sum(y, 0, keepdims=True), id="summed"),
        pytest.param(lambda _, y: tf.transpose(y) @ y, id="computed-product"),
        pytest.param(lambda _, y: tf.tile(y, [2, 1]), id="tiled"),
    ],
)
def test_follows_nothing_else_to_the_input(function: Callable[..., Any]) -> None:
    graph = traced(function, *SPECS)
    found = axis_origin(graph, next(iter(graph.outputs.values())), 0)
    assert found is not None
    assert found != (graph.inputs["y"], 0)


def test_gives_up_on_long_ways() -> None:
    def function(_: Any, y: Any) -> Any:
        for _ in range(200):
            y = tf.tanh(y) * 0.5 + 0.1
        return y

    graph = traced(function, *SPECS)
    assert axis_origin(graph, next(iter(graph.outputs.values())), 0) is None
