"""Arithmetic that TF.js lacks, or does in another way, becomes arithmetic that it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.compare import FLOAT32_TOLERANCE
from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_arithmetic

raw = tf.raw_ops
#: TF.js computes erf with a polynomial whose absolute error is 1.5e-7.
ERF_TOLERANCE = 1e-6


def _integers(x: Any) -> Any:
    return tf.cast(tf.abs(x) * 3, tf.int32) - 4


def _zeros(x: Any) -> Any:
    return tf.nn.relu(x)


CASES: dict[str, Callable[[Any], Any]] = {
    "AdjustContrastv2": lambda x: tf.image.adjust_contrast(x, 2.0),
    "Div": lambda x: raw.Div(x=_integers(x), y=_integers(x) * 0 - 3),
    "Erfc": tf.math.erfc,
    "FloorDiv": lambda x: (x // 0.3, (10 * x) // (x + 0.1)),
    "Inv": lambda x: raw.Inv(x=x),
    "Invert": lambda x: tf.bitwise.invert(_integers(x)),
    "LeftShift": lambda x: tf.bitwise.left_shift(_integers(x), 29),
    "Mod": lambda x: (raw.Mod(x=_integers(x), y=_integers(x) * 0 - 3), raw.Mod(x=x, y=x * 0 - 0.3)),
    "MulNoNan": lambda x: tf.math.multiply_no_nan(1 / _zeros(x), _zeros(x)),
    "RightShift": lambda x: tf.bitwise.right_shift(_integers(x), 1),
    "Rint": lambda x: tf.math.rint(4 * x) / 4,
    "Softsign": lambda x: (y := tf.nn.softsign(x), y * x, tf.nn.softsign(y)),
    "TruncateDiv": lambda x: tf.truncatediv(_integers(x), 3),
    "TruncateMod": lambda x: tf.truncatemod(_integers(x), -3),
    "Xdivy": lambda x: tf.math.xdivy(y := _zeros(x), y),
    "Xlog1py": lambda x: tf.math.xlog1py(y := _zeros(x), y - 1),
    "Xlogy": lambda x: tf.math.xlogy(y := _zeros(x), y),
}


@pytest.mark.parametrize("op", lower_arithmetic._FORMS)
def test_lowers(tfjs_node: TfjsNode, op: str) -> None:
    tolerance = ERF_TOLERANCE if op == "Erfc" else FLOAT32_TOLERANCE
    spec = tf.TensorSpec((2, 4, 6), name="x")
    check_lowering(tfjs_node, [lower_arithmetic.PASS], CASES[op], spec, tolerance=tolerance)


@pytest.mark.parametrize("bits", [lambda n: n, lambda _: [1, 2, 3], lambda _: 31], ids=["computed", "many", "too-many"])
def test_refuses_other_shifts(bits: Callable[[Any], Any]) -> None:
    function = lambda n: tf.bitwise.right_shift(n, bits(n))  # noqa: E731
    reasons = refusals([lower_arithmetic.PASS], function, tf.TensorSpec((3,), tf.int32, name="n"))
    assert reasons == {"the number of bits is computed, or differs per value"}
