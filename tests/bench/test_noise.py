"""Noise is named where it is, and nowhere else."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from tests.bench.test_result import ENVIRONMENT, snapshot_with
from tfjs_magic.bench.noise import noise_lines
from tfjs_magic.bench.result import BenchmarkResult
from tfjs_magic.bench.snapshot import new_snapshot
from tfjs_magic.bench.state import Snapshot


def _runs(count: int, *, spread: float = 0.03, drift: float = 1, seed: int = 0) -> list[float]:
    """Return runs of 10 ms with log-normal noise, whose last takes ``drift`` times as long as the first."""
    generator = np.random.default_rng(seed)
    return list(10 * np.exp(spread * generator.normal(size=count)) * np.linspace(1, drift, count))


def _lines(runs: list[float], **environment: Any) -> list[str]:
    snapshot: Snapshot = snapshot_with(runs)
    snapshot["environment"] = {**ENVIRONMENT, **environment}
    return noise_lines(snapshot)


@pytest.mark.parametrize("count", [1, 12, 50, 300])
def test_a_quiet_machine_is_passed_over(count: int) -> None:
    """As measured on one: a deviation of some percent, and a stall now and then."""
    for seed in range(50):
        runs = _runs(count, seed=seed)
        if count > 12:
            runs[count // 2] *= 5
        assert _lines(runs) == []


@pytest.mark.parametrize(
    ("runs", "environment", "says"),
    [
        pytest.param(
            _runs(50, spread=0.3), {}, r"wasm: the middle half .* spreads over \d\d % of the median", id="load"
        ),
        pytest.param(_runs(50, drift=1.4), {}, r"second half took 1\.\d\d to 1\.\d\d times .* gets warm", id="heat"),
        pytest.param(_runs(50, drift=0.75), {}, r"second half took 0\.\d+ to 0\.\d+ times .* warm-up", id="warm-up"),
        pytest.param([0.4] * 20, {}, r"one step of the browser's clock is 25 % of a run", id="clock"),
        pytest.param(_runs(20), {"hidden_ms": 2500.0}, r"^The tab was in the background for 2\.50 s", id="hidden"),
    ],
)
def test_each_sign_has_its_sentence(runs: list[float], environment: dict[str, Any], says: str) -> None:
    (line,) = _lines(runs, **environment)
    assert re.search(says, line)


def test_what_is_true_of_several_is_one_line() -> None:
    jobs: list[Any] = [{"model": 0, "backend": backend, "feed": 0} for backend in ("wasm", "cpu", "webgl", "webgpu")]
    snapshot = new_snapshot([{"label": "m", "format": "graph-model", "nbytes": 1}], jobs)
    snapshot["environment"] = ENVIRONMENT
    for i, state in enumerate(snapshot["jobs"]):
        state["run_ms"] = _runs(50, spread=0.3 + 0.1 * i)
    (line,) = noise_lines(snapshot)
    assert re.match(r"All 4: the middle half of the runs spreads over \d\d to \d\d % of the median;", line)
    snapshot["jobs"][1]["run_ms"] = _runs(50)
    (line,) = noise_lines(snapshot)
    assert line.startswith("wasm; webgl; 1 more: the middle half")
    snapshot["jobs"][2]["run_ms"] = _runs(50)
    (line,) = noise_lines(snapshot)
    assert line.startswith("wasm; webgpu: the middle half")


def test_batches_make_up_for_a_coarse_clock() -> None:
    snapshot = snapshot_with([0.4] * 20)
    snapshot["jobs"][0]["batch"] = 20
    assert noise_lines(snapshot) == []


@pytest.mark.parametrize("runs", [[], [0.0] * 20, [1.0] * 5 + [9.0] * 5])
def test_too_little_proves_nothing(runs: list[float]) -> None:
    assert _lines(runs) == []


def test_the_result_says_it_everywhere() -> None:
    snapshot = snapshot_with(_runs(50, spread=0.3))
    snapshot["warnings"] = noise_lines(snapshot)
    result = BenchmarkResult.from_snapshot(snapshot)
    (line,) = result.warnings
    assert line in repr(result)
    assert line in result._repr_html_()
    assert BenchmarkResult.from_json(result.to_json()).warnings == (line,)
