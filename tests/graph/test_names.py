"""Whole conversions of functions whose nodes are called what the conversion would call its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedOpsError
from tfjs_magic.pipeline import convert

X = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
LARGE = np.arange(600, dtype=np.float32).reshape(2, 300)


def _rows(x: Any) -> dict[str, Any]:
    a = tf.add(x, 1.0, name="a")
    others = {"z": tf.negative(a, name="a/unpacked"), "u": tf.exp(a, name="a/Unpack")}
    return {"y": tf.map_fn(lambda row: row * 2.0, a), **others}


def _parts(x: Any) -> dict[str, Any]:
    a = tf.add(x, 1.0, name="a")
    parts = tf.TensorArray(tf.float32, 2, infer_shape=False).split(a, [1, 3])
    others = {"z": tf.negative(a, name="a/split_1_3"), "u": tf.exp(a, name="a/SplitV")}
    return {"y": parts.concat(), "first": parts.read(0), **others}


def _rounds(x: Any) -> dict[str, Any]:
    _, y = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * x + 1.0), (0, x), name="while")
    names = ("while/round_0", "while/round_1", "while/round_1/mul", "while/round_1_1/add")
    return {"y": y, **{f"z{i}": tf.add(x, float(i), name=name) for i, name in enumerate(names)}}


def _stacked(x: Any) -> dict[str, Any]:
    array = tf.TensorArray(tf.float32, 4, element_shape=[2])
    limit = tf.cast(tf.minimum(tf.reduce_max(x) * 0 + 3, 3), tf.int32)
    _, array = tf.while_loop(lambda i, _: i < limit, lambda i, a: (i + 1, a.write(i, x[i])), (0, array))
    stacked = array.stack(name="y/rows")
    return {"y": tf.identity(stacked, name="y"), "z": tf.concat([stacked, x], 0, name="y_1")}


def _constants(x: Any) -> dict[str, Any]:
    return {"y": x @ tf.constant(LARGE, name="k"), "z": tf.negative(x, name="k/handle")}


_CAPTURED = tf.constant(LARGE)


def _captured(x: Any) -> dict[str, Any]:
    return {"y": x @ _CAPTURED, "z": tf.negative(x, name="captured"), "u": tf.exp(x, name="captured/handle")}


@pytest.mark.parametrize("function", [_rows, _parts, _rounds, _stacked, _constants, _captured])
def test_user_names_are_the_users(tfjs_node: TfjsNode, function: Callable[[Any], dict[str, Any]]) -> None:
    run = tf.function(function, input_signature=[tf.TensorSpec(X.shape, tf.float32, name="x")])
    _check(tfjs_node, run, {"x": X})


@pytest.mark.parametrize("name", ["constructor", "toString", "hasOwnProperty"])
def test_names_of_javascript_are_names(tfjs_node: TfjsNode, name: str) -> None:
    """An input and a weight are nodes under their own names."""
    weight = tf.Variable(X, name="valueOf")
    run = tf.function(lambda x: {name: x * weight}, input_signature=[tf.TensorSpec(X.shape, tf.float32, name=name)])
    _check(tfjs_node, run, {name: X})


def test_conditions_on_two_numbers_may_both_hold() -> None:
    """What changes a list in each of them changes the same list in TF.js."""

    def function(x: Any, i: Any, j: Any) -> dict[str, Any]:
        array = tf.TensorArray(tf.float32, 4, element_shape=[2]).unstack(x)
        branches = ((tf.equal(i, 1), 0), (tf.equal(j, 2), 1))
        rows = [
            tf.cond(predicate, lambda k=k: array.write(k, x[k] * 9).stack(), lambda: tf.zeros([4, 2]))
            for predicate, k in branches
        ]
        return {"a": rows[0], "b": rows[1]}

    numbers = [tf.TensorSpec([], tf.int32, name=name) for name in ("i", "j")]
    run = tf.function(function, input_signature=[tf.TensorSpec(X.shape, tf.float32, name="x"), *numbers])
    with pytest.raises(UnsupportedOpsError, match="TensorListSetItem"):
        convert(run)


def _check(tfjs_node: TfjsNode, run: Any, feed: dict[str, Array]) -> None:
    web = convert(run)
    want = {name: np.asarray(value) for name, value in run(*map(tf.constant, feed.values())).items()}
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(web, feed, backend), want)
