"""What is updated is a copy: neither the next run nor another reader sees the update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.passes.checks import check_lowering
from tests.traced import converted, python_outputs
from tfjs_magic.passes import copy_before_update, remove_identities, strip_control_inputs

ROWS = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
update = tf.tensor_scatter_nd_update


@pytest.mark.parametrize(
    ("function", "spec"),
    [
        pytest.param(lambda x: (update(x, [[1]], [[9.0] * 3]), tf.nn.relu(x)), tf.TensorSpec((4, 3)), id="floats"),
        pytest.param(lambda x: (update(x, [[1]], [[9] * 3]), x + 1), tf.TensorSpec((4, 3), tf.int32), id="integers"),
        pytest.param(lambda x: update(x, [[0]], [[True] * 3]), tf.TensorSpec((4, 3), tf.bool), id="booleans"),
    ],
)
def test_copies(tfjs_node: TfjsNode, function: Callable[[Any], Any], spec: tf.TensorSpec) -> None:
    check_lowering(tfjs_node, [copy_before_update.PASS], function, tf.TensorSpec(spec.shape, spec.dtype, name="x"))


def test_a_constant_is_the_same_in_every_run(tfjs_node: TfjsNode) -> None:
    """Every run updates another row; the folds must not take the copy away."""
    function = lambda i: update(tf.constant(ROWS), [[i]], [[9.0, -0.0, 9.0]])  # noqa: E731
    spec = tf.TensorSpec((), tf.int32, name="i")
    feeds = [{"i": np.array(i, np.int32)} for i in (1, 2, 1)]
    for backend in BACKENDS:
        for feed, got in zip(feeds, tfjs_node.run_each(converted(function, spec), feeds, backend), strict=True):
            assert_matches(got, python_outputs(function, feed, spec))


def test_every_round_of_a_loop_updates_a_copy(tfjs_node: TfjsNode) -> None:
    """TF.js computes what no round changes once."""

    def function(x: Any) -> Any:
        rows = lambda i: update(x, [[i]], [[9.0] * 3])  # noqa: E731
        step = lambda i, y: (i + 1, y + rows(i))  # noqa: E731
        return tf.while_loop(lambda i, _: i < 3, step, (0, x))[1]

    spec = tf.TensorSpec((4, 3), name="x")
    passes = [copy_before_update.PASS, strip_control_inputs.PASS, remove_identities.PASS]
    check_lowering(tfjs_node, passes, function, spec)
