"""What bounds measure, also of outputs that are infinite, no numbers, or of another shape than expected."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tfjs_magic.options import AutoQuantize
from tfjs_magic.quantization.loss import accuracy, agreement, class_numbers, largest_error, measure, meets, noise

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


def test_an_example_that_is_no_number_has_no_first_class() -> None:
    """NumPy's argmax takes NaN for the largest."""
    nan = np.array([[np.nan, np.nan], [2.0, 0.0]])
    assert agreement([WANT], [nan]) == 0.5
    assert accuracy([0, 0], nan) == 0.5
    auto = AutoQuantize(samples=WANT, min_top5=0.5)
    assert measure(auto, [WANT], [nan], None) == 0.5


def test_of_equal_values_the_first_are_the_largest() -> None:
    equal = np.ones((3, 9))
    auto = AutoQuantize(samples=WANT, min_top5=1.0)
    assert measure(auto, [equal], [equal], None) == 1
    assert measure(auto, [np.eye(9)[[8]]], [np.ones((1, 9))], None) == 0
    assert measure(auto, [np.eye(9)[[8]] > 0], [np.eye(9)[[8]] > 0], None) == 1


@pytest.mark.parametrize(
    ("labels", "fits"),
    [
        pytest.param([0, 2], True, id="classes"),
        pytest.param([[0], [2]], True, id="column"),
        pytest.param([0.0, 2.0], True, id="whole-numbers"),
        pytest.param([1, 3], False, id="from-one"),
        pytest.param([-1, 0], False, id="negative"),
        pytest.param([0, 0.5], False, id="fractions"),
        pytest.param([0, np.nan], False, id="nan"),
    ],
)
def test_labels_are_numbers_of_classes(labels: Any, fits: bool) -> None:  # noqa: FBT001
    assert (class_numbers(labels, np.ones((2, 3))) is not None) == fits
    assert class_numbers(labels, np.ones((2, 1))) is None
    assert class_numbers(labels, np.float32(1)) is None


def test_a_margin_is_a_share_of_the_way_from_float32_to_the_bound() -> None:
    labels = np.zeros(2)
    for bound in ({"min_accuracy": 0.8, "labels": labels}, {"metric": len, "min_metric": 0.8}):
        auto = AutoQuantize(samples=WANT, **bound)  # type: ignore[arg-type]
        assert meets(auto, 0.86, exact=0.9, margin=0.5)
        assert not meets(auto, 0.84, exact=0.9, margin=0.5)
        assert meets(auto, 0.8, exact=0.9)
        assert meets(auto, 0.8, exact=math.inf, margin=0.5)
    auto = AutoQuantize(samples=WANT, max_error=0.1)
    assert meets(auto, 0.05, exact=0.0, margin=0.5)
    assert not meets(auto, 0.06, exact=0.0, margin=0.5)
