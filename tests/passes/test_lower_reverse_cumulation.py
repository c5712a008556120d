"""A cumulative op from the end becomes one from the beginning of reversed data."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu
from tests.traced import traced
from tfjs_magic.passes import lower_reverse_cumulation, run_passes

PASS = lower_reverse_cumulation.PASS


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("op", [tf.cumsum, tf.math.cumprod])
def test_lowers_for_every_length(tfjs_node: TfjsNode, op: Any, *, exclusive: bool) -> None:
    """Two lengths: a shader of webgpu for one of them is no help to the other."""
    specs = [tf.TensorSpec(shape, name=name) for shape, name in [((3, 2), "a"), ((None, 4), "b"), ((5,), "c")]]
    function = lambda *xs: [op(x, x.shape.rank - 1, exclusive=exclusive, reverse=True) for x in xs]  # noqa: E731
    check_lowering(tfjs_node, [PASS], function, *specs)
    check_on_gpu(tfjs_node, function, *specs)


def test_lowers_integers_along_an_axis_of_unknown_place() -> None:
    specs = [tf.TensorSpec((3, 2), tf.int32, name="x"), tf.TensorSpec((), tf.int32, name="axis")]
    graph = traced(lambda x, axis: tf.cumsum(x, axis, reverse=True), *specs)
    assert run_passes(graph, [PASS])[0].applied
    assert [node.attrs["reverse"] for node in graph if node.op == "Cumsum"] == [False]


def test_leaves_the_other_direction() -> None:
    graph = traced(lambda x: tf.cumsum(x, 1), tf.TensorSpec((3, 2), name="x"))
    assert not run_passes(graph, [PASS])[0].applied
