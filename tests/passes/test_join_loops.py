"""Two loops whose steps are alike run side by side: one node does what took two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.passes.checks import check_lowering, check_on_gpu, misses, refusals
from tests.passes.operands import random_array
from tests.traced import converted, python_outputs, traced
from tfjs_magic import convert
from tfjs_magic.passes import join_loops, merge_duplicates, remove_identities, run_passes

PASSES = [join_loops.PASS]
Step = Callable[[Any, Any, int], Any]


def _weights(name: str, *shape: int) -> Any:
    return tf.constant(random_array(name, *shape))


U, B = [_weights(f"u{i}", 4, 8) for i in range(2)], [_weights(f"b{i}", 8) for i in range(2)]
WIDE = [_weights(f"w{i}", 100, 200) * 0.1 for i in range(2)]


def _gates(state: Any, part: Any, loop: int) -> Any:
    one, two = tf.split(part + (state @ U[loop] + B[loop]), 2, 1)
    return state * tf.sigmoid(one) + tf.tanh(two)


def _plain(state: Any, part: Any, loop: int) -> Any:
    return tf.tanh(state @ U[loop][:, :4] + part[:, :4])


def _shared(state: Any, part: Any, _: int) -> Any:
    return tf.tanh(state @ U[0][:, :4] + part[:, :4])


def _masked(state: Any, part: Any, loop: int) -> Any:
    return tf.where(part[:, :1] > 0.0, _gates(state, part, loop), state)


def _wide(state: Any, part: Any, loop: int) -> Any:
    one, two = tf.split(part + state @ WIDE[loop], 2, 1)
    return state * tf.sigmoid(one) + tf.tanh(two)


def _from_both(state: Any, part: Any, loop: int) -> Any:
    u, v = random_array(f"u{loop}", 4, 8), random_array(f"v{loop}", 8, 4)
    one, two = tf.split(state @ u, 2, 1)
    return tf.tanh(one + two + part @ v) * 0.9 + state * 0.3


def _loop(x: Any, loop: int, step: Step = _gates, start: Any = None) -> list[Any]:
    state, states = x[:, 0, :4] if start is None else start, []
    for part in tf.unstack(x, axis=1):
        state = step(state, part, loop)
        states.append(state)
    return states


def _both(x: Any, step: Step = _gates) -> Any:
    """Return what both directions make of x (B, 5, C)."""
    start = x[:, 0, : 100 if step is _wide else 4]
    there, back = _loop(x, 0, step, start), _loop(tf.reverse(x, [1]), 1, step, start)
    return tf.concat([tf.stack(there, 1), tf.stack(back, 1)], -1)


def _spec(rows: int | None = 1, columns: int = 8) -> tf.TensorSpec:
    return tf.TensorSpec((rows, 5, columns), name="x")


@pytest.mark.parametrize(
    ("step", "rows"),
    [(_gates, 1), (_gates, 3), (_gates, None), (_plain, 1), (_shared, 3), (_masked, 1), (_masked, 3)],
)
def test_joins(tfjs_node: TfjsNode, step: Step, rows: int | None) -> None:
    check_lowering(tfjs_node, PASSES, lambda x: _both(x, step), _spec(rows))


def test_joins_large_products_of_one_row(tfjs_node: TfjsNode) -> None:
    passes = [*PASSES, remove_identities.PASS]  # TensorFlow keeps large constants behind one
    check_lowering(tfjs_node, passes, lambda x: _both(x, _wide), _spec(columns=200), after=passes[1:])


def test_joins_what_begins_in_another_way(tfjs_node: TfjsNode) -> None:
    def function(x: Any) -> Any:
        state, states = tf.nn.softplus(x[:, 0, :4] @ U[1][:, :4]), []
        for part in tf.unstack(x, axis=1)[1:]:
            states.append(state)
            state = _plain(state, part, 1)
        return tf.stack(_loop(x, 0, _plain)), tf.stack([*states, state])

    check_lowering(tfjs_node, PASSES, function, _spec())


@pytest.mark.parametrize("rows", [1, 3])
def test_keeps_what_both_loops_make_of_the_same(tfjs_node: TfjsNode, rows: int) -> None:
    """Nothing merges two nodes that are public outputs."""

    def function(x: Any) -> Any:
        states, made, public = [x[:, 0, :4], x[:, 1, :4]], [], []
        for part in tf.unstack(x, axis=1):
            sums = [tf.tanh(part) + tf.sigmoid(part) for _ in states]
            public += sums
            states = [_from_both(state, sums[i], i) for i, state in enumerate(states)]
            made.append(states)
        return *[tf.stack(each, 1) for each in zip(*made, strict=True)], *public

    passes = [*PASSES, remove_identities.PASS, merge_duplicates.PASS]
    check_lowering(tfjs_node, passes, function, _spec(rows), after=passes[1:])


@pytest.mark.parametrize("rows", [1, 3])
def test_keeps_a_nan_in_its_loop(tfjs_node: TfjsNode, rows: int) -> None:
    values = random_array("x", rows, 5, 8)
    values[0, 0] = np.nan
    check_lowering(tfjs_node, PASSES, _both, _spec(rows), feeds=[{"x": values}, {"x": random_array("y", rows, 5, 8)}])


@pytest.mark.parametrize("rows", [1, 3])
def test_joins_on_the_gpu(tfjs_node: TfjsNode, rows: int) -> None:
    check_on_gpu(tfjs_node, lambda x: _both(x, _masked), _spec(rows))


def test_takes_one_node_of_each_kind() -> None:
    graph = traced(_both, _spec())
    before = sum(node.op == "Tanh" for node in graph)
    run_passes(graph, PASSES)
    assert (before, sum(node.op == "Tanh" for node in graph)) == (10, 5)
    assert sum(node.op == "BatchMatMulV2" for node in graph) == 5
    assert not misses(run_passes(graph, PASSES))


@pytest.mark.parametrize(
    ("layer", "batch", "masked", "count"),
    [
        ("LSTM", None, False, 2),
        ("GRU", None, True, 2),
        ("LSTM", 1, True, 2),
        ("SimpleRNN", 1, False, 2),
        ("SimpleRNN", None, False, 0),
    ],
)
@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
def test_finds_the_directions_of_keras(layer: str, batch: int | None, *, masked: bool, count: int) -> None:
    inputs = keras.Input((6, 3), name="x")
    x = keras.layers.Masking()(inputs) if masked else inputs
    x = keras.layers.Bidirectional(getattr(keras.layers, layer)(5, return_sequences=True))(x)
    x = keras.layers.Bidirectional(getattr(keras.layers, layer)(5))(x)
    result = convert(keras.Model(inputs, x), format="graph", inputs={"x": (batch, 6, 3)})
    assert next(each.applied for each in result.report.passes if each.name == "join_loops") == count


@pytest.mark.parametrize("layer", ["LSTM", "GRU"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_takes_any_number_of_rows(tfjs_node: TfjsNode, backend: str, layer: str) -> None:
    """Also none, of which the cpu keeps what is packed as another kind of array."""
    inputs = keras.Input((6, 3), name="x")
    x = inputs
    for sequences in (True, False):
        x = keras.layers.Bidirectional(getattr(keras.layers, layer)(5, return_sequences=sequences))(x)
    model = keras.Model(inputs, x)
    feeds = [{"x": random_array("x", rows, 6, 3)} for rows in (0, 1, 3)]
    for feed, result in zip(feeds, tfjs_node.run_each(convert(model, format="graph"), feeds, backend), strict=True):
        (got,) = result.values()
        np.testing.assert_allclose(got, model(feed["x"]) if len(feed["x"]) else np.zeros((0, 10)), atol=1e-5)


UNLIKE = "the steps are not alike, or one loop takes what the other one makes"
SIZES = "unknown sizes of the loops may differ"
BRANCHES = "the loops stand in different branches"
COSTS = "it takes almost as many nodes as it saves"


def _in_turn(x: Any) -> Any:
    first = tf.stack(_loop(x, 0, _plain), 1)
    return tf.stack(_loop(tf.tile(first, (1, 1, 2)), 1, _plain), 1)


def _crossed(x: Any) -> Any:
    """Each loop takes the other one's state."""
    one, two, ones, twos = x[:, 0, :4], x[:, 1, :4], [], []
    for part in tf.unstack(x, axis=1):
        one, two = _plain(two, part, 0), _plain(one, part, 1)
        ones.append(one)
        twos.append(two)
    return tf.stack(ones), tf.stack(twos)


