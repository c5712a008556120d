"""Cumulative ops count their axis from the front, as TF.js counts a negative one wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_pass, refusals
from tfjs_magic.passes import count_axis_from_front

CUMSUM = "x: float32[2,4,6]\ny = Cumsum(x, {axis}) Tidx=int32 exclusive=False reverse=False\nreturn y"
CASES: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: (tf.cumsum(x, -1), tf.cumsum(x, -2), tf.cumsum(x, -3), tf.cumsum(x, 1)),
    "sum-options": lambda x: (tf.cumsum(x, -1, exclusive=True), tf.cumsum(x, -2, reverse=True)),
    "product": lambda x: (tf.math.cumprod(x, -1), tf.math.cumprod(x, -2, reverse=True, exclusive=True)),
}


@pytest.mark.parametrize("shape", [(2, 4, 6), (None, 4, None)], ids=["static", "free"])
@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str, shape: Any) -> None:
    check_lowering(tfjs_node, [count_axis_from_front.PASS], CASES[case], tf.TensorSpec(shape, name="x"))


def test_keeps_the_axis_that_others_share(tfjs_node: TfjsNode) -> None:
    axis = {"axis": np.array(-1, np.int32)}
    check_pass(tfjs_node, CUMSUM.format(axis="axis"), CUMSUM.format(axis="y/axis"), [count_axis_from_front.PASS], axis)


def test_leaves_a_positive_axis_alone(tfjs_node: TfjsNode) -> None:
    axis = {"axis": np.array(1, np.int32)}
    check_pass(tfjs_node, CUMSUM.format(axis="axis"), None, [count_axis_from_front.PASS], axis)


@pytest.mark.parametrize(
    ("function", "shape", "reason"),
    [
        (lambda x: tf.cumsum(x, -1), None, "the rank is unknown"),
        (lambda x: tf.cumsum(x, -tf.cast(x[0], tf.int32)), (3,), "the axis is computed"),
    ],
)
def test_refuses(function: Callable[[Any], Any], shape: Any, reason: str) -> None:
    assert refusals([count_axis_from_front.PASS], function, tf.TensorSpec(shape, name="x")) == {reason}
