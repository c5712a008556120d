"""What bounds measure, also of outputs that are infinite, no numbers, or of another shape than expected."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tfjs_magic.options import AutoQuantize
from tfjs_magic.quantization.loss import agreement, largest_error, measure, meets, noise

WANT = np.array([[1.0, -4.0], [2.0, 0.0]])


@pytest.mark.parametrize(
    ("have", "error"),
    [
        pytest.param(WANT, 0, id="same"),
        pytest.param(WANT + np.array([[0, 1], [0, 0]]), 0.25, id="relative-to-the-largest"),
        pytest.param(WANT + np.array([[0, np.inf], [0, 0]]), math.inf, id="infinite"),
        pytest.param(WANT[:1], math.inf, id="another-shape"),
    ],
)
def test_errors(have: Any, error: float) -> None:
    assert largest_error([WANT, WANT], [WANT, have]) == error
    assert noise([WANT, WANT], [WANT, have]) == pytest.approx(error * 4 / math.sqrt(21))


def test_the_same_infinity_is_no_error_and_hides_none() -> None:
    want, have = np.array([np.inf, 2.0]), np.array([np.inf, 3.0])
    assert largest_error([want], [have]) == 0.5
    assert noise([want], [have]) == 0.5


def test_nan_meets_nothing() -> None:
    have = np.array([np.nan, 1.0])
    assert math.isnan(largest_error([WANT[0]], [have]))
    for bound in ({"max_error": 9.0}, {"min_cosine": 0.0}):
        auto = AutoQuantize(samples=WANT, **bound)  # type: ignore[arg-type]
        for expected, actual in (([WANT[0]], [have]), ([WANT, WANT[0]], [WANT, have]), ([WANT[0], WANT], [have, WANT])):
            assert not meets(auto, measure(auto, expected, actual, None))


def test_agreement_counts_examples_of_the_worst_output() -> None:
    other = WANT[:, ::-1]
    assert agreement([WANT, WANT], [WANT, np.stack([WANT[0], other[1]])]) == 0.5
    assert agreement([WANT], [WANT[:1]]) == 0
    assert agreement([WANT, WANT[:, :1]], [WANT, WANT[:, :1]]) is None
    assert agreement([WANT[:, 0]], [WANT[:, 0]]) is None