def _inside(x: Any, loop: int) -> Any:
    """Return what a loop makes of x; as numbers, its weights are constants of the branch."""
    u = random_array(f"u{loop}", 4, 8)
    return tf.stack(_loop(x, 0, lambda state, part, _: tf.tanh(tf.split((part + state @ u) * part, 2, 1)[0]) + state))


def _in_two_branches(x: Any, p: Any) -> Any:
    return tf.cond(p, lambda: _inside(x, 0), lambda: _inside(x, 1))


def _beside_a_branch(x: Any, p: Any) -> Any:
    return tf.cond(p, lambda: _inside(x, 0), lambda: tf.zeros((5, 1, 4))), _inside(x, 1)


def _behind_a_merge(x: Any, p: Any) -> Any:
    """The loop in the branch begins with what both branches of another condition of the same predicate make."""
    y = tf.cond(p, lambda: x * 2.0, lambda: x + 1.0)
    return tf.cond(p, lambda: _inside(y, 0), lambda: tf.zeros((5, 1, 4))), _inside(y, 1)


def _in_one_branch(x: Any, p: Any) -> Any:
    return tf.cond(p, lambda: _inside(x, 0) - _inside(x[:, ::-1], 1), lambda: tf.zeros((5, 1, 4)))


P = tf.TensorSpec((), tf.bool, name="p")
BRANCHING = [_in_two_branches, _beside_a_branch, _behind_a_merge, _in_one_branch]


