"""Squares and cubes are products."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic.passes import lower_powers, run_passes

PASSES = [lower_powers.PASS]
X = tf.TensorSpec((None, 4), name="x")
LARGE = {"x": np.float32([[1e19, -2e25, 0, -0.0], [-np.inf, np.inf, -1e-30, 3]])}


def _pow(exponent: Any) -> Any:
    return lambda x: tf.raw_ops.Pow(x=x, y=np.asarray(exponent, np.float32))


@pytest.mark.parametrize("exponent", [2, 3, [2.0], [[3.0]]], ids=str)
def test_lowers(tfjs_node: TfjsNode, exponent: Any) -> None:
    check_lowering(tfjs_node, PASSES, _pow(exponent), X)
    check_on_gpu(tfjs_node, _pow(exponent), X)


@pytest.mark.parametrize("exponent", [2, 3])
def test_overflows_alike(tfjs_node: TfjsNode, exponent: int) -> None:
    check_lowering(tfjs_node, PASSES, _pow(exponent), X, feeds=[LARGE, {"x": random_array("x", 2, 4)}])


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(_pow(2.5), id="half"),
        pytest.param(_pow(4), id="four"),
        pytest.param(_pow([2.0, 3, 2, 3]), id="one-each"),
        pytest.param(_pow([[[2.0]]]), id="adds-an-axis"),
        pytest.param(lambda x: tf.pow(x, x), id="computed"),
        pytest.param(lambda x: tf.pow(2.0, x), id="base"),
    ],
)
def test_leaves(function: Any) -> None:
    assert refusals(PASSES, function, X, lacking=False) == set()


def test_leaves_integers() -> None:
    graph = traced(lambda x: tf.raw_ops.Pow(x=x, y=3), tf.TensorSpec((3,), tf.int32, name="x"))
    assert not run_passes(graph, PASSES)[0].applied
