"""Loops of known length become straight graphs that TF.js runs synchronously; the others stay loops, and stay right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.models import randomised, samples_of
from tfjs_magic import convert
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.graph.trace import graph_def_function
from tfjs_magic.graph.unroll import unroll_loops
from tfjs_magic.model import TfjsModel

layers = keras.layers
LOOPS = {"Enter", "Exit", "LoopCond", "NextIteration"}


def _check(node: TfjsNode, model: TfjsModel, *, synchronous: bool) -> None:
    assert model.reference is not None
    assert bool(LOOPS & set(model.report.ops)) != synchronous
    feeds = [samples_of(model.inputs, seed, unknown=5) for seed in (1, 2)]
    expected = [model.reference(feed) for feed in feeds]
    assert_telling(*expected)
    for backend in BACKENDS:
        for got, want in zip(node.run_each(model, feeds, backend), expected, strict=True):
            assert_matches(got, want)
            assert got.executed_async != synchronous
            assert not synchronous or got.leaked_tensors == got.leaked_per_run == 0


def _sequence(*stack: Any, time: int | None = 6) -> Any:
    x = inputs = keras.Input((time, 4), name="x")
    for layer in stack:
        x = layer(x)
    return randomised(keras.Model(inputs, x))


RECURRENT: dict[str, Callable[[], Any]] = {
    "lstm": lambda: _sequence(layers.LSTM(5)),
    "gru-sequences": lambda: _sequence(layers.GRU(5, return_sequences=True)),
    "simple-backwards": lambda: _sequence(layers.SimpleRNN(3, go_backwards=True, return_sequences=True)),
    "bidirectional": lambda: _sequence(layers.Bidirectional(layers.LSTM(3, return_sequences=True))),
    "masked": lambda: _sequence(layers.Masking(0.0), layers.GRU(3)),
    "states": lambda: _sequence(layers.LSTM(3, return_state=True, return_sequences=True)),
    "stacked": lambda: _sequence(layers.RNN([layers.GRUCell(3), layers.LSTMCell(2)]), layers.Dense(2)),
    "two-layers": lambda: _sequence(layers.LSTM(3, return_sequences=True), layers.LSTM(2)),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_layers_of_known_length_run_synchronously(tfjs_node: TfjsNode, name: str) -> None:
    model = RECURRENT[name]()
    unrolled, looped = (convert(model, format="graph", unroll=unroll) for unroll in ("auto", False))
    assert any("unrolled" in note for note in unrolled.report.notes)
    _check(tfjs_node, unrolled, synchronous=True)
    _check(tfjs_node, looped, synchronous=False)


def test_every_round_shares_the_weights() -> None:
    model = _sequence(layers.GRU(16, return_sequences=True), time=30)
    unrolled, looped = (convert(model, format="graph", unroll=unroll) for unroll in ("auto", False))
    floats = [sum(w.size for w in web.weights.values() if w.dtype.kind == "f") for web in (unrolled, looped)]
    assert floats[0] <= floats[1] + 16


def test_nodes_are_named_after_their_loop_once() -> None:
    model = convert(_sequence(layers.LSTM(5)), format="graph")
    names = [node["name"] for node in model.topology["node"] if "/round_4/" in node["name"]]
    assert names
    assert all(name.count("while") == name.count("lstm_cell") == 1 for name in names)


def test_a_saved_model_of_fixed_length(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    model = _sequence(layers.LSTM(5), time=None)
    model.export(tmp_path / "saved", verbose=False)
    _check(tfjs_node, convert(tmp_path / "saved"), synchronous=False)
    _check(tfjs_node, convert(tmp_path / "saved", inputs={"x": (None, 7, 4)}, unroll=True), synchronous=True)


def _nested(x: Any) -> Any:
    for i in tf.range(3):
        for _ in tf.range(4):
            x = tf.sin(x * 0.9) + 0.1 * tf.cast(i, tf.float32)
    return x


def _swapped(x: Any) -> Any:
    return tf.while_loop(
        lambda i, *_: i < 4, lambda i, a, b: (i + 1, b * 0.5, a + tf.cast(i, tf.float32)), (0, x, tf.tanh(x))
    )[1:]


def _never(x: Any) -> Any:
    return tf.while_loop(lambda i, _: i < 0, lambda i, a: (i + 1, a * 2), (0, x + 1))[1]


def _branch_inside(x: Any) -> Any:
    for i in tf.range(4):
        x = tf.cond(tf.reduce_sum(x) > 0, lambda x=x: x - 1.5, lambda x=x, i=i: x + tf.cast(i, tf.float32))
    return x


def _list_with_second_readers(x: Any) -> Any:
    rows = tf.TensorArray(tf.float32, 3).unstack(x)
    for i in tf.range(3):
        rows = rows.write(i, rows.read(i) * rows.read(2 - i))
    return {"stack": rows.stack(), "one": rows.read(1) + 1}


FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[int, ...], bool]] = {
    "map": (lambda x: tf.map_fn(lambda row: tf.reduce_sum(row) * row, x), (5, 3), True),
    "map-two": (lambda x: tf.map_fn(lambda r: (r * 2, r[0]), x, fn_output_signature=(tf.float32,) * 2), (4, 3), True),
    "scan": (lambda x: tf.scan(lambda a, row: a * 0.5 + row, x), (5, 3), True),
    "fold": (lambda x: tf.foldl(lambda a, row: tf.tanh(a + row), x), (5, 3), True),
    "nested": (_nested, (2, 3), True),
    "swapped": (_swapped, (2, 3), True),
    "never": (_never, (2, 3), True),
    "written": (_list_with_second_readers, (3, 3), True),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(tfjs_node: TfjsNode, name: str) -> None:
    function, shape, synchronous = FUNCTIONS[name]
    traced = tf.function(function).get_concrete_function(tf.TensorSpec(shape, tf.float32, "x"))
    _check(tfjs_node, convert(traced, unroll=True), synchronous=synchronous)
    if name != "never":
        _check(tfjs_node, convert(traced, unroll=False), synchronous=False)


def test_a_branch_in_an_unrolled_loop_stays_a_branch(tfjs_node: TfjsNode) -> None:
    traced = tf.function(_branch_inside).get_concrete_function(tf.TensorSpec((2, 3), tf.float32, "x"))
    model = convert(traced)
    assert not LOOPS & set(model.report.ops)
    assert model.report.ops["Switch"]
    feeds = [{"x": np.float32([[1, 2, 3], [0, 1, 0.5]]) * sign} for sign in (1, -1)]
    for feed in feeds:
        for backend in BACKENDS:
            assert model.reference is not None
            assert_matches(tfjs_node.run(model, feed, backend), model.reference(feed))


def _v1_branch(predicate: Any, on_true: Callable[[Any], Any], on_false: Callable[[Any], Any], x: Any) -> Any:
    """Choose as TensorFlow 1 does: both branches stand in the graph, one of them is dead."""
    pivots = [tf.identity(pivot) for pivot in tf.raw_ops.Switch(data=predicate, pred=predicate)]
    switched, values = tf.raw_ops.Switch(data=x, pred=predicate), []
    for branch, data, pivot in zip((on_false, on_true), switched, pivots, strict=True):
        with tf.control_dependencies([pivot]):
            values.append(branch(data))
    return tf.raw_ops.Merge(inputs=values)[0]


def _added(x: Any) -> Any:
    return _v1_branch(tf.reduce_sum(x) > 0, lambda _: tf.constant([1.0, 2, 3]), lambda _: tf.constant([4.0, 6, 5]), x)


def _thrice(step: Callable[..., Any], *state: Any) -> Any:
    return tf.while_loop(lambda i, *_: i < 3, lambda i, *state: (i + 1, *step(*state)), (0, *state))[1:]


V1_BRANCHES: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "beside": (lambda x: _thrice(lambda a: (tf.sin(a) + 0.3,), x)[0] * _added(x), True),
    "inside": (lambda x: _thrice(lambda a: (_added(_thrice(lambda b: (b * 0.9,), a)[0]) - a,), x)[0], True),
    "around": (
        lambda x: _v1_branch(
            tf.reduce_sum(x) > 0, lambda y: _thrice(lambda a, _: (tf.ones((2, 3)), a), y, y)[0], tf.sin, x
        ),
        False,
    ),
}


@pytest.mark.parametrize("name", V1_BRANCHES)
def test_constants_stay_in_their_branch(tfjs_node: TfjsNode, name: str) -> None:
    function, unrolled = V1_BRANCHES[name]
    model = convert(tf.function(function, autograph=False).get_concrete_function(tf.TensorSpec((2, 3), name="x")))
    assert model.reference is not None
    assert any("was not unrolled: a branch holds it" in note for note in model.report.notes) != unrolled
    for sign in (1, -1):
        feed = {"x": np.float32([[1, 2, 3], [0, 1, 0.5]]) * sign}
        for backend in BACKENDS:
            assert_matches(tfjs_node.run(model, feed, backend), model.reference(feed))


def test_what_depends_on_data_stays_a_loop_or_is_refused(tfjs_node: TfjsNode) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32, name="x")])
    def halve(x: Any) -> Any:
        while tf.reduce_max(tf.abs(x)) > 0.01:
            x = x / 2
        return x

    _check(tfjs_node, convert(halve), synchronous=False)
    with pytest.raises(UnsupportedModelError, match=r"The loop '.*while' cannot be unrolled: its length depends on"):
        convert(halve, unroll=True)


def test_long_loops_stay_unless_asked_for() -> None:
    traced = tf.function(lambda x: tf.scan(lambda a, row: a + row, x)).get_concrete_function(
        tf.TensorSpec((3000, 1), tf.float32, "x")
    )
    assert set(convert(traced).report.ops) >= LOOPS


def test_a_loop_that_writes_a_variable_is_refused_as_before() -> None:
    class Counts(tf.Module):
        def __init__(self) -> None:
            self.count = tf.Variable(0.0, name="visits")

        @tf.function(input_signature=[tf.TensorSpec((3,), tf.float32, name="x")])
        def __call__(self, x: Any) -> Any:
            for _ in tf.range(3):
                self.count.assign_add(1.0)
            return x + self.count

    with pytest.raises(UnsupportedModelError, match="writes the variable 'visits'"):
        convert(Counts())


def test_no_round_waits_for_those_before() -> None:
    """What each constant waits for would else grow with every round, and the time of conversion with its square."""

    def function(x: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 40, lambda i, a: (i + 1, tf.sin(a) * w + 0.1), (0, x))[1]

    w = tf.Variable([0.5, 0.7, 0.9])
    concrete = tf.function(function).get_concrete_function(tf.TensorSpec((2, 3), name="x"))
    before = graph_def_function(concrete)
    keep = [concrete.inputs[0].op.name, concrete.outputs[0].op.name]
    unrolled, _ = unroll_loops(before, keep=keep, mode="auto")
    waits = [sum(ref.startswith("^") for ref in node.input) for node in unrolled.graph_def.node]
    assert sum(node.op == "Sin" for node in unrolled.graph_def.node) == 40
    assert sum(node.op == "ReadVariableOp" for node in unrolled.graph_def.node) == 1
    assert max(waits) <= 2
