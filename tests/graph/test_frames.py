"""TensorFlow runs loops whose constants stay outside of them, once these enter; TF.js needs no such thing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.graph_text import run_tensorflow
from tests.passes.checks import draw_feed
from tests.passes.operands import random_array
from tests.traced import python_outputs, traced
from tfjs_magic.graph.frames import enter_constants
from tfjs_magic.passes import PIPELINE, run_passes

X = tf.TensorSpec((2, 4), name="x")
KERNEL, BIAS = random_array("kernel", 4, 4), random_array("bias", 4)


def _rounds(x: Any, count: int, body: Any) -> Any:
    """Run a loop whose length the tracing cannot know."""
    length = tf.cast(tf.reduce_sum(x) * 0, tf.int32) + count
    return tf.while_loop(lambda i, _: i < length, lambda i, z: (i + 1, body(z)), (0, x))[1]


def _step(x: Any) -> Any:
    return tf.tanh(x @ KERNEL + BIAS)


def _nested(x: Any) -> Any:
    return _rounds(x, 3, lambda z: _rounds(z, 2, _step) @ KERNEL) @ KERNEL


def _with_a_branch(x: Any) -> Any:
    return _rounds(x, 3, lambda z: tf.cond(tf.reduce_sum(z) > 0, lambda: z @ KERNEL, lambda: _step(z)))


@pytest.mark.parametrize(
    ("function", "entering"),
    [
        pytest.param(lambda x: _rounds(x, 3, _step), True, id="one"),
        pytest.param(_nested, True, id="nested"),
        pytest.param(_with_a_branch, True, id="branch-inside"),
        pytest.param(_step, False, id="none"),
    ],
)
def test_tensorflow_runs_what_the_passes_leave(function: Any, entering: bool) -> None:  # noqa: FBT001
    graph = traced(function, X)
    feeds = [draw_feed(graph, seed) for seed in (1, 2)]
    for members in PIPELINE.values():
        run_passes(graph, members)
    enter_constants(graph)
    graph.check()
    assert entering == any(node.attrs.get("is_constant") for node in graph)
    for feed, have in zip(feeds, run_tensorflow(graph, feeds), strict=True):
        for name, want in python_outputs(function, feed, X).items():
            np.testing.assert_allclose(have[name], want, rtol=0, atol=1e-5)
