"""Lists, which TF.js changes in place and makes without a size, give what TensorFlow's give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering
from tests.traced import traced
from tfjs_magic.passes import order_list_changes, run_passes

raw = tf.raw_ops
F = tf.float32
SPECS = tf.TensorSpec((3, 2), F, name="x"), tf.TensorSpec((), tf.int32, name="i")
FEEDS = [
    {"x": np.random.default_rng(seed).normal(size=(3, 2)).astype(np.float32), "i": np.array(seed - 1, np.int32)}
    for seed in (1, 2)
]


def _reserved(count: Any, dtype: Any = F) -> Any:
    return raw.TensorListReserve(element_shape=tf.constant([2]), num_elements=count, element_dtype=dtype)


def _rows(x: Any) -> Any:
    return raw.TensorListFromTensor(tensor=x, element_shape=tf.constant([2]))


def _set(rows: Any, index: Any, item: Any) -> Any:
    return raw.TensorListSetItem(input_handle=rows, index=index, item=item)


def _item(rows: Any, index: Any) -> Any:
    return raw.TensorListGetItem(input_handle=rows, index=index, element_shape=tf.constant([2]), element_dtype=F)


def _stacked(rows: Any, dtype: Any = F) -> Any:
    return raw.TensorListStack(input_handle=rows, element_shape=tf.constant([2]), element_dtype=dtype)


CASES: dict[str, Callable[[Any, Any], Any]] = {
    "read-before-it-changes": lambda x, i: (_item(rows := _rows(x), i) + 1, _stacked(_set(rows, i, x[0] * 7))),
    "two-readers": lambda x, i: (
        _item(rows := _rows(x), i),
        _stacked(rows) * 2,
        _stacked(_set(rows, i, x[0] * 7)),
    ),
    "set-in-part": lambda x, i: _stacked(_set(_reserved(i + 3), 0, x[0])),
    "set-in-part-twice": lambda x, i: _stacked(_set(_set(_reserved(5), 0, x[0]), i, x[1])),
    "set-in-between": lambda x, i: _stacked(_set(_set(_reserved(i + 5), i + 1, x[0]), i + 3, x[1])),
    "read-before-it-is-set": lambda x, i: _item(_set(_reserved(4), i + 1, x[0]), i) + _item(_rows(x), i),
    "integers": lambda x, i: _stacked(_set(_reserved(4, tf.int32), i * 0, tf.cast(9 * x[0], tf.int32)), tf.int32),
    "length": lambda x, i: tf.cast(raw.TensorListLength(input_handle=_set(_reserved(5), i, x[0])), F) * x,
}


@pytest.mark.parametrize("case", CASES)
def test_orders(tfjs_node: TfjsNode, case: str) -> None:
    check_lowering(tfjs_node, [order_list_changes.PASS], CASES[case], *SPECS, feeds=FEEDS)


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x, i: _item(_set(_rows(x), i, x[0]), i), id="one-after-the-other"),
        pytest.param(lambda x, i: _item(_rows(x), i), id="no-change"),
        pytest.param(
            lambda x, i: (x, _stacked(_set(_reserved(3, tf.string), i, tf.constant(["a", "b"])), tf.string)),
            id="strings-have-no-zeros",
        ),
    ],
)
def test_leaves_alone(function: Callable[..., Any]) -> None:
    (report,) = run_passes(traced(function, *SPECS), [order_list_changes.PASS])
    assert (report.applied, dict(report.misses)) == (0, {})
