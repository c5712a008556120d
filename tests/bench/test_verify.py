"""The verdict on the browser's outputs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tfjs_magic.bench.verify import ONE_DNN_NOTE, TOLERANCES, UNBOUNDED, as_foretold, compare

A = np.array([[1.0, 2.0, 4.0]], np.float32)
B = np.array([[-3.0, 2.0, 1.0]], np.float32)


def _compare(expected: list[Any], actual: list[Any], **options: Any) -> Any:
    options = {"backend": "wasm", "quantized": False, "tolerance": None, **options}
    parity = compare([{"y": e} for e in expected], [{"y": a} for a in actual], **options)
    json.dumps(parity, allow_nan=False)
    return parity


def test_one_good_output_does_not_vouch_for_one_without_numbers() -> None:
    feeds = [{"good": array, "bad": np.full_like(A, np.nan), "empty": A[:0]} for array in (A, B)]
    parity = compare(feeds, feeds, backend="wasm", quantized=False, tolerance=None)
    assert parity["status"] == "inconclusive"
    assert parity["note"].endswith("no value of 'bad' is finite.")
    halves = [{**feed, "bad": np.array([np.nan, 1, i])} for i, feed in enumerate(feeds)]
    assert compare(halves, halves, backend="wasm", quantized=False, tolerance=None)["status"] == "passed"


def test_equal_outputs_pass_without_a_note() -> None:
    parity = _compare([A, B], [A, B])
    assert (parity["status"], parity["note"]) == ("passed", "")
    (row,) = parity["outputs"]
    assert row["max_abs_error"] == row["max_rel_error"] == 0
    assert row["cosine"] == pytest.approx(1)
    assert row["top1_agreement"] == 1
    assert row["tolerance"] == TOLERANCES["wasm"]


def test_the_error_is_relative_to_the_largest_reference_value() -> None:
    off = A.copy()
    off[0, 0] += 0.5
    parity = _compare([A, B], [off, B])
    assert parity["status"] == "failed"
    assert parity["outputs"][0]["max_abs_error"] == 0.5
    assert parity["outputs"][0]["max_rel_error"] == 0.125


def test_gpus_get_more_room_than_cpus_and_the_users_bound_counts_before_the_table() -> None:
    off = A * np.float32(1 + 5e-4)
    assert _compare([A, B], [off, B])["status"] == "failed"
    assert _compare([A, B], [off, B], backend="webgl")["status"] == "passed"
    assert _compare([A, B], [off, B], backend=None)["status"] == "passed"
    assert _compare([A, B], [off, B], tolerance=1e-3)["status"] == "passed"


def test_a_quantized_model_is_reported_and_judged_only_by_the_users_bound() -> None:
    off = A * np.float32(1.1)
    parity = _compare([A, B], [off, B], quantized=True)
    assert parity["status"] == "reported"
    assert parity["outputs"][0]["max_rel_error"] == pytest.approx(0.1, rel=1e-3)
    assert _compare([A, B], [off, B], quantized=True, tolerance=0.01)["status"] == "failed"
    assert _compare([A, B], [off, B], quantized=True, tolerance=0.2)["status"] == "passed"


def test_nan_and_infinity_match_only_themselves() -> None:
    odd = np.array([[np.nan, np.inf, 4.0]], np.float32)
    assert _compare([odd, B], [odd, B])["status"] == "passed"
    for wrong in (A, np.array([[np.nan, -np.inf, 4.0]], np.float32)):
        parity = _compare([odd, B], [wrong, B])
        assert parity["status"] == "failed"
        assert "NaN or infinite" in parity["note"]
        assert parity["outputs"][0]["max_abs_error"] == UNBOUNDED


def test_another_shape_fails_with_a_sentence() -> None:
    parity = _compare([A, B], [A[0], B])
    assert parity["status"] == "failed"
    assert "shape (3,) in the browser; Python gives (1, 3)" in parity["note"]


@pytest.mark.parametrize(
    ("expected", "wrong"),
    [
        pytest.param(np.array([1, 2, 3], np.int64), np.array([1, 2, 4], np.int32), id="int"),
        pytest.param(np.array([True, False]), np.array([True, True]), id="bool"),
        pytest.param(np.array([b"a", b"b"], object), np.array(["a", "c"], object), id="string"),
    ],
)
def test_what_is_no_float_must_be_equal(expected: Any, wrong: Any) -> None:
    other = expected[::-1]
    right = expected.astype(np.int32) if expected.dtype == np.int64 else expected
    assert _compare([expected, other], [right, other])["status"] == "passed"
    parity = _compare([expected, other], [wrong, other])
    assert parity["status"] == "failed"
    assert "must be equal" in parity["note"]
    assert parity["outputs"][0]["max_abs_error"] == 1


def test_top1_agreement_counts_rows() -> None:
    assert _compare([A, B], [A, -B])["outputs"][0]["top1_agreement"] == 0.5
    assert _compare([A[:, :1], B[:, :1]], [A[:, :1], B[:, :1]])["outputs"][0]["top1_agreement"] is None


@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        pytest.param([A, A * np.float32(1 + 1e-6)], "their outputs differ by 9.5e-07 of the largest value", id="near"),
        pytest.param([A, A], "their outputs differ by 0.0e+00", id="outputs-that-do-not-move"),
        pytest.param([np.zeros_like(A)], "every value of every output is equal", id="flat"),
        pytest.param([np.full_like(A, np.nan)] * 2, "no value of any output is finite", id="nan"),
        pytest.param([np.array([1, 2])] * 2, "their outputs differ by 0.0e+00", id="integers"),
    ],
)
def test_what_proves_nothing_is_inconclusive(expected: list[Any], reason: str) -> None:
    for quantized in (False, True):
        parity = _compare(expected, expected, quantized=quantized)
        assert parity["status"] == "inconclusive"
        assert f"cannot tell right from wrong: {reason}" in parity["note"]


def test_an_error_a_hundred_times_smaller_than_what_samples_make_is_conclusive() -> None:
    """Softmax over a thousand classes before training: the outputs move by 0.05 %."""
    near = A * np.float32(1 + 5e-4)
    assert _compare([A, near], [A * np.float32(1 + 4e-6), near])["status"] == "passed"
    assert _compare([A, near], [A * np.float32(1 + 9e-6), near])["status"] == "inconclusive"
    assert _compare([A, near], [A * np.float32(1 + 5e-4), near])["status"] == "failed"


def test_a_single_sample_is_compared() -> None:
    assert (_compare([A], [A])["status"], _compare([A], [A])["note"]) == ("passed", "")


def test_the_likely_cause_is_named_only_where_it_can_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    assert _compare([A, B], [A * np.float32(1.001), B])["note"] == ONE_DNN_NOTE
    assert _compare([A, B], [A * np.float32(1.1), B])["note"] == "No rounding explains this error: please report it."
    note = _compare([A, B], [A * np.float32(1.1), B], quantized=True, tolerance=0.01)["note"]
    assert "error of 1.0e-01 exceeds your tolerance of 0.01" in note
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert _compare([A, B], [A * np.float32(1.001), B])["note"].startswith("No rounding explains this error")


def test_what_the_conversion_foretold_is_no_riddle() -> None:
    failed = _compare([A, B], [A * np.float32(1.1), B])
    told = as_foretold(failed, ("LSTM",), backend="webgpu")
    assert told["note"] == "The conversion said it: webgpu lacks or miscomputes LSTM."
    assert as_foretold(failed, (), backend="webgpu") == failed
    passed = _compare([A, B], [A, B])
    assert as_foretold(passed, ("LSTM",), backend="webgpu") == passed


def test_all_zero_references_take_the_absolute_error() -> None:
    zero = np.zeros((1, 3), np.float32)
    assert _compare([zero, A], [zero, A])["outputs"][0]["max_rel_error"] == 0
    assert _compare([zero, zero], [zero + 1, zero])["outputs"][0]["max_rel_error"] == 1
