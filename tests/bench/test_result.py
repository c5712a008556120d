"""The numbers, as the user gets them."""

from __future__ import annotations

import builtins
import json
import math
import statistics
from typing import Any

import numpy as np
import pytest

from tfjs_magic.bench.result import BenchmarkResult
from tfjs_magic.bench.snapshot import new_snapshot
from tfjs_magic.bench.state import Job, Snapshot, WireError

EVIL = "<img src=x onerror=alert(1)>"
ENVIRONMENT: Any = {
    "user_agent": EVIL,
    "platform": "Linux",
    "hardware_concurrency": 2,
    "device_memory_gb": None,
    "cross_origin_isolated": False,
    "clock_resolution_ms": 0.1,
    "worker": True,
    "worker_problem": "",
    "tfjs_version": "4.22.0",
    "hidden_ms": 0.0,
}


def snapshot_with(*runs_per_job: list[float], error: WireError | None = None) -> Snapshot:
    """Return a finished state with one job per list of runs."""
    backends: list[Any] = ["wasm", None][: len(runs_per_job)]
    jobs: list[Job] = [{"model": 0, "backend": backend, "feed": 0} for backend in backends]
    snapshot = new_snapshot([{"label": EVIL, "format": "graph-model", "nbytes": 1}], jobs)
    for state, runs in zip(snapshot["jobs"], runs_per_job, strict=True):
        state.update(status="done", run_ms=runs, warmup_ms=[9.0], first_ms=20.0, load_ms=5.0, error=error)
    snapshot.update(status="finished", environment=ENVIRONMENT)
    return snapshot


def test_every_timed_call_is_a_record() -> None:
    result = BenchmarkResult.from_snapshot(snapshot_with([1.0, 2.0], []))
    of_wasm = [run for run in result.runs if run["backend"] == "wasm"]
    assert [(run["phase"], run["index"], run["latency_ms"]) for run in of_wasm] == [
        ("first", 0, 20.0),
        ("warmup", 0, 9.0),
        ("run", 0, 1.0),
        ("run", 1, 2.0),
    ]
    assert {run["backend"] for run in result.runs} == {"wasm", "auto"}


def test_percentiles_that_the_sample_cannot_support_are_none() -> None:
    def row(runs: int) -> Any:
        return BenchmarkResult.from_snapshot(snapshot_with([float(i) for i in range(runs)])).summary[0]

    assert (row(9)["median_ms"], row(29)["p90_ms"], row(59)["p95_ms"], row(299)["p99_ms"]) == (4.0, None, None, None)
    assert row(30)["p90_ms"] == pytest.approx(np.percentile(range(30), 90))
    assert row(60)["p95_ms"] == pytest.approx(np.percentile(range(60), 95))
    assert row(300)["p99_ms"] == pytest.approx(np.percentile(range(300), 99))
    assert (row(10)["mean_ms"], row(10)["std_ms"]) == (statistics.fmean(range(10)), statistics.stdev(range(10)))


