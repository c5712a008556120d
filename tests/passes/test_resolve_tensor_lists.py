"""Lists of tensors whose every index is known become the tensors themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering
from tests.traced import traced
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import resolve_tensor_lists, run_passes

raw = tf.raw_ops
F = tf.float32
X = tf.TensorSpec((3, 2), F, name="x")
NEVER_SET = "an item was never set"
COMPUTED = "an index is computed"
BEYOND = "an index is beyond the list"


def _reserved(count: Any, shape: Any = (2,), dtype: Any = F) -> Any:
    return raw.TensorListReserve(element_shape=tf.constant(shape, tf.int32), num_elements=count, element_dtype=dtype)


def _empty(shape: Any = (2,)) -> Any:
    return raw.EmptyTensorList(element_shape=tf.constant(shape, tf.int32), max_num_elements=-1, element_dtype=F)


def _rows(x: Any) -> Any:
    return raw.TensorListFromTensor(tensor=x, element_shape=tf.constant([2]))


def _pushed(rows: Any, item: Any) -> Any:
    return raw.TensorListPushBack(input_handle=rows, tensor=item)


def _set(rows: Any, index: Any, item: Any, **options: Any) -> Any:
    return raw.TensorListSetItem(input_handle=rows, index=index, item=item, **options)


def _item(rows: Any, index: Any, shape: Any = (2,), dtype: Any = F) -> Any:
    return raw.TensorListGetItem(
        input_handle=rows, index=index, element_shape=tf.constant(shape, tf.int32), element_dtype=dtype
    )


def _stacked(rows: Any, shape: Any = (2,), dtype: Any = F) -> Any:
    return raw.TensorListStack(input_handle=rows, element_shape=tf.constant(shape, tf.int32), element_dtype=dtype)


def _gathered(rows: Any, indices: Any) -> Any:
    shape = tf.constant([2])
    return raw.TensorListGather(input_handle=rows, indices=indices, element_shape=shape, element_dtype=F)


def _popped(rows: Any) -> Any:
    return raw.TensorListPopBack(input_handle=rows, element_shape=tf.constant([2]), element_dtype=F)


def _joined(rows: Any) -> Any:
    shape, sizes = tf.constant([-1, 2]), tf.constant([], tf.int64)
    return raw.TensorListConcatV2(input_handle=rows, element_shape=shape, leading_dims=sizes, element_dtype=F)[0]


def _split(x: Any, sizes: Any) -> Any:
    return raw.TensorListSplit(tensor=x, element_shape=tf.constant([-1, 2]), lengths=tf.constant(sizes, tf.int64))


def _scattered(rows: Any, x: Any, indices: Any) -> Any:
    return raw.TensorListScatterIntoExistingList(input_handle=rows, tensor=x, indices=indices)


def _resized(rows: Any, size: int) -> Any:
    return raw.TensorListResize(input_handle=rows, size=size)


def _length(rows: Any) -> Any:
    return tf.cast(raw.TensorListLength(input_handle=rows), F)


def _half_set(x: Any) -> Any:
    """One list knows the shape of what it lacks, the other only from what it has."""
    known = _set(_reserved(3), 0, x[0])
    unknown = _set(_reserved(2, (-1,)), 1, tf.boolean_mask(x[0], x[0] < 99.0))
    return _stacked(known), _stacked(unknown, (-1,))


CASES: dict[str, Callable[[Any], Any]] = {
    "set": lambda x: _stacked(_set(_set(_reserved(2), 0, x[0]), 1, x[1] * 2)),
    "set-again": lambda x: _item(_set(_set(_reserved(1), 0, x[0]), 0, x[1]), 0),
    "rows": lambda x: (_item(rows := _rows(x), 0) + 1, _item(rows, 2)),
    "all-rows": lambda x: _stacked(_rows(x)) * 2,
    "gathered": lambda x: (_gathered(rows := _rows(x), [2, 0]), _gathered(rows, [0, 1, 2])),
    "gathered-nothing": lambda x: tf.concat([x, _gathered(_rows(x), tf.constant([], tf.int32))], 0),
    "pushed": lambda x: _stacked(_pushed(_pushed(_empty(), x[0]), x[1] + x[2])),
    "popped": lambda x: ((rows := _popped(_pushed(_rows(x), x[0] * 5)))[1], _popped(rows[0])[1], _length(rows[0]) * x),
    "joined": lambda x: _joined(_set(_split(x, [1, 2]), 0, x[1:] * 3)),
    "joined-one": lambda x: _joined(_split(x * 2, [3])),
    "scattered": lambda x: _stacked(_scattered(_reserved(3), x, [2, 0, 1])),
    "resized": lambda x: (_stacked(_resized(_rows(x), 2)), _stacked(_resized(_rows(x), 4))),
    "grown": lambda x: _stacked(_set(_rows(x), 4, x[0], resize_if_index_out_of_bounds=True)),
    "two-versions": lambda x: (
        _stacked(_set(rows := _rows(x), 0, x[2])),
        _stacked(_set(rows, 1, x[0])),
        _stacked(rows) + 0,
    ),
    "half-set": _half_set,
    "length": lambda x: _length(_set(_reserved(5), 1, x[0])) * x,
    "integers": lambda x: _stacked(_set(_reserved(2, (2,), tf.int32), 1, tf.cast(9 * x[0], tf.int32)), dtype=tf.int32),
}


@pytest.mark.parametrize("case", CASES)
def test_resolves(tfjs_node: TfjsNode, case: str) -> None:
    check_lowering(tfjs_node, [resolve_tensor_lists.PASS], CASES[case], X)
    graph = traced(CASES[case], X)
    run_passes(graph, [resolve_tensor_lists.PASS])
    assert not [op for op in count_ops(graph) if "TensorList" in op]


def test_a_list_of_nothing(tfjs_node: TfjsNode) -> None:
    function = lambda x: tf.concat([x, _stacked(_empty())], 0)  # noqa: E731
    check_lowering(tfjs_node, [resolve_tensor_lists.PASS], function, X)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        pytest.param(lambda x, _: _joined(_set(_reserved(2, (-1, 2)), 0, x)), NEVER_SET, id="joined"),
        pytest.param(
            lambda x, _: (x, _item(_set(_reserved(2, (), tf.string), 0, "a"), 1, (), tf.string)),
            NEVER_SET,
            id="strings",
        ),
        pytest.param(
            lambda _, i: _item(_reserved(2, (-1,)), 0, (-1,)) + tf.cast(i, F),
            "an item was never set, and its shape is known only in the browser",
            id="shape",
        ),
        pytest.param(lambda x, i: _item(_rows(x), i), COMPUTED, id="get"),
        pytest.param(lambda x, i: _stacked(_set(_rows(x), i, x[0])), COMPUTED, id="set"),
        pytest.param(lambda x, i: _stacked(_scattered(_rows(x), x[:1], [i])), COMPUTED, id="scatter"),
        pytest.param(lambda x, _: _item(_rows(x), 7), BEYOND, id="get-beyond"),
        pytest.param(lambda x, _: _stacked(_set(_rows(x), 7, x[0])), BEYOND, id="set-beyond"),
        pytest.param(lambda x, _: (x, _popped(_empty())[1]), "the list is empty", id="pop"),
        pytest.param(
            lambda x, i: _item(_reserved(i), 0) + x[0],
            "the list comes out of a loop or a branch, or an index is computed",
            id="size",
        ),
    ],
)
def test_refuses(function: Callable[..., Any], reason: str) -> None:
    graph = traced(function, X, tf.TensorSpec((), tf.int32, name="i"))
    (report,) = run_passes(graph, [resolve_tensor_lists.PASS])
    assert (report.applied, set(report.misses)) == (0, {reason})


def test_refuses_rows_of_an_unknown_number() -> None:
    graph = traced(lambda x: _item(_rows(x), 0), tf.TensorSpec((None, 2), name="x"))
    (report,) = run_passes(graph, [resolve_tensor_lists.PASS])
    assert (report.applied, set(report.misses)) == (0, {"the length of the list is unknown"})
