"""Slices that take all parts of a tensor become one Split."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tfjs_magic.passes import split_once

PASSES = [split_once.PASS]


def _three(x: Any) -> Any:
    return x[:, :2] - x[:, 2:4] * x[:, 4:]


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        pytest.param(_three, (3, 6), id="three"),
        pytest.param(_three, (None, 6), id="free-rows"),
        pytest.param(_three, (2, 6, 3), id="inner-axis"),
        pytest.param(lambda x: x[:3] - 2 * x[3:], (6, 2), id="rows"),
        pytest.param(lambda x: x[0:, 3:6] - 2 * x[:, 0:3], (2, 6), id="any-order"),
        pytest.param(lambda x: x[:, :-3] - 2 * x[:, -3:], (2, 6), id="from-the-back"),
        pytest.param(lambda x: (_three(x), x[:, 1:3], x[::2]), (4, 6), id="others-beside"),
    ],
)
def test_splits(tfjs_node: TfjsNode, function: Any, shape: Any) -> None:
    spec = tf.TensorSpec(shape, name="x")
    check_lowering(tfjs_node, PASSES, function, spec)
    check_on_gpu(tfjs_node, function, spec)


LEFT_OUT = "the slices leave something out"


@pytest.mark.parametrize(
    ("function", "shape", "reason"),
    [
        pytest.param(lambda x: x[:, :2] - x[:, 2:4], (3, 6), LEFT_OUT, id="the-end-is-left-out"),
        pytest.param(lambda x: x[:, :4] * tf.reduce_sum(x[:, 4:]), (3, 6), LEFT_OUT, id="other-sizes"),
        pytest.param(lambda x: x[:, :3] - x[:, 1:4], (3, 6), LEFT_OUT, id="overlap"),
        pytest.param(lambda x: x[:, :3], (3, 6), None, id="one"),
        pytest.param(lambda x: x[:, :3, 0] - x[:, 3:, 0], (3, 6, 2), None, id="drops-an-axis"),
        pytest.param(lambda x: x[:, None, :3] - x[:, None, 3:], (3, 6), None, id="adds-an-axis"),
        pytest.param(lambda x: x[:, ::2] - x[:, 1::2], (3, 6), None, id="steps"),
        pytest.param(lambda x: x[:2, :3] - x[:2, 3:], (3, 6), None, id="of-a-part"),
        pytest.param(lambda x: x[:, :3] - x[:, 3:], (3, None), None, id="unknown-length"),
        pytest.param(lambda x: tf.cast(x, tf.int32)[:3] - tf.cast(x, tf.int32)[3:], (6,), None, id="integers"),
    ],
)
def test_refuses(function: Any, shape: Any, reason: str | None) -> None:
    reasons = refusals(PASSES, function, tf.TensorSpec(shape, name="x"), lacking=False)
    assert reasons == ({reason} if reason else set())
