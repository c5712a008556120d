"""Each row is drawn from by itself, each outcome as often as its probability says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.traced import converted, traced
from tfjs_magic.passes import lower_multinomial
from tfjs_magic.passes.rewrite import run_passes

draw = tf.random.categorical
#: Probabilities of 0, 1/2, 1/3 and 1/6, twice, with other offsets.
LOGITS = np.log([[1e-30, 3, 2, 1], [1e-30, 3, 2, 1]]).astype(np.float32) + np.array([[0], [5]], np.float32)


@pytest.mark.parametrize(
    ("function", "rows"),
    [
        pytest.param(lambda x: draw(x, 6000), 2, id="fixed"),
        pytest.param(lambda x: draw(x, 6000, dtype=tf.int32), None, id="free"),
        pytest.param(lambda x: draw(x, 6000 * tf.shape(x)[0] // 2), None, id="computed-count"),
    ],
)
def test_rows_are_drawn_apart(tfjs_node: TfjsNode, function: Callable[[Any], Any], rows: int | None) -> None:
    """Of 6000 draws k ± 39 are expected at most: five times as far is no chance. Equal are 1/4 + 1/9 + 1/36 of them."""
    model = converted(function, tf.TensorSpec((rows, 4), tf.float32, name="x"))
    for backend in BACKENDS:
        drawn = tfjs_node.run(model, {"x": LOGITS}, backend)["out0"]
        assert drawn.shape == (2, 6000)
        for row in drawn:
            assert np.all(np.abs(np.bincount(row, minlength=4) - [0, 3000, 2000, 1000]) < 200)
        assert abs(np.sum(drawn[0] == drawn[1]) - 6000 * 14 / 36) < 200


def test_one_outcome_is_always_drawn(tfjs_node: TfjsNode) -> None:
    model = converted(lambda x: draw(x, 3), tf.TensorSpec((1, 1), tf.float32, name="x"))
    for backend in BACKENDS:
        assert tfjs_node.run(model, {"x": np.ones((1, 1), np.float32)}, backend)["out0"].tolist() == [[0, 0, 0]]


def test_one_row_stays() -> None:
    graph = traced(lambda x: draw(x, 3), tf.TensorSpec((1, 4), tf.float32, name="x"))
    assert run_passes(graph, [lower_multinomial.PASS])[0].applied == 0
