"""What every step of a loop does with its part of the input, it does for all steps at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.passes.operands import random_array
from tfjs_magic.passes import join_steps

PASSES = [join_steps.PASS]
W, WT, B = (tf.constant(random_array(name, *shape)) for name, *shape in (("w", 5, 6), ("wt", 6, 5), ("b", 6)))
HALF, AXIS, P, V = (
    tf.constant(0.5),
    tf.constant(1),
    tf.constant(random_array("p", 2, 5)),
    tf.constant(random_array("v", 5)),
)
Step = Callable[[Any], Any]


def _recurrence(x: Any, step: Step, *, axis: int = 0) -> Any:
    """Return a state that depends on the order of what ``step`` makes of the parts."""
    state = tf.zeros([])
    for part in map(step, tf.unstack(x, axis=axis)):
        state = tf.tanh(state * 0.5 + part)
    return state


def _gates(row: Any) -> Any:
    one, two, three = tf.split(row @ W + B, 3, AXIS)
    return one * tf.sigmoid(two) - three


STEPS: Mapping[str, Step] = {
    "product": lambda row: row @ W,
    "transposed": lambda row: tf.matmul(row, WT, transpose_b=True),
    "bias": lambda row: tf.nn.bias_add(row @ W, B),
    "offset": lambda row: B + row @ W,
    "scalar": lambda row: row @ W + HALF,
    "gates": _gates,
}


@pytest.mark.parametrize("rows", [1, 3, None])
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_joins(tfjs_node: TfjsNode, step: Step, rows: int | None) -> None:
    check_lowering(tfjs_node, PASSES, lambda x: _recurrence(x, step), tf.TensorSpec((4, rows, 5), name="x"))


def test_joins_on_the_gpu(tfjs_node: TfjsNode) -> None:
    check_on_gpu(tfjs_node, lambda x: _recurrence(x, _gates), tf.TensorSpec((4, 2, 5), name="x"))


def test_is_right_without_rows(tfjs_node: TfjsNode) -> None:
    def function(x: Any) -> Any:
        none = x[:, tf.shape(x)[1] :]
        return tf.concat([_recurrence(none, _gates), x[0, :, :2]], 0)

    check_lowering(tfjs_node, PASSES, function, tf.TensorSpec((4, None, 5), name="x"))


NO_MATRIX = "a part is no matrix, or its number of columns is unknown"
NOT_ALIKE = "a part is not used like the others"


@pytest.mark.parametrize(
    ("function", "shape", "reason"),
    [
        pytest.param(lambda x: tf.add_n([r @ W for r in tf.unstack(x)[1:]]), (4, 2, 5), NOT_ALIKE, id="all-but-one"),
        pytest.param(
            lambda x: tf.add_n([r @ random_array(f"w{i}", 5, 6) for i, r in enumerate(tf.unstack(x))]),
            (4, 2, 5),
            NOT_ALIKE,
            id="other-weights",
        ),
        pytest.param(
            lambda x: tf.add_n([r + V if i else V - r for i, r in enumerate(tf.unstack(x))]),
            (4, 2, 5),
            NOT_ALIKE,
            id="another-op",
        ),
        pytest.param(lambda x: _recurrence(x, lambda r: r + V), (4, 5), NO_MATRIX, id="vectors"),
        pytest.param(lambda x: _recurrence(x, lambda r: r + V), (4, 2, 3, 5), NO_MATRIX, id="more-axes"),
        pytest.param(lambda x: _recurrence(x, lambda r: tf.matmul(r, W, transpose_a=True)), (4, 5, 2), None, id="T"),
        pytest.param(lambda x: _recurrence(x, lambda r: r + P), (4, 2, 5), None, id="per-row"),
        pytest.param(lambda x: _recurrence(x, lambda r: r @ W, axis=1), (2, 4, 5), None, id="along-another-axis"),
        pytest.param(lambda x: _recurrence(x, lambda r: r @ x[0, 0][:, None]), (4, 2, 5), None, id="computed"),
        pytest.param(lambda x: _recurrence(x, lambda r: tf.add_n(tf.split(r, 2, 0))), (4, 2, 5), None, id="rows-split"),
        pytest.param(lambda x: _recurrence(x, lambda r: r @ W), (1, 2, 5), None, id="one-step"),
    ],
)
def test_refuses(function: Any, shape: Any, reason: str | None) -> None:
    reasons = refusals(PASSES, function, tf.TensorSpec(shape, name="x"), lacking=False)
    assert reasons == ({reason} if reason else set())
