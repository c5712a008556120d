"""Loops, conditions and lists, in each other: right as they are, and right where loops are unrolled."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import SyncReadError, TfjsNode
from tests.graph_text import BACKENDS
from tfjs_magic import convert
from tfjs_magic.errors import UnsupportedOpsError
from tfjs_magic.model import TfjsModel

F = tf.float32
W = tf.Variable(np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32), name="w")
V = tf.Variable(np.random.default_rng(1).normal(size=(3,)).astype(np.float32), name="v")
STATIC, DYNAMIC = (2, 3), (None, 3)
LOOPS = {"Enter", "Exit", "LoopCond", "NextIteration"}


def _converted(
    function: Callable[..., Any], shape: tuple[int | None, ...], *, unroll: bool | Literal["auto"]
) -> TfjsModel:
    return convert(tf.function(function).get_concrete_function(tf.TensorSpec(shape, F, name="x")), unroll=unroll)


def _check(node: TfjsNode, model: TfjsModel) -> None:
    """Compare on inputs that take every branch: of either sign, and all of one sign."""
    assert model.reference is not None
    (info,) = model.inputs
    drawn = np.random.default_rng(3).normal(size=(2, *(side or 2 for side in info.shape or ()))).astype(np.float32)
    feeds = [{"x": x} for x in (*drawn, np.abs(drawn[0]), -np.abs(drawn[1]))]
    expected = [model.reference(feed) for feed in feeds]
    assert_telling(*expected[:2])
    for backend in BACKENDS:
        with contextlib.suppress(SyncReadError):
            for got, want in zip(node.run_each(model, feeds, backend), expected, strict=True):
                assert_matches(got, want)


# ---- branches and loops in each other


def _break(x: Any) -> Any:
    for _ in tf.range(6):
        if tf.reduce_sum(x) > 20.0:
            break
        x = x + 1.0
    return x


def _continue(x: Any) -> Any:
    for i in tf.range(5):
        if tf.reduce_sum(x) > 4.0:
            continue
        x = x + tf.cast(i, F)
    return x


def _loop_in_a_branch(x: Any) -> Any:
    if tf.reduce_sum(x) > 0:
        for i in tf.range(3):
            x = x @ W + tf.cast(i, F)
    else:
        x = x - 1.0
    return x


def _branch_with_variables_in_a_loop(x: Any) -> Any:
    for _ in tf.range(4):
        x = tf.tanh(x @ W) if tf.reduce_sum(x) > 0 else tf.tanh(x + V)
    return x


def _branch_in_a_loop_over_data(x: Any) -> Any:
    i = 0
    while tf.reduce_max(tf.abs(x)) < 50.0 and i < 30:
        x = x @ W * 1.5 + 0.3 if tf.reduce_sum(x) > 0 else -x * 1.4 + V
        i += 1
    return {"x": x, "half": tf.cast(i, F) / 2 + 0.0 * x[0, 0], "scaled": x * tf.cast(i, F)}


def _branches_in_a_branch_in_a_loop(x: Any) -> Any:
    s = tf.reduce_sum(x)
    for _ in tf.range(3):
        if s > 0:
            x = x + 1.0 if x[0, 0] > 0.0 else x @ W
        s = s - 1.0
    return x


def _case(x: Any) -> Any:
    s = tf.reduce_sum(x)
    return tf.case([(s > 3, lambda: x * 2), (s > 0, lambda: x @ W)], default=lambda: x - 1)


def _switch_in_a_loop(x: Any) -> Any:
    for i in tf.range(4):
        x = tf.switch_case(i % 3, [lambda x=x: x + 1, lambda x=x: x @ W, lambda x=x: tf.tanh(x)])
    return x


def _triangle(x: Any) -> Any:
    for i in tf.range(4):
        for j in tf.range(i):
            x = x + tf.cast(j, F) * 0.5 + tf.sin(x)
    return x


def _loop_in_a_loop_over_data(x: Any) -> Any:
    while tf.reduce_sum(tf.abs(x)) < 100.0:
        for _ in tf.range(3):
            x = x * 1.1 + 0.1
    return x


def _growing(x: Any) -> Any:
    shapes = (tf.TensorShape([]), tf.TensorShape([2, None]))
    first = x[:, :1]
    return tf.while_loop(
        lambda i, _: i < 3,
        lambda i, y: (i + 1, tf.concat([y, first * tf.cast(i, F)], 1)),
        (0, first),
        shape_invariants=shapes,
    )[1]


BRANCHES = [
    pytest.param(_break, STATIC, id="break"),
    pytest.param(_continue, STATIC, id="continue"),
    pytest.param(_loop_in_a_branch, DYNAMIC, id="loop-in-branch"),
    pytest.param(_branch_with_variables_in_a_loop, DYNAMIC, id="branch-in-loop"),
    pytest.param(_branch_in_a_loop_over_data, STATIC, id="branch-in-loop-over-data"),
    pytest.param(_branches_in_a_branch_in_a_loop, STATIC, id="branches-in-branch-in-loop"),
    pytest.param(_case, STATIC, id="case"),
    pytest.param(_switch_in_a_loop, STATIC, id="switch-in-loop"),
    pytest.param(_triangle, STATIC, id="triangle"),
    pytest.param(_loop_in_a_loop_over_data, STATIC, id="loop-in-loop-over-data"),
    pytest.param(_growing, STATIC, id="growing"),
]


# ---- lists


def _list_written_in_branches(x: Any) -> Any:
    rows = tf.TensorArray(F, 4, element_shape=[2, 3])
    for i in tf.range(4):
        rows = rows.write(i, x) if tf.reduce_sum(x) > 0 else rows.write(i, x * 0.5)
        x = x - 1.0
    return rows.stack()


def _list_that_grows(x: Any) -> Any:
    rows = tf.TensorArray(F, 0, dynamic_size=True)
    for i in tf.range(4):
        rows = rows.write(i, x * tf.cast(i, F))
    return rows.stack()


def _list_with_second_readers(x: Any) -> Any:
    rows, y = tf.TensorArray(F, 3, element_shape=[2, 3]), x
    for i in tf.range(3):
        y = tf.tanh(y @ W + V)
        rows = rows.write(i, y)
    return {"last": y, "twice": y * 2, "rows": rows.stack(), "some": rows.gather([2, 0])}


def _map_in_a_map(x: Any) -> Any:
    return tf.map_fn(lambda row: tf.map_fn(lambda item: item * tf.reduce_sum(row), row), x)


def _swapped_rows(x: Any) -> Any:
    rows = tf.TensorArray(F, 4, clear_after_read=False).unstack(tf.concat([x, x * 2], 0))
    for i in tf.range(tf.shape(x)[0]):
        a, b = rows.read(i), rows.read(i + 1)
        rows = rows.write(i, b).write(i + 1, a)
    return rows.stack()


def _read_before_it_changes(x: Any) -> Any:
    """TF.js changes lists in place, so what reads the list as it was must come first."""
    rows = tf.TensorArray(F, 4, clear_after_read=False).unstack(tf.concat([x, x * 2], 0))
    first = tf.cast(tf.reduce_sum(tf.abs(x)) * 0, tf.int32)
    changed = rows.write(first, x[0] * 7.0)
    return {"before": rows.stack() * 2.0, "after": changed.stack() + rows.read(first)}


def _set_in_part(x: Any) -> Any:
    """TensorFlow gives zeros for what was never set, and counts it."""
    rows = tf.TensorArray(F, tf.shape(x)[0] + 3)
    for i in tf.range(tf.shape(x)[0]):
        if tf.reduce_sum(x) > 5.0:
            break
        rows = rows.write(i, x[i] * 2)
    rows = rows.write(0, x[1])
    return {"rows": rows.stack(), "size": tf.cast(rows.size(), F) * x}


def _flags(x: Any) -> Any:
    flags = tf.TensorArray(tf.bool, 4)
    for i in tf.range(tf.shape(x)[0]):
        flags = flags.write(i, x[i] > 0)
    return tf.cast(flags.stack(), F)


LISTS = [
    pytest.param(_read_before_it_changes, DYNAMIC, id="read-before-it-changes"),
    pytest.param(_set_in_part, DYNAMIC, id="set-in-part"),
    pytest.param(_flags, DYNAMIC, id="flags-in-part"),
    pytest.param(_list_written_in_branches, STATIC, id="written-in-branches"),
    pytest.param(_list_that_grows, STATIC, id="growing"),
    pytest.param(_list_with_second_readers, STATIC, id="second-readers"),
    pytest.param(_map_in_a_map, STATIC, id="map-in-map"),
    pytest.param(_map_in_a_map, DYNAMIC, id="map-in-map-of-unknown-length"),
    pytest.param(_swapped_rows, DYNAMIC, id="swapped"),
    pytest.param(lambda x: tf.scan(lambda a, row: a * 0.5 + row, x, reverse=True), DYNAMIC, id="scan-backwards"),
    pytest.param(lambda x: tf.map_fn(lambda row: tf.cast(row * 10, tf.int32), x, tf.int32), STATIC, id="integers"),
    pytest.param(lambda x: tf.cast(tf.map_fn(tf.logical_not, x > 0), F) + x, DYNAMIC, id="booleans"),
]


@pytest.mark.parametrize(("function", "shape"), [*BRANCHES, *LISTS])
@pytest.mark.parametrize("unroll", ["auto", False], ids=["auto", "loops"])
def test_control_flow(
    tfjs_node: TfjsNode,
    function: Callable[..., Any],
    shape: tuple[int | None, ...],
    unroll: bool | Literal["auto"],  # noqa: FBT001 - a parameter
) -> None:
    _check(tfjs_node, _converted(function, shape, unroll=unroll))


# ---- lists that unrolling takes apart


def _raw_pushed_then_set(x: Any) -> Any:
    rows = tf.raw_ops.EmptyTensorList(element_shape=tf.constant([2, 3]), max_num_elements=-1, element_dtype=F)
    rows = tf.raw_ops.TensorListPushBack(input_handle=rows, tensor=x)
    rows = tf.raw_ops.TensorListPushBack(input_handle=rows, tensor=x * 2)
    rows = tf.raw_ops.TensorListSetItem(input_handle=rows, index=0, item=x * 5)
    return tf.raw_ops.TensorListStack(input_handle=rows, element_shape=tf.constant([2, 3]), element_dtype=F)


def _raw_popped(x: Any) -> Any:
    rows = tf.raw_ops.TensorListFromTensor(tensor=x, element_shape=tf.constant([3]))
    rows = tf.raw_ops.TensorListPushBack(input_handle=rows, tensor=x[0] * 5)
    rows, last = tf.raw_ops.TensorListPopBack(input_handle=rows, element_shape=tf.constant([3]), element_dtype=F)
    rows, second = tf.raw_ops.TensorListPopBack(input_handle=rows, element_shape=tf.constant([3]), element_dtype=F)
    size = tf.cast(tf.raw_ops.TensorListLength(input_handle=rows), F)
    return {"last": last, "second": second, "size": size * x}


def _longer_than_reserved(x: Any) -> Any:
    rows = tf.TensorArray(F, 2, dynamic_size=True, element_shape=[2, 3])
    for i in tf.range(4):
        rows = rows.write(i, x * tf.cast(i, F))
    return {"rows": rows.stack(), "size": tf.cast(rows.size(), F) * x}


def _never_written(x: Any) -> Any:
    """One list knows the shape of what it lacks, the other only from what it has."""
    known, unknown = tf.TensorArray(F, 4, element_shape=[2, 3]), tf.TensorArray(F, 3, infer_shape=False)
    for i in tf.range(2):
        known, unknown = known.write(i, x + tf.cast(i, F)), unknown.write(i, tf.boolean_mask(x, x[:, 0] < 99.0))
    return {"known": known.stack(), "unknown": unknown.stack()}


def _two_versions_of_a_list(x: Any) -> Any:
    rows = tf.TensorArray(F, 2, clear_after_read=False).unstack(x)
    first, second = rows.write(0, x[0] * 7.0), rows.write(1, x[0] * 9.0)
    return {"rows": rows.stack() + 0, "first": first.stack(), "second": second.stack(), "one": second.read(1)}


def _joined(x: Any) -> Any:
    rows = tf.TensorArray(F, 2).split(x, [1, 1])
    return {"sum": rows.read(0) + rows.read(1), "joined": rows.write(0, x[1:] * 3).concat()}


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(_raw_pushed_then_set, id="pushed-then-set"),
        pytest.param(_raw_popped, id="popped"),
        pytest.param(_longer_than_reserved, id="longer-than-reserved"),
        pytest.param(_never_written, id="never-written"),
        pytest.param(_two_versions_of_a_list, id="two-versions"),
        pytest.param(_joined, id="joined"),
    ],
)
def test_no_list_is_left(tfjs_node: TfjsNode, function: Callable[..., Any]) -> None:
    model = _converted(function, STATIC, unroll=True)
    assert not [op for op in model.report.ops if op.startswith(("Tensor", "EmptyTensor")) or op in LOOPS]
    _check(tfjs_node, model)


def test_a_map_over_nothing(tfjs_node: TfjsNode) -> None:
    model = _converted(lambda x: {"y": tf.map_fn(lambda row: row * 2, x[:0]), "x": x + 1}, STATIC, unroll=True)
    x = np.ones((2, 3), np.float32)
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(model, {"x": x}, backend), {"y": np.zeros((0, 3), np.float32), "x": x + 1})


def test_every_round_draws_its_own_numbers(tfjs_node: TfjsNode) -> None:
    model = _converted(lambda x: tf.map_fn(lambda row: row * 0 + tf.random.uniform([3]), x), (4, 3), unroll=False)
    for backend in BACKENDS:
        (rows,) = tfjs_node.run(model, {"x": np.zeros((4, 3), np.float32)}, backend).values()
        assert len(np.unique(rows)) == rows.size


def test_two_changes_of_one_list_are_refused() -> None:
    def function(x: Any) -> Any:
        rows = tf.TensorArray(F, 4, clear_after_read=False).unstack(tf.concat([x, x * 2], 0))
        i = tf.cast(tf.reduce_sum(tf.abs(x)) * 0, tf.int32)
        return {"one": rows.write(i, x[0] * 7.0).stack(), "other": rows.write(i + 1, x[0] * 9.0).stack()}

    with pytest.raises(UnsupportedOpsError, match="something else still uses it as it was"):
        _converted(function, DYNAMIC, unroll="auto")
