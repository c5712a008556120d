"""Functions become graphs whose weights are views of the variables, wherever these are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.traced import converted, python_outputs, traced
from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.graph.ir import Graph
from tfjs_magic.graph.topology import graph_constants
from tfjs_magic.model import TfjsModel

X = tf.TensorSpec([2, 3], tf.float32, name="x")
INDEX = tf.TensorSpec([4], tf.int32, name="i")
FEEDS = [{"x": np.random.default_rng(seed).normal(size=(2, 3)).astype(np.float32)} for seed in (1, 2)]
INDICES = [{"i": np.array(i, np.int32)} for i in ([0, 3, 1, 1], [2, 2, 0, 3])]


def _variable(*shape: int, name: str = "w") -> tf.Variable:
    values = np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)
    return tf.Variable(values, name=name)


def _check(
    tfjs_node: TfjsNode, function: Callable[..., Any], spec: tf.TensorSpec, feeds: list[dict[str, Array]]
) -> None:
    expected = [python_outputs(function, feed, spec) for feed in feeds]
    assert_telling(*expected)
    model = converted(function, spec)
    for backend in BACKENDS:
        for got, want in zip(tfjs_node.run_each(model, feeds, backend), expected, strict=True):
            assert_matches(got, want)


def _weights(graph: Graph) -> dict[str, Array]:
    return dict(graph_constants(graph))


def _ops(model: TfjsModel) -> set[str]:
    return {node["op"] for node in model.topology["node"]}


# ---- weights


def test_a_weight_is_a_view_of_its_variable() -> None:
    weight = _variable(3, 400)
    (array,) = (array for array in _weights(traced(lambda x: x @ weight, X)).values())
    assert np.shares_memory(array, np.asarray(weight.read_value()))


def test_assigning_the_variable_afterwards_changes_nothing() -> None:
    weight = _variable(3, 400)
    before = weight.numpy()
    graph = traced(lambda x: x @ weight, X)
    weight.assign_add(tf.ones_like(weight))
    weight.scatter_nd_update([[0]], [tf.zeros(400)])
    assert np.array_equal(_weights(graph)["w"], before)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_training_the_model_afterwards_changes_nothing(jit_compile: bool) -> None:  # noqa: FBT001 - a parameter
    model = models.dense()
    graph = traced(lambda x: model(x, training=False), tf.TensorSpec([1, 6], tf.float32, name="x"))
    before = {name: array.copy() for name, array in _weights(graph).items()}
    model.compile("adam", "mse", jit_compile=jit_compile)
    model.fit(np.ones((8, 6), np.float32), np.ones((8, 3), np.float32), epochs=2, verbose=0)
    for name, array in _weights(graph).items():
        assert np.array_equal(array, before[name])
    kernel = model.layers[0].kernel.numpy()
    assert not any(np.array_equal(array, kernel) for array in before.values()), "the model did not learn"


def test_a_variable_that_is_read_twice_is_one_weight() -> None:
    weight = _variable(3, 3)
    graph = traced(lambda x: tf.tanh(x @ weight) @ weight + weight[0], X)
    assert sum(array.shape == (3, 3) for array in _weights(graph).values()) == 1


def test_two_variables_with_one_name_stay_two(tfjs_node: TfjsNode) -> None:
    first, second = _variable(3, 4), tf.Variable(tf.ones([4, 2]) * 3, name="w")
    graph = traced(lambda x: x @ first @ second, X)
    assert {name for name, array in _weights(graph).items() if array.ndim == 2} == {"w", "w_1"}
    _check(tfjs_node, lambda x: x @ first @ second, X, FEEDS)


def test_two_models_share_their_variables(tfjs_node: TfjsNode) -> None:
    inputs = keras.Input((3,))
    shared = keras.layers.Dense(3)
    one = keras.Model(inputs, shared(inputs))
    two = keras.Model(inputs, keras.layers.Activation("tanh")(shared(inputs)))
    graph = traced(lambda x: (one(x), two(x)), X)
    assert sum(array.shape == (3, 3) for array in _weights(graph).values()) == 1
    _check(tfjs_node, lambda x: (one(x), two(x)), X, FEEDS)


@pytest.mark.parametrize("size", [3, 3000], ids=["small", "large"])
def test_captured_tensors_and_constants_are_weights(tfjs_node: TfjsNode, size: int) -> None:
    """Larger ones travel beside the graph, as weights do."""
    captured = tf.constant(np.random.default_rng(1).normal(size=(3, size)).astype(np.float32))
    literal = np.random.default_rng(2).normal(size=(3, size)).astype(np.float32)
    _check(tfjs_node, lambda x: x @ captured + x @ literal, X, FEEDS)


def test_large_constants_in_inner_functions(tfjs_node: TfjsNode) -> None:
    literal = np.random.default_rng(2).normal(size=(3, 3000)).astype(np.float32)

    @tf.function
    def inner(x: tf.Tensor) -> tf.Tensor:
        return x @ tf.constant(literal)

    _check(tfjs_node, lambda x: inner(x) + 1, X, FEEDS)


@pytest.mark.parametrize("inside", [False, True], ids=["read-outside", "read-in-a-function"])
def test_embeddings_become_gathers(tfjs_node: TfjsNode, inside: bool) -> None:  # noqa: FBT001 - a parameter
    table = _variable(5, 3)

    def lookup(i: tf.Tensor) -> tf.Tensor:
        return tf.nn.embedding_lookup(table, i)

    function = tf.function(lookup) if inside else lookup
    assert _ops(converted(function, INDEX)) == {"Placeholder", "Const", "GatherV2"}
    _check(tfjs_node, function, INDEX, INDICES)


def test_gather_nd_of_a_variable(tfjs_node: TfjsNode) -> None:
    table = _variable(5, 3)
    _check(tfjs_node, lambda i: tf.gather_nd(table, tf.expand_dims(i, 1)), INDEX, INDICES)


def test_the_shape_of_a_variable(tfjs_node: TfjsNode) -> None:
    table = _variable(5, 3)
    _check(tfjs_node, lambda x: x * tf.cast(tf.shape(table)[0], tf.float32), X, FEEDS)


# ---- calls


def test_functions_in_functions(tfjs_node: TfjsNode) -> None:
    weight = _variable(3, 3)

    @tf.function
    def inner(x: tf.Tensor) -> tf.Tensor:
        return tf.tanh(x @ weight)

    @tf.function
    def middle(x: tf.Tensor) -> tf.Tensor:
        return inner(inner(x)) + weight[0]

    _check(tfjs_node, lambda x: middle(x) * inner(x), X, FEEDS)


@pytest.mark.parametrize("nested", [False, True])
def test_compiled_functions_are_inlined(tfjs_node: TfjsNode, nested: bool) -> None:  # noqa: FBT001 - a parameter
    """XLA's mark keeps the inliner away unless it goes."""
    weight = _variable(3, 3)

    @tf.function(jit_compile=True)
    def compiled(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(x @ weight) - 1

    outer = tf.function(lambda x: compiled(compiled(x))) if nested else compiled
    graph = traced(lambda x: outer(x) * 2, X)
    assert not [node for node in graph if "Call" in node.op]
    _check(tfjs_node, lambda x: outer(x) * 2, X, FEEDS)


@pytest.mark.parametrize("layer", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_recurrent_layers_run_in_a_loop(
    tfjs_node: TfjsNode,
    layer: str,
    return_sequences: bool,  # noqa: FBT001 - a parameter
) -> None:
    spec = tf.TensorSpec([2, 5, 3], tf.float32, name="x")
    feeds = [{"x": np.random.default_rng(seed).normal(size=(2, 5, 3)).astype(np.float32)} for seed in (1, 2)]
    inputs = keras.Input((5, 3))
    stack = getattr(keras.layers, layer)(4, return_sequences=return_sequences)
    model = models.randomised(keras.Model(inputs, stack(inputs)))
    _check(tfjs_node, lambda x: model(x, training=False), spec, feeds)
    assert tfjs_node.run(converted(lambda x: model(x, training=False), spec), feeds[0]).executed_async


# ---- state


class Counter(tf.Module):
    """Counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.count = tf.Variable(0.0, name="my_count")
        self.weight = _variable(3, 3)

    def counted(self, x: tf.Tensor) -> tf.Tensor:
        self.count.assign_add(1.0)
        return x * self.count

    def beside(self, x: tf.Tensor) -> tf.Tensor:
        self.count.assign_add(1.0)
        return x @ self.weight


def test_a_state_that_reaches_an_output_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedModelError, match="writes the variable 'my_count' while it computes") as caught:
        traced(Counter().counted, X)
    assert (caught.value.node, caught.value.stage) == ("my_count", "trace")


def test_a_state_in_a_loop_is_refused_by_name() -> None:
    module = Counter()

    def function(x: tf.Tensor) -> tf.Tensor:
        return tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a + module.counted(x)), [0, x])[1]

    with pytest.raises(UnsupportedModelError, match="writes the variable 'my_count'"):
        traced(function, X)


def test_a_state_beside_the_outputs_is_dropped(tfjs_node: TfjsNode) -> None:
    module = Counter()
    model = converted(module.beside, X)
    assert _ops(model) == {"Placeholder", "Const", "MatMul"}
    for feed in FEEDS:
        assert_matches(tfjs_node.run(model, feed), {"out0": feed["x"] @ module.weight.numpy()})
