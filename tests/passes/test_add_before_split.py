"""The gates of a step get what is added to them before they are split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS, tfjs_model
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic import convert
from tfjs_magic.options import Backend
from tfjs_magic.passes import PIPELINE, add_before_split
from tfjs_magic.passes.rewrite import run_passes

PASSES = [add_before_split.PASS]
W, V, U, B = (
    tf.constant(random_array(name, *shape)) for name, *shape in (("w", 5, 6), ("v", 5, 2), ("u", 2, 6), ("b", 6))
)
Cell = Callable[[Sequence[Any], Sequence[Any], Any, int], Any]


def _gru(x: Sequence[Any], s: Sequence[Any], state: Any, _: int) -> Any:
    share = tf.sigmoid(x[0] + s[0])
    return share * state + (1.0 - share) * tf.tanh(x[2] + tf.sigmoid(x[1] + s[1]) * s[2])


def _all(x: Sequence[Any], s: Sequence[Any], state: Any, _: int) -> Any:
    return tf.sigmoid(x[0] + s[0]) * state + tf.sigmoid(s[1] + x[1]) * tf.tanh(x[2] + s[2])


def _one(x: Sequence[Any], s: Sequence[Any], state: Any, _: int) -> Any:
    total = x[1] + s[1]
    return s[0] * tf.sigmoid(total) + s[2] * tf.tanh(total) - state * 0.1


def _probed(x: Sequence[Any], s: Sequence[Any], state: Any, i: int) -> Any:
    """One step takes the gates once more."""
    return _gru(x, s, state, i) + (s[0] * s[2] if i == 1 else 0.0)


def _net(x: Any, cell: Cell, offset: Any = B, inputs: Sequence[Any] = ()) -> Any:
    """Return the states of a net over four steps; ``inputs``: for the gates, if not x·W."""
    gates = inputs or tf.split(tf.reshape(x, [-1, 5]) @ W, 3, 1)
    parts = [tf.split(gate, 4) for gate in gates]
    state, states = tf.tanh(parts[2][0]), []
    for i in range(4):
        whole = state @ U if offset is None else state @ U + offset
        state = cell([part[i] for part in parts], tf.split(whole, 3, 1), state, i)
        states.append(state)
    return tf.stack(states)


def _spec(rows: int | None = 2) -> tf.TensorSpec:
    return tf.TensorSpec((4, rows, 5), name="x")


@pytest.mark.parametrize("rows", [1, 3, None])
@pytest.mark.parametrize(
    ("cell", "offset"),
    [
        pytest.param(_gru, B, id="gru"),
        pytest.param(_gru, None, id="gru-without-bias"),
        pytest.param(_gru, tf.constant(0.5), id="gru-with-scalar"),
        pytest.param(_all, B, id="all"),
        pytest.param(_one, B, id="one"),
        pytest.param(_probed, B, id="one-step-takes-them-twice"),
    ],
)
def test_adds_before_the_split(tfjs_node: TfjsNode, cell: Cell, offset: Any, rows: int | None) -> None:
    check_lowering(tfjs_node, PASSES, lambda x: _net(x, cell, offset), _spec(rows))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("offset", [B, None], ids=["bias", "no-bias"])
def test_adds_to_no_rows(tfjs_node: TfjsNode, backend: Backend, offset: Any) -> None:
    graph = traced(lambda x: _net(x, _gru, offset), _spec(None))
    for group in PIPELINE.values():
        run_passes(graph, group)
    (got,) = tfjs_node.run(tfjs_model(graph), {"x": np.zeros((4, 0, 5), np.float32)}, backend).values()
    assert got.shape == (4, 0, 2)


def test_adds_on_the_gpu(tfjs_node: TfjsNode) -> None:
    check_on_gpu(tfjs_node, lambda x: _net(x, _gru), _spec())


def test_keeps_what_is_not_finite_in_its_gate(tfjs_node: TfjsNode) -> None:
    """What gets nothing added is not multiplied by zero either."""

    def function(x: Any) -> Any:
        parts = tf.split(tf.reshape(x, [-1, 5])[:, :3], 3, 1)
        return _net(x, _gru, inputs=[tf.tile(part, [1, 2]) for part in parts])

    feeds = [{"x": random_array(name, 4, 2, 5)} for name in "xy"]
    feeds[0]["x"][1, 0, :2] = np.inf
    feeds[1]["x"][2, 1, 1] = -np.inf
    check_lowering(tfjs_node, PASSES, function, _spec(), feeds=feeds)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("batch", [1, None])
@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 2),
        ({"reset_after": False}, 2),
        ({"go_backwards": True}, 2),
        ({"use_bias": False}, 2),
        ({"recurrent_dropout": 0.5, "dropout": 0.5}, 0),
        ({"activation": "relu", "recurrent_activation": "hard_sigmoid"}, 0),
    ],
    ids=str,
)
def test_finds_the_steps_of_keras(
    tfjs_node: TfjsNode, backend: str, batch: int | None, options: Any, count: int
) -> None:
    """Masked and alone, stacked."""
    inputs = keras.Input((6, 3), name="x")
    x = keras.layers.GRU(5, return_sequences=True, **options)(keras.layers.Masking()(inputs))
    x, state = keras.layers.GRU(4, return_state=True, **options)(x)
    model = keras.Model(inputs, [x, state])
    for weight in model.weights:
        if "float" in weight.dtype:
            weight.assign(random_array(weight.path, *weight.shape) * 0.5)
    result = convert(model, format="graph", inputs={"x": (batch, 6, 3)})
    feed = {"x": random_array("x", 1, 6, 3)}
    feed["x"][:, 3] = 0
    (got,) = tfjs_node.run_each(result, [feed], backend)
    for value, want in zip(got.values(), model(feed["x"]), strict=True):
        np.testing.assert_allclose(value, want, atol=1e-5)
    assert next(each.applied for each in result.report.passes if each.name == "add_before_split") == count


WITHOUT = "a step does without"
SIZES = "the parts may have several sizes"
CIRCLE = "what is added depends on a gate"
BRANCHES = "the parts stand in different branches"
STAYS = "something else takes a gate in more than one step"


def _with_branch(x: Any, p: Any) -> Any:
    rows = tf.reshape(x, [-1, 5])
    inputs = [rows @ V, tf.cond(p, lambda: rows * 2.0, lambda: rows + 1.0) @ V, tf.tanh(rows @ V)]
    return _net(x, _gru, inputs=inputs)


def _with_other(x: Any, y: Any) -> Any:
    rows = [tf.reshape(each, [-1, 5]) @ V for each in (x, y, x)]
    return _net(x, _gru, inputs=rows)


def _in_a_circle(x: Any) -> Any:
    """What one gate gets in all steps is made of another one of the first step."""
    rows = tf.reshape(x, [-1, 5])
    state, states = tf.tanh(rows[:2, :2]), []
    first = tf.split(state @ U + B, 3, 1)
    parts = [tf.split(each, 4) for each in (rows @ V, tf.tile(first[2], [4, 1]), tf.tanh(rows @ V))]
    for i in range(4):
        state = _gru([part[i] for part in parts], tf.split(state @ U + B, 3, 1) if i else first, state, i)
        states.append(state)
    return tf.stack(states)


@pytest.mark.parametrize(
    ("function", "specs", "reason"),
    [
        pytest.param(
            lambda x: _net(x, lambda x, s, state, i: _all(x, s, state, i) if i != 2 else state + s[0] * s[1] * s[2]),
            [_spec()],
            WITHOUT,
            id="all-but-one-step",
        ),
        pytest.param(_with_other, [_spec(None), tf.TensorSpec((4, None, 5), name="y")], SIZES, id="two-batches"),
        pytest.param(_with_branch, [_spec(), tf.TensorSpec((), tf.bool, name="p")], BRANCHES, id="branch"),
        pytest.param(
            lambda x: _net(x, lambda x, s, *_: tf.tanh(x[0] + s[0]) * tf.sigmoid(x[1] + s[1]) + tf.tanh(s[2])),
            [_spec()],
            STAYS,
            id="used-alone",
        ),
        pytest.param(
            lambda x: _net(x, lambda x, s, *_: tf.tanh(x[0] + s[0]) * s[0] + tf.sigmoid(x[1] + s[1]) * s[1]),
            [_spec()],
            STAYS,
            id="scales-its-own-sum",
        ),
        pytest.param(_in_a_circle, [_spec()], CIRCLE, id="circle"),
        pytest.param(lambda x: _net(x, _one, None), [_spec()], None, id="nothing-to-gain"),
        pytest.param(
            lambda x: _net(x, lambda x, s, *_: (x[0] + s[0]) * s[0] * (x[1] + s[1]) * s[1] + s[2]),
            [_spec()],
            STAYS,
            id="gates-are-used-twice",
        ),
        pytest.param(
            lambda x: _net(x, lambda x, s, *_: (x[0] * s[0]) + (x[1] * s[1]) + s[2]), [_spec()], None, id="no-sum"
        ),
    ],
)
def test_refuses(function: Any, specs: Sequence[tf.TensorSpec], reason: str | None) -> None:
    reasons = refusals(PASSES, function, *specs, lacking=False)
    assert reasons == ({reason} if reason else set())
