"""Random integers lie between their bounds, each as often as the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.passes.checks import refusals
from tests.traced import converted
from tfjs_magic.passes import lower_random_integers

NUMBER = tf.TensorSpec((), tf.int32, name="n")
draw = tf.random.uniform


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda n: draw([6000], -3, 3, tf.int32) + 0 * n, id="constant"),
        pytest.param(lambda n: draw([6000 + 0 * n], -n, n, tf.int32), id="computed"),
        pytest.param(lambda n: tf.cast(draw([6000], -3, 3, tf.int64), tf.int32) + 0 * n, id="int64"),
    ],
)
def test_draws_each_as_often(tfjs_node: TfjsNode, function: Callable[[Any], Any]) -> None:
    """Of 6000 draws each of six numbers gets 1000 ± 29: five times as far is no chance."""
    model = converted(function, NUMBER)
    for backend in BACKENDS:
        values, counts = np.unique(
            tfjs_node.run(model, {"n": np.array(3, np.int32)}, backend)["out0"], return_counts=True
        )
        assert values.tolist() == [-3, -2, -1, 0, 1, 2]
        assert np.all(np.abs(counts - 1000) < 150)


def test_refuses_bounds_that_are_too_far_apart() -> None:
    function = lambda n: draw([3], -(2**31), 2**31 - 1, tf.int32) + n  # noqa: E731
    reasons = refusals([lower_random_integers.PASS], function, NUMBER)
    assert reasons == {"the bounds are further apart than int32 reaches"}
