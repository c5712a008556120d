"""Loops and conditions run in TF.js as in TensorFlow once their control inputs are gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS, graph_text, parse_graph
from tests.passes.checks import check_pass
from tests.traced import converted, python_outputs
from tfjs_magic.artifacts import Array
from tfjs_magic.passes import strip_control_inputs
from tfjs_magic.passes.rewrite import run_passes

P = tf.TensorSpec([], tf.bool, name="p")
X = tf.TensorSpec([2, 3], tf.float32, name="x")
N = tf.TensorSpec([], tf.int32, name="n")
DATA = np.random.default_rng(4).normal(size=(2, 3)).astype(np.float32)
DATA[0, 0] = 1.5
BRANCHES = [{"p": np.array(1, bool), "x": DATA}, {"p": np.array(0, bool), "x": DATA}]
NESTED = [{"p": np.array(p), "x": sign * DATA} for p in (True, False) for sign in (1, -1)]
COUNTS = [{"n": np.array(n, np.int32), "x": DATA} for n in (2, 5)]

A, B, C = (tf.Variable([float(n), float(n) + 0.5, 3.0]) for n in (1, 2, 3))


def _check(
    tfjs_node: TfjsNode,
    function: Callable[..., Any],
    specs: tuple[tf.TensorSpec, ...],
    feeds: list[Mapping[str, Array]],
) -> None:
    feeds = [{spec.name: feed[spec.name] for spec in specs} for feed in feeds]
    expected = [python_outputs(function, feed, *specs) for feed in feeds]
    assert_telling(*expected)
    model = converted(function, *specs)
    for backend in BACKENDS:
        for got, want in zip(tfjs_node.run_each(model, feeds, backend), expected, strict=True):
            assert_matches(got, want)


def _pick(first: Any, second: Any) -> Callable[..., Any]:
    return lambda p: tf.cond(
        p, lambda: first() if callable(first) else first, lambda: second() if callable(second) else second
    )


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(_pick(lambda: tf.constant([1.0, 2]), lambda: tf.constant([3.0, 4])), id="two-constants"),
        pytest.param(_pick(A.read_value, B.read_value), id="two-weights"),
        pytest.param(_pick(lambda: A + C, lambda: B * C), id="computed-from-weights-alone"),
        pytest.param(_pick(lambda: A * 2.0, lambda: B * C), id="computed-from-weights-and-constants"),
        pytest.param(_pick(lambda: tf.exp(A), lambda: tf.constant([1.0, 2, 3])), id="weight-and-constant"),
        pytest.param(_pick(lambda: tf.gather(A, [1]), lambda: tf.gather(B, [0])), id="rows-of-tables"),
        pytest.param(_pick(lambda: tf.shape(A) * 2, lambda: tf.shape(A)), id="shapes-of-weights"),
        pytest.param(_pick(lambda: (A * 1.0, B * 1.0), lambda: (B * 1.0, A * 1.0)), id="crossed"),
    ],
)
def test_a_branch_without_data_is_held_back(tfjs_node: TfjsNode, function: Callable[..., Any]) -> None:
    """Only the control input says which branch such a value belongs to."""
    _check(tfjs_node, function, (P,), BRANCHES)


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda p, x: tf.cond(p, lambda: x, lambda: tf.ones([2, 3])), id="second-is-constant"),
        pytest.param(lambda p, x: tf.cond(p, lambda: tf.ones([2, 3]), lambda: x), id="first-is-constant"),
        pytest.param(lambda p, x: tf.cond(p, lambda: (x, x * 2), lambda: (x * 2, x)), id="crossed"),
        pytest.param(lambda p, x: tf.cond(p, lambda: x * A, lambda: x - B), id="with-weights"),
        pytest.param(
            lambda p, x: tf.cond(
                p,
                lambda: tf.while_loop(lambda i, _: i < 4, lambda i, a: (i + 1, a * 1.5 + A), [0, tf.ones([2, 3])])[1],
                lambda: x,
            ),
            id="loop-in-a-branch",
        ),
    ],
)
def test_branches_with_data(tfjs_node: TfjsNode, function: Callable[..., Any]) -> None:
    _check(tfjs_node, function, (P, X), BRANCHES)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([1.0, 2.0, 3.0, 4.0], id="constants"),
        pytest.param([A.read_value, B.read_value, C.read_value, lambda: A + B], id="weights"),
        pytest.param([A.read_value, lambda: tf.zeros(3), lambda: tf.exp(B), lambda: tf.ones(3)], id="mixed"),
    ],
)
def test_nested_conditions(tfjs_node: TfjsNode, values: list[Any]) -> None:
    one, two, three, four = (value if callable(value) else lambda value=value: tf.constant(value) for value in values)

    def function(p: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        return tf.cond(p, lambda: tf.cond(x[0, 0] > 0, one, two), lambda: tf.cond(x[0, 0] > 0, three, four))

    _check(tfjs_node, function, (P, X), NESTED)


def _loop(body: Callable[..., Any], *state: Callable[[tf.Tensor], tf.Tensor]) -> Callable[..., Any]:
    """Make a function that runs ``body`` n times on (counter, *state) and gives the last of the state."""
    return lambda n, x: tf.while_loop(lambda i, *_: i < n, body, [0, *(start(x) for start in state)])[-1]


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(_loop(lambda i, a: (i + 1, a * 0.5 + 1), lambda x: x), id="data"),
        pytest.param(_loop(lambda i, a: (i + 1, a * A + B), lambda x: x), id="weights"),
        pytest.param(
            _loop(lambda i, a, b: (i + 1, tf.constant([7.0]), b + a), lambda x: x[0, :1], lambda x: x[0, :1]),
            id="body-gives-a-constant",
        ),
        pytest.param(
            _loop(lambda i, a, b: (i + 1, A.read_value(), b + a), lambda x: x[0], lambda x: x[0]),
            id="body-gives-a-weight",
        ),
        pytest.param(
            _loop(lambda i, a, b: (i + 1, tf.exp(A + B), b + a), lambda x: x[0], lambda x: x[0]),
            id="body-computes-from-weights",
        ),
        pytest.param(_loop(lambda i, a, b: (i + 1, b, a), lambda x: x, lambda x: x * 2), id="swap"),
        pytest.param(
            _loop(lambda i, a: (i + 1, a + tf.cond(i % 2 == 0, lambda: 1.0, lambda: 10.0)), lambda x: x),
            id="condition-between-constants",
        ),
        pytest.param(
            _loop(lambda i, a: (i + 1, a + tf.cond(i % 3 == 0, lambda: A * 1, lambda: B * 1)), lambda x: x),
            id="condition-between-weights",
        ),
        pytest.param(
            _loop(
                lambda i, a: (
                    i + 1,
                    tf.while_loop(lambda j, _: j < i, lambda j, c: (j + 1, c * A + B), [0, a])[1],
                ),
                lambda x: x,
            ),
            id="nested-loop-that-starts-at-a-constant",
        ),
        pytest.param(
            _loop(
                lambda i, a: (
                    i + 1,
                    tf.while_loop(lambda j, _: j < 3, lambda j, c: (j + 1, c * 2 + a[0]), [0, B.read_value()])[1] + a,
                ),
                lambda x: x,
            ),
            id="nested-loop-that-starts-at-a-weight",
        ),
    ],
)
def test_loops(tfjs_node: TfjsNode, function: Callable[..., Any]) -> None:
    _check(tfjs_node, function, (N, X), COUNTS)


def test_a_loop_that_never_runs(tfjs_node: TfjsNode) -> None:
    feeds = [{"n": np.array(0, np.int32), "x": sign * DATA} for sign in (1, -1)]
    _check(tfjs_node, _loop(lambda i, _: (i + 1, tf.zeros([2, 3])), lambda x: x), (N, X), feeds)


def test_a_flag_ends_the_loop(tfjs_node: TfjsNode) -> None:
    def function(x: tf.Tensor) -> tf.Tensor:
        return tf.while_loop(lambda go, _: go, lambda _, a: (False, a * 2), [x[0, 0] > 0, x])[1]

    _check(tfjs_node, function, (X,), [{"x": DATA}, {"x": -DATA}])


def test_two_loops_one_after_the_other(tfjs_node: TfjsNode) -> None:
    def function(n: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        first = tf.while_loop(lambda i, _: i < n, lambda i, a: (i + 1, a * 2), [0, x])[1]
        return tf.while_loop(lambda i, _: i < n, lambda i, a: (i + 1, a - 1), [0, first])[1]

    _check(tfjs_node, function, (N, X), COUNTS)


@pytest.mark.parametrize("rows", [2, None], ids=["static", "dynamic"])
def test_tensor_lists(tfjs_node: TfjsNode, rows: int | None) -> None:
    spec = tf.TensorSpec([rows, 3], tf.float32, name="x")
    feeds = [{"x": DATA}, {"x": -DATA}]
    _check(tfjs_node, lambda x: tf.map_fn(lambda r: tf.reduce_sum(r) * A + r, x), (spec,), feeds)


def test_assertions_and_prints_go(tfjs_node: TfjsNode) -> None:
    def function(x: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([tf.debugging.assert_less(x, 1e9)]):
            return x * 2

    model = converted(function, X)
    assert {node["op"] for node in model.topology["node"]} == {"Placeholder", "Const", "Mul"}
    _check(tfjs_node, function, (X,), [{"x": DATA}, {"x": -DATA}])


# ---- the edit itself


def test_strips(tfjs_node: TfjsNode) -> None:
    before = "x: float32[3]\na = NoOp(^x)\nb = Exp(x, ^a)\ny = Neg(b, ^a, ^x)\nreturn y"
    after = "x: float32[3]\nb = Exp(x)\ny = Neg(b)\nreturn y"
    check_pass(tfjs_node, before, after, [strip_control_inputs.PASS], {})


def test_puts_a_switch_over_a_constant_of_a_branch(tfjs_node: TfjsNode) -> None:
    before = """
        p: bool[]
        x: float32[3]
        s = Switch(x, p)
        yes = Identity(s:1)
        a = Identity(w, ^yes)
        b = Neg(s)
        y = Merge(b, a)
        return y
    """
    after = """
        p: bool[]
        x: float32[3]
        s = Switch(x, p)
        a = Identity(w)
        b = Neg(s)
        a/switch = Switch(a, p)
        y = Merge(b, a/switch:1)
        return y
    """
    check_pass(tfjs_node, before, after, [strip_control_inputs.PASS], {"w": np.array([1, 2, 3], np.float32)})


def test_a_control_edge_from_a_switch_does_not_name_the_branch() -> None:
    """It has no port; the pivot beside it has."""
    text = """
        p: bool[]
        s = Switch(p, p) T=bool
        no = Identity(s) T=bool
        wait = NoOp(^s, ^no)
        a = Identity(w, ^wait)
        t = Switch(w, p)
        y = Merge(a, t:1)
        return y
    """
    graph = parse_graph(text, {"w": np.zeros(3, np.float32)})
    run_passes(graph, [strip_control_inputs.PASS])
    assert "y = Merge(a/switch, t:1)" in graph_text(graph)