def test_the_interval_holds_the_median_in_95_of_100_cases() -> None:
    """The k-th value from below and from above enclose it unless fewer than k of the runs lie on one side."""
    assert BenchmarkResult.from_snapshot(snapshot_with([1.0] * 5)).summary[0]["median_low_ms"] is None
    for runs in range(6, 200):
        row = BenchmarkResult.from_snapshot(snapshot_with([float(i) for i in range(runs)])).summary[0]
        missed = [2 * sum(math.comb(runs, i) for i in range(k)) / 2**runs for k in range(runs // 2 + 2)]
        rank = int(row["median_low_ms"]) + 1
        assert row["median_high_ms"] == runs - rank
        assert missed[rank] <= 0.05 < missed[rank + 1]


def test_contenders_are_compared_round_by_round() -> None:
    load = [10.0 + i for i in range(20)]
    result = BenchmarkResult.from_snapshot(
        snapshot_with(load, [ms * (0.74 if i % 2 else 0.76) for i, ms in enumerate(load)])
    )
    (row,) = result.comparisons
    assert (row["backend"], row["baseline_backend"], row["rounds"]) == ("auto", "wasm", 20)
    assert (row["ratio"], row["low"], row["high"]) == (pytest.approx(0.75), pytest.approx(0.74), pytest.approx(0.76))
    sentence = "auto takes 0.750 times as long as wasm (95 %: 0.740–0.760)."
    assert sentence in repr(result)
    assert sentence in result._repr_html_()
    assert json.loads(result.to_json())["comparisons"] == [row]


def test_of_several_models_every_comparison_names_them() -> None:
    """Also that of two backends of the first one."""
    jobs: list[Any] = [{"model": m, "backend": b, "feed": 0} for m in (0, 1) for b in ("wasm", "cpu")]
    cards: list[Any] = [{"label": label, "format": "graph-model", "nbytes": 1} for label in ("web", "q8")]
    snapshot = new_snapshot(cards, jobs, [{"label": "", "examples": 1}] * 4)
    for state, ms in zip(snapshot["jobs"], (1.0, 2.0, 1.0, 4.0), strict=True):
        state.update(status="done", run_ms=[ms] * 10)
    snapshot.update(status="finished", environment=ENVIRONMENT)
    said = repr(BenchmarkResult.from_snapshot(snapshot)).splitlines()[-3:]
    assert [line.partition(" takes")[0].partition(" and")[0] for line in said] == ["web, cpu", "q8, wasm", "q8, cpu"]
    assert all("web, wasm" in line for line in said)


def test_what_did_not_take_turns_is_not_compared() -> None:
    few, alone, sequential = (
        snapshot_with([1.0] * 5, [1.0] * 5),
        snapshot_with([1.0] * 9),
        snapshot_with([1.0] * 9, [1.0] * 9),
    )
    sequential["environment"] = {**ENVIRONMENT, "worker": False}
    assert [BenchmarkResult.from_snapshot(s).comparisons for s in (few, alone, sequential)] == [(), (), ()]


@pytest.mark.parametrize(("factor", "least", "most"), [(1.0, 0, 5), (1.2, 95, 100)])
def test_a_noisy_machine_invents_no_difference_and_hides_no_large_one(factor: float, least: int, most: int) -> None:
    """Load that comes and goes falls on both, stalls and jitter on one: as on a laptop with another program running."""
    generator = np.random.default_rng(0)

    def times(load: Any) -> Any:
        stalls = 1 + 3 * (generator.random(len(load)) < 0.05) * generator.random(len(load))
        return load * stalls * np.exp(generator.normal(0, 0.1, len(load)))

    found = 0
    for _ in range(100):
        load = 10 * np.exp(np.cumsum(generator.normal(0, 0.1, 50)))
        snapshot = snapshot_with(list(times(load)), list(factor * times(load)))
        (row,) = BenchmarkResult.from_snapshot(snapshot).comparisons
        found += not row["low"] <= 1 <= row["high"]
    assert least <= found <= most


def test_a_job_without_runs_has_no_numbers() -> None:
    row = BenchmarkResult.from_snapshot(snapshot_with([])).summary[0]
    assert [row[key] for key in ("n", "median_ms", "p90_ms", "mean_ms", "min_ms")] == [0, None, None, None, None]


def test_dataframe_and_json_hold_every_run() -> None:
    result = BenchmarkResult.from_snapshot(snapshot_with([1.0, 2.0, 3.0]))
    frame = result.to_dataframe()
    assert list(frame.columns) == ["model", "backend", "series", "phase", "index", "latency_ms"]
    assert frame[frame["phase"] == "run"]["latency_ms"].median() == 2
    assert json.loads(result.to_json())["runs"] == list(result.runs)


def test_without_pandas_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = builtins.__import__

    def without_pandas(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return genuine(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_pandas)
    with pytest.raises(ImportError, match=r"pip install 'tfjs-magic\[dataframe\]'"):
        BenchmarkResult.from_snapshot(snapshot_with([1.0])).to_dataframe()


def test_names_and_errors_of_the_page_are_escaped() -> None:
    error: WireError = {"name": "Error", "message": EVIL, "stack": ""}
    result = BenchmarkResult.from_snapshot(snapshot_with([1.0], error=error))
    assert "<img" not in result._repr_html_()
    assert result._repr_html_().count("&lt;img") == 3


def test_a_software_gpu_is_labelled() -> None:
    snapshot = snapshot_with([1.0])
    snapshot["jobs"][0]["software"] = True
    assert "software: no GPU" in repr(BenchmarkResult.from_snapshot(snapshot))


def test_batch_sizes_are_series_with_a_throughput_each_and_compared_among_themselves() -> None:
    jobs: list[Any] = [{"model": 0, "backend": name, "feed": feed} for name in ("wasm", "cpu") for feed in (0, 2)]
    series: list[Any] = [{"label": f"batch {size}", "examples": size} for size in (1, 4)] * 2
    snapshot = new_snapshot([{"label": "m", "format": "graph-model", "nbytes": 1}], jobs, series)
    for state, ms in zip(snapshot["jobs"], (2.0, 4.0, 1.0, 8.0), strict=True):
        state.update(status="done", run_ms=[ms] * 10)
    snapshot.update(status="finished", environment=ENVIRONMENT)
    result = BenchmarkResult.from_snapshot(snapshot)
    assert [row["examples_per_s"] for row in result.summary] == [500, 1000, 1000, 500]
    assert [row["series"] for row in result.summary] == ["batch 1", "batch 4"] * 2
    pairs = [(row["backend"], row["baseline_backend"], row["ratio"]) for row in result.comparisons]
    assert pairs == [("cpu, batch 1", "wasm, batch 1", 0.5), ("cpu, batch 4", "wasm, batch 4", 2.0)]
    assert {*result.parity} == {("m", f"{name}, batch {size}") for name in ("wasm", "cpu") for size in (1, 4)}
    assert "examples/s" in repr(result).splitlines()[0]
    assert "wasm, batch 4" in repr(result)
    assert [run["series"] for run in result.runs[:10]] == ["batch 1"] * 10


def test_transfer_and_memory_stand_in_the_summary() -> None:
    snapshot = snapshot_with([1.0], [])
    memory: Any = {"model_nbytes": 60, "peak_nbytes": 104, "leaked_tensors": 0, "wasm_nbytes": None}
    snapshot["jobs"][0].update(transfer_ms=7.5, memory=memory)
    measured, other = BenchmarkResult.from_snapshot(snapshot).summary
    assert {key: measured[key] for key in ("transfer_ms", *memory)} == {"transfer_ms": 7.5, **memory}
    assert {other[key] for key in memory} == {None}
