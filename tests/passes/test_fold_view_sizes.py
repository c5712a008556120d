"""A reshape to sizes that are known but for one does not compute them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic import convert
from tfjs_magic.passes import fold_view_sizes, run_passes

PASSES = [fold_view_sizes.PASS]


def _dense(x: Any) -> Any:
    return tf.tensordot(x, random_array("w", 5, 6), [[2], [0]])


def _two(x: Any) -> Any:
    return tf.tensordot(tf.tanh(_dense(x)) + 1.0, random_array("v", 6, 4), [[2], [0]])


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        pytest.param(_dense, (None, 4, 5), id="free-batch"),
        pytest.param(_dense, (2, None, 5), id="free-length"),
        pytest.param(_two, (None, 4, 5), id="two"),
        pytest.param(lambda x: tf.reshape(x, tf.concat([tf.shape(x)[:1], [4, 5]], 0)), (None, 20), id="concat"),
    ],
)
def test_folds(tfjs_node: TfjsNode, function: Any, shape: Any) -> None:
    spec = tf.TensorSpec(shape, name="x")
    check_lowering(tfjs_node, PASSES, function, spec)
    check_on_gpu(tfjs_node, function, spec)


def test_is_right_without_rows(tfjs_node: TfjsNode) -> None:
    model = convert(tf.function(_two).get_concrete_function(tf.TensorSpec((None, 4, 5), name="x")))
    assert not {"Prod", "GatherV2", "Shape"} & set(model.report.ops)
    for backend in ("cpu", "wasm"):
        (got,) = tfjs_node.run_each(model, [{"x": np.zeros((0, 4, 5), np.float32)}], backend)
        assert [value.shape for value in got.values()] == [(0, 4, 4)]


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        pytest.param(lambda x: tf.reshape(x, [tf.shape(x)[1], tf.shape(x)[0], 5]), (None, None, 5), id="two-unknown"),
        pytest.param(lambda x: tf.reshape(x, [tf.shape(x)[0], -1]), (None, None, 5), id="and-a-rest"),
        pytest.param(lambda x: tf.reshape(x[:, :0], [tf.shape(x)[0], 0, 5]), (None, 4, 5), id="no-values"),
        pytest.param(lambda x: tf.reshape(x, tf.cast(x[0, 0, :2] * 0 + [1, -1], tf.int32)), (None, 4, 5), id="data"),
    ],
)
def test_keeps_what_is_not_known(function: Any, shape: Any) -> None:
    assert not refusals(PASSES, function, tf.TensorSpec(shape, name="x"), lacking=False)
    assert not run_passes(traced(function, tf.TensorSpec(shape, name="x")), PASSES)[0].applied
