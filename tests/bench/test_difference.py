"""Two results next to each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tfjs_magic
from tests.bench.test_result import ENVIRONMENT, EVIL, snapshot_with
from tfjs_magic.bench.result import BenchmarkResult


def _result(*runs: Any, label: str = "web", **environment: Any) -> BenchmarkResult:
    snapshot = snapshot_with(*(list(map(float, series)) for series in runs))
    snapshot["models"][0]["label"] = label
    snapshot["environment"] = {**ENVIRONMENT, "user_agent": "Mozilla/5.0 Chrome/126.0 Safari/537.36", **environment}
    return BenchmarkResult.from_snapshot(snapshot)


def test_the_ratio_of_the_medians_has_an_interval() -> None:
    before, now = np.linspace(9, 11, 51), np.linspace(6.6, 8.2, 31)
    (row,) = tfjs_magic.compare(_result(now), _result(before)).rows
    assert (row["model"], row["backend"], row["n"], row["earlier_n"]) == ("web", "wasm", 31, 51)
    assert row["ratio"] == pytest.approx(0.74)
    assert 0.70 < row["low"] < 0.74 < row["high"] < 0.78
    text = repr(tfjs_magic.compare(_result(now), _result(before)))
    assert text.startswith("web, wasm takes 0.740 times as long as before (95 %: 0.7")
    assert "benchmark them together" in text


@pytest.mark.parametrize("runs", [(20, 20), (50, 15), (200, 50)])
@pytest.mark.parametrize("spread", [0.05, 0.5])
def test_the_interval_holds_the_true_ratio_in_95_of_100_cases(runs: tuple[int, int], spread: float) -> None:
    """Skewed noise with stalls, as latencies have it; the true ratio of the medians is 1.3."""
    generator = np.random.default_rng(0)

    def times(count: int) -> Any:
        return 10 * np.exp(spread * generator.gumbel(size=count)) * (1 + 3 * (generator.random(count) < 0.03))

    held = 0
    for _ in range(400):
        (row,) = tfjs_magic.compare(_result(1.3 * times(runs[0])), _result(times(runs[1]))).rows
        held += row["low"] <= 1.3 <= row["high"]
    assert held >= 0.94 * 400


def test_equal_runs_show_no_difference() -> None:
    result = _result(np.linspace(9, 11, 30))
    assert "web, wasm: no difference from before that these runs could show" in repr(tfjs_magic.compare(result, result))


def test_what_only_one_has_is_named() -> None:
    found = tfjs_magic.compare(_result([1] * 9, [1] * 9), _result([1] * 9))
    assert (found.only_now, found.only_earlier) == ((("web", "auto"),), ())
    assert "Only now: 'web, auto'." in repr(found)
    renamed = tfjs_magic.compare(_result([1] * 9, label="a"), _result([1] * 9, label="b"))
    assert repr(renamed).startswith("Nothing was measured in both")
    assert renamed.rows == ()


def test_too_few_runs_and_times_of_zero_give_no_interval() -> None:
    few = tfjs_magic.compare(_result([2] * 5), _result([1] * 9))
    assert (few.rows[0]["ratio"], few.rows[0]["low"]) == (2, None)
    assert "too few runs" in repr(few)
    assert tfjs_magic.compare(_result([1] * 9), _result([0] * 9)).rows[0]["ratio"] is None
    (partly,) = tfjs_magic.compare(_result([1] * 9), _result([0] * 4 + [1] * 5)).rows
    assert (partly["ratio"], partly["high"]) == (1, None)
    assert "the clock saw no time pass" in repr(tfjs_magic.compare(_result([0] * 9), _result([1] * 9)))


def test_another_environment_is_named() -> None:
    here = _result([1] * 9)
    assert tfjs_magic.compare(here, _result([1] * 9)).environment == ()
    there = _result([1] * 9, user_agent="Firefox/140.0", hardware_concurrency=8, clock_resolution_ms=0.005)
    assert tfjs_magic.compare(here, there).environment == (
        "Not the same browser: Chrome 126, before Firefox 140.",
        "Not the same number of threads: 2, before 8.",
        "Not the same clock step: 0.1 ms, before 0.005 ms.",
    )


def test_names_are_text() -> None:
    found = tfjs_magic.compare(_result([1] * 9, label=EVIL), _result([1] * 9, label=EVIL, platform=EVIL))
    assert "<img" not in found._repr_html_()
    assert "&lt;img" in found._repr_html_()
