"""Roll, which TF.js lacks, becomes slices that change places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_roll

CASES: dict[str, Callable[[Any], Any]] = {
    "one-axis": lambda x: tf.roll(x, 1, 1),
    "axes-more-than-once": lambda x: tf.roll(x, [2, -9, 5], [1, 2, 2]),
    "integers-from-the-back": lambda x: tf.roll(tf.cast(9 * x, tf.int32), 3, -1),
    "all-the-way-round": lambda x: tf.roll(x, 6, 2),
}


@pytest.mark.parametrize("shape", [(2, 4, 6), (None, 4, 6)], ids=["static", "free"])
@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str, shape: Any) -> None:
    check_lowering(tfjs_node, [lower_roll.PASS], CASES[case], tf.TensorSpec(shape, name="x"))


@pytest.mark.parametrize(
    ("function", "shape", "reason"),
    [
        (lambda x: tf.roll(x, tf.cast(x[0, 0], tf.int32), 1), (2, 3), "the shift or the axis is computed"),
        (lambda x: tf.roll(x, 1, 1), (2, None), "the size of an axis that rolls is unknown"),
    ],
)
def test_refuses(function: Callable[[Any], Any], shape: Any, reason: str) -> None:
    assert refusals([lower_roll.PASS], function, tf.TensorSpec(shape, name="x")) == {reason}
