"""Bounds break a build where an interval lies beyond them, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.test_result import snapshot_with
from tfjs_magic.bench import snapshot as states
from tfjs_magic.bench.result import BenchmarkResult
from tfjs_magic.commands.gates import Gates
from tfjs_magic.errors import OptionError

#: Twenty runs whose median is 10 ms, with an interval of about ± 0.5 ms.
RUNS = [9 + i * 0.1 for i in range(21)]


def _result(*, times: float = 1.0, label: str = "web") -> BenchmarkResult:
    snapshot = snapshot_with([times * run for run in RUNS])
    snapshot["models"][0]["label"] = label
    snapshot["status"] = "finished"
    return BenchmarkResult.from_snapshot(snapshot)


@pytest.mark.parametrize(("bound", "broken"), [(9.0, True), (9.6, False), (9.9, False), (11.0, False)])
def test_a_median_is_too_large_only_if_its_interval_is(bound: float, *, broken: bool) -> None:
    failures = Gates(max_median_ms=bound).failures(_result())
    assert len(failures) == broken
    if broken:
        assert failures[0].startswith("web, wasm: the median is 10.0 ms (95 %: 9.")
        assert failures[0].endswith("above the bound of 9 ms.")


@pytest.mark.parametrize(("times", "allowed", "broken"), [(1.5, 1.0, True), (1.5, 1.6, False), (1.02, 1.0, False)])
def test_slower_than_before(times: float, allowed: float, *, broken: bool) -> None:
    failures = Gates(earlier=_result(), max_ratio=allowed).failures(_result(times=times))
    assert len(failures) == broken
    if broken:
        assert failures[0].startswith("web, wasm takes 1.50 times as long as before (95 %: 1.")


def test_what_was_not_measured_before_breaks_it() -> None:
    (failure,) = Gates(earlier=_result(label="other")).failures(_result())
    assert failure == "the earlier result has no runs of 'web, wasm'."


def test_what_was_lost_or_is_wrong_breaks_it() -> None:
    running = snapshot_with(RUNS)
    running["models"][0]["label"] = "web"
    running["status"] = running["jobs"][0]["status"] = "running"
    lost = states.lose(running, {"name": "Error", "message": "Chrome was lost.", "stack": ""})
    assert Gates().failures(BenchmarkResult.from_snapshot(lost)) == ["web, wasm: Chrome was lost."]
    snapshot = snapshot_with(RUNS)
    snapshot["models"][0]["label"] = "web"
    snapshot["jobs"][0]["parity"] = {"status": "failed", "note": "Why.", "outputs": []}
    assert Gates().failures(BenchmarkResult.from_snapshot(snapshot)) == [
        "web, wasm: the outputs are not Python's. Why."
    ]


@pytest.mark.parametrize("bounds", [{"max_median_ms": 0.0}, {"max_median_ms": float("nan")}, {"max_ratio": -1.0}])
def test_a_bound_is_a_positive_number(bounds: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="expected a number above 0"):
        Gates(**bounds)


def test_too_few_runs_for_a_bound() -> None:
    Gates().check_runs(1)
    Gates(max_median_ms=1).check_runs(6)
    with pytest.raises(OptionError, match="runs is 5; a bound needs at least 6"):
        Gates(max_median_ms=1).check_runs(5)
