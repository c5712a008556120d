"""The place of the largest value of a vector is a scalar on webgpu, too."""

from __future__ import annotations

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu
from tests.traced import traced
from tfjs_magic.passes import lower_vector_argmax, run_passes

PASS = lower_vector_argmax.PASS


@pytest.mark.parametrize("size", [7, None])
def test_lowers(tfjs_node: TfjsNode, size: int | None) -> None:
    spec = tf.TensorSpec((size,), name="x")
    function = lambda x: (tf.argmax(x, output_type=tf.int32), tf.argmin(x))  # noqa: E731
    feeds = [{"x": tf.random.stateless_normal((size or 40,), [seed, 0]).numpy()} for seed in (1, 2)]
    check_lowering(tfjs_node, [PASS], function, spec, feeds=feeds)
    check_on_gpu(tfjs_node, function, spec, feeds=feeds)


def test_leaves_a_matrix() -> None:
    graph = traced(tf.argmax, tf.TensorSpec((3, 2), name="x"))
    assert not run_passes(graph, [PASS])[0].applied
