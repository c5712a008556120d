"""Results from several devices share one table, one plot and one file."""

from __future__ import annotations

import pytest

from tests.bench.reports import PROFILE
from tests.bench.test_result import ENVIRONMENT, snapshot_with
from tfjs_magic import BenchmarkResult, OptionError, side_by_side


def _result(*runs: float, model: str = "web", user_agent: str = "Chrome/126") -> BenchmarkResult:
    snapshot = snapshot_with([*runs])
    snapshot["models"][0]["label"] = model
    snapshot["environment"] = {**ENVIRONMENT, "user_agent": user_agent}
    snapshot["status"] = "finished"
    snapshot["warnings"] = ["wasm: noisy."]
    snapshot["jobs"][0]["profile"] = PROFILE
    return BenchmarkResult.from_snapshot(snapshot)


def test_devices_name_the_rows() -> None:
    both = side_by_side({"phone": _result(30, 31, 32), "laptop": _result(3, 4, 5, user_agent="Firefox/140")})
    assert [(row["model"], row["median_ms"]) for row in both.summary] == [("phone", 31), ("laptop", 4)]
    assert set(both.parity) == {("phone", "wasm"), ("laptop", "wasm")}
    assert {run["model"] for run in both.runs} == {"phone", "laptop"}
    text = both.to_html()
    for word in ("phone, wasm: median 31 ms", "laptop, wasm: median 4 ms", "phone: TensorFlow.js", "Firefox 140"):
        assert word in text
    assert "laptop: wasm: noisy." in both.warnings
    assert [profile.model for profile in both.profiles] == ["phone", "laptop"]
    assert BenchmarkResult.from_json(both.to_json()) == both


def test_of_several_models_the_name_follows() -> None:
    both = side_by_side({"a": _result(1, model="small"), "b": _result(2, model="large")})
    assert [row["model"] for row in both.summary] == ["a, small", "b, large"]


def test_nothing_is_refused() -> None:
    with pytest.raises(OptionError, match="no results"):
        side_by_side({})
