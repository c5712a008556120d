"""The comparison that every conformance test rests on."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.compare import assert_matches, assert_telling, relative_error
from tfjs_magic.artifacts import Array

INF = float("inf")


@pytest.mark.parametrize(
    ("actual", "expected", "error"),
    [
        pytest.param(np.array([1.0, 9.0]), np.array([1.0, 10.0]), 0.1, id="relative-to-the-largest"),
        pytest.param(np.array([0.5, 10.0]), np.array([0.0, 10.0]), 0.05, id="small-values-do-not-count-more"),
        pytest.param(np.zeros(2), np.zeros(2), 0.0, id="all-zero"),
        pytest.param(np.ones((1, 2)), np.ones(2), INF, id="shape"),
        pytest.param(np.array([np.nan, 1.0]), np.array([np.nan, 1.0]), 0.0, id="nan-in-place"),
        pytest.param(np.array([1.0, 1.0]), np.array([np.nan, 1.0]), INF, id="nan-missing"),
        pytest.param(np.array([np.nan, 1.0]), np.array([1.0, 1.0]), INF, id="nan-made"),
        pytest.param(np.array([np.inf]), np.array([-np.inf]), INF, id="sign-of-infinity"),
        pytest.param(np.array([1]), np.array([2]), INF, id="integers-are-exact"),
        pytest.param(np.array([1, 2]), np.array([1, 2]), 0.0, id="equal-integers"),
        pytest.param(np.array([b"a"], object), np.array([b"b"], object), INF, id="strings-are-exact"),
        pytest.param(np.zeros((0, 2)), np.zeros((0, 2)), 0.0, id="empty"),
        pytest.param(np.array([3j]), np.array([4j]), 0.25, id="complex"),
    ],
)
def test_relative_error(actual: Array, expected: Array, error: float) -> None:
    assert relative_error(actual, expected) == error


@pytest.mark.parametrize(
    "actual",
    [
        pytest.param({}, id="missing-output"),
        pytest.param({"y": np.ones(2, np.float32), "z": np.ones(2)}, id="extra-output"),
        pytest.param({"y": np.ones(2, np.int32)}, id="kind"),
        pytest.param({"y": np.ones((2, 1), np.float32)}, id="shape"),
        pytest.param({"y": np.array([1.0, 1.001], np.float32)}, id="value"),
    ],
)
def test_mismatch_fails(actual: dict[str, Array]) -> None:
    with pytest.raises(AssertionError):
        assert_matches(actual, {"y": np.ones(2, np.float32)})


def test_samples_with_nearly_equal_outputs_void_the_test() -> None:
    reference = {"y": np.ones(3)}
    with pytest.raises(AssertionError, match="void test: output 'y'"):
        assert_telling(reference, {"y": np.ones(3) * 1.0005})
    assert_telling(reference, {"y": np.ones(3) * 1.5})


def test_one_sample_is_void() -> None:
    with pytest.raises(AssertionError, match="one sample alone"):
        assert_telling({"y": np.ones(3)})