@pytest.mark.parametrize("function", BRANCHING)
def test_keeps_loops_in_their_branches(tfjs_node: TfjsNode, function: Any) -> None:
    feeds = [{"x": random_array("x", 1, 5, 8), "p": np.array(p)} for p in (False, True)]
    model = converted(function, _spec(), P)
    for backend in ("cpu", "wasm"):
        for feed, result in zip(feeds, tfjs_node.run_each(model, feeds, backend), strict=True):
            assert_matches(result, python_outputs(function, feed, _spec(), P))


def test_says_what_kernels_lack_for_whole_numbers() -> None:
    def function(x: Any) -> Any:
        u = [np.arange(-16 + i, 16 + i, dtype=np.int32).reshape(4, 8) for i in range(2)]
        return [tf.stack(_loop(x, i, lambda s, part, i: tf.split(part + s @ u[i], 2, 1)[0] - s)) for i in range(2)]

    graph = traced(function, tf.TensorSpec((3, 5, 8), tf.int32, name="x"))
    run_passes(graph, PASSES)
    assert {str(node.attrs["T"]) for node in graph if node.op == "BatchMatMulV2"} == {"int32"}


@pytest.mark.parametrize(
    ("function", "specs", "reason"),
    [
        *(pytest.param(function, [_spec(), P], BRANCHES, id=function.__name__) for function in BRANCHING[:3]),
        pytest.param(_in_turn, [_spec()], UNLIKE, id="one-after-the-other"),
        pytest.param(_crossed, [_spec()], None, id="crossed"),
        pytest.param(
            lambda x, y: (tf.stack(_loop(x, 0)), tf.stack(_loop(y, 1))),
            [_spec(None), tf.TensorSpec((None, 5, 8), name="y")],
            SIZES,
            id="batches-of-their-own",
        ),
        pytest.param(lambda x: _both(x, _plain), [_spec(None)], COSTS, id="little-in-a-step"),
        pytest.param(lambda x: (tf.stack(_loop(x, 0)), tf.stack(_loop(x, 1, _plain))), [_spec()], None, id="unlike"),
        pytest.param(lambda x: (tf.stack(_loop(x, 0)), tf.stack(_loop(x, 1)[:3])), [_spec()], None, id="shorter"),
        pytest.param(lambda x: (tf.stack(_loop(x, 0)[:3]), tf.stack(_loop(x, 1)[:3])), [_spec()], None, id="short"),
        pytest.param(lambda x: tf.stack(_loop(x, 0)), [_spec()], None, id="alone"),
    ],
)
def test_refuses(function: Any, specs: Sequence[tf.TensorSpec], reason: str | None) -> None:
    reasons = refusals(PASSES, function, *specs, lacking=False)
    assert reasons == ({reason} if reason else set())
