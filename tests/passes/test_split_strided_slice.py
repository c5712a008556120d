"""A slice that drops axes and steps over others becomes two, as TF.js reads out of range there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tfjs_magic.passes import split_strided_slice

CASES: dict[str, Callable[[Any], Any]] = {
    "reversed": lambda x: x[-1, ::-1],
    "stepped": lambda x: x[:, 2, ::2],
    "new-axis": lambda x: x[0, tf.newaxis, ::-2],
    "ellipsis": lambda x: x[..., -2, ::-1],
    "ellipsis-between": lambda x: x[1, ..., ::3],
}


@pytest.mark.parametrize("shape", [(2, 4, 6), (None, None, None)], ids=["static", "free"])
@pytest.mark.parametrize("case", CASES)
def test_splits(tfjs_node: TfjsNode, case: str, shape: Any) -> None:
    spec = tf.TensorSpec(shape, name="x")
    feeds = [{"x": tf.random.stateless_normal((2, 4, 6), [seed, 0]).numpy()} for seed in (1, 2)]
    check_lowering(tfjs_node, [split_strided_slice.PASS], CASES[case], spec, feeds=feeds)


@pytest.mark.parametrize("side", [2, None])
def test_steps_over_five_axes_that_are_left_on_the_gpu(tfjs_node: TfjsNode, side: int | None) -> None:
    function = lambda x: (x[0, ::2, ..., ::-1], x[::-1, ..., 1, :])  # noqa: E731
    feeds = [{"x": tf.random.stateless_normal((2, 3, 2, 2, 3, 2), [seed, 0]).numpy()} for seed in (1, 2)]
    check_on_gpu(tfjs_node, function, tf.TensorSpec((side, 3, 2, 2, 3, 2), name="x"), feeds=feeds)


def test_refuses_a_computed_slice() -> None:
    function = lambda x, i: x[i, ::-1]  # noqa: E731
    specs = tf.TensorSpec((3, 4), name="x"), tf.TensorSpec((), tf.int32, name="i")
    reasons = refusals([split_strided_slice.PASS], function, *specs)
    assert reasons == {"where it begins, ends, or how it steps is computed"}
