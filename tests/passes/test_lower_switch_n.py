"""A choice among n branches becomes n choices between two."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.passes.checks import check_pass
from tests.traced import converted, python_outputs
from tfjs_magic.passes import lower_switch_n

INDEX = tf.TensorSpec([], tf.int32, name="index")
X = tf.TensorSpec([3], tf.float32, name="x")


def test_lowers(tfjs_node: TfjsNode) -> None:
    before = """
        i: int32[]
        x: float32[3]
        s = _SwitchN(x, i) num_outs=2
        a = Neg(s)
        b = Exp(s:1)
        y = Merge(a, b)
        return y
    """
    after = """
        i: int32[]
        x: float32[3]
        s/Equal = Equal(i, s/const) T=int32
        s/Switch = Switch(x, s/Equal)
        s/Less = Less(i, s/const_1) T=int32
        s/GreaterEqual = GreaterEqual(i, s/const_2) T=int32
        s/LogicalOr = LogicalOr(s/Less, s/GreaterEqual)
        s/Switch_1 = Switch(x, s/LogicalOr)
        a = Neg(s/Switch:1)
        b = Exp(s/Switch_1:1)
        y = Merge(a, b)
        return y
    """
    x = np.array([1, 2, 3], np.float32)
    feeds = [{"i": np.array(i, np.int32), "x": x} for i in (0, 1)]
    check_pass(tfjs_node, before, after, [lower_switch_n.PASS], {}, feeds=feeds)


@pytest.mark.parametrize("index", [-1, 0, 1, 2, 3, 7])
def test_switch_case_takes_the_right_branch(tfjs_node: TfjsNode, index: int) -> None:
    """Out of range means the last one; constants, weights and computed values alike."""
    weight = tf.Variable([7.0, 8, 9])

    def function(index: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        branches = [lambda: tf.constant([1.0, 2, 3]), lambda: x * 2, lambda: weight, lambda: tf.exp(weight)]
        return tf.switch_case(index, branches)

    model = converted(function, INDEX, X)
    feeds = [{"index": np.array(i, np.int32), "x": np.array([4, 5, 6], np.float32)} for i in (index, (index + 1) % 3)]
    expected = [python_outputs(function, feed, INDEX, X) for feed in feeds]
    assert_telling(*expected)
    for backend in BACKENDS:
        for got, want in zip(tfjs_node.run_each(model, feeds, backend), expected, strict=True):
            assert_matches(got, want)


def test_an_unrolled_loop_keeps_the_branches_that_it_takes(tfjs_node: TfjsNode) -> None:
    """The indices are -1, 1, 3 and 5, of four branches."""
    weight = tf.Variable([0.7, 0.8, 0.9])

    def function(x: tf.Tensor) -> tf.Tensor:
        branches = [lambda y: y * 0.0, tf.tanh, lambda _: weight, lambda y: y * weight + 1.0]

        def chosen(i: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
            return tf.switch_case(i, [lambda branch=branch: branch(y) for branch in branches])

        return tf.while_loop(lambda i, _: i < 7, lambda i, y: (i + 2, chosen(i, y)), (-1, x))[1]

    model = converted(function, X)
    assert not {"Switch", "Merge"} & set(model.report.ops)
    feeds = [{"x": np.array(x, np.float32)} for x in ([4, 5, 6], [-1, 0.5, 2])]
    expected = [python_outputs(function, feed, X) for feed in feeds]
    assert_telling(*expected)
    for backend in BACKENDS:
        for got, want in zip(tfjs_node.run_each(model, feeds, backend), expected, strict=True):
            assert_matches(got, want)
