"""What Python gets of a page: to be awaited, read or shown."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import types
from typing import Any

import pytest

from tests.bench.reports import PROFILE, task, task_report
from tests.bench.test_widget import DONE, _run, _tell, bundles  # noqa: F401 - a fixture
from tests.bench.tiny import tiny_model
from tfjs_magic.bench import pending as module
from tfjs_magic.bench import waiting
from tfjs_magic.bench.result import BenchmarkResult
from tfjs_magic.bench.widget import Benchmark
from tfjs_magic.benchmarking import benchmark
from tfjs_magic.errors import OptionError, RunError

ERROR = {"name": "Error", "message": "No timer <here>.", "stack": ""}


def finished() -> Benchmark:
    bench = benchmark(tiny_model(), backends="wasm", runs=3)
    _run(bench, DONE)
    return bench


def answer(bench: Benchmark, status: str = "done", **fields: Any) -> None:
    _tell(bench, "claim", again=False, choice=None, task=task())
    _tell(bench, "report_task", **task_report(status, **{"profile": PROFILE, **fields}))


def test_await_gives_the_profile_once_the_page_has_taken_it() -> None:
    async def cell() -> Any:
        bench = finished()
        pending = bench.result.profile()
        assert bench.snapshot["task"]["status"] == pending.status == "wanted"
        asyncio.get_running_loop().call_later(0.2, answer, bench)
        return await pending

    profile = asyncio.run(cell())
    assert (profile.model, profile.backend, profile.plain_ms, profile.median_ms) == ("tiny", "wasm", 2.25, 2)


def test_a_later_cell_reads_it_and_a_benchmark_that_ran_again_has_none() -> None:
    bench = finished()
    pending = bench.result.profile()
    answer(bench)
    assert pending.result.runs == 30
    _tell(bench, "claim", again=True, choice=None, task=None)
    with pytest.raises(RunError, match="ran again"):
        _ = pending.result


def test_a_result_writes_what_was_found_after_it_but_not_of_later_runs() -> None:
    bench = finished()
    result = bench.result
    answer(bench)
    assert [profile.runs for profile in result.profiles] == [30]
    assert [p.runs for p in BenchmarkResult.from_json(result.to_json()).profiles] == [30]
    assert "time per kernel" in result.to_html()
    _tell(bench, "claim", again=True, choice=None, task=None)
    assert result.profiles == ()


def test_without_an_answer_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "BLOCKED_TIMEOUT_S", 0.1)
    monkeypatch.setattr(waiting, "NOT_TAKEN_TIMEOUT_S", 0.1)
    pending = finished().result.profile()
    with pytest.raises(RunError, match="the profile is wanted: `await` it"):
        _ = pending.result

    async def cell() -> Any:
        return await pending

    with pytest.raises(RunError, match="no page took the profile within"):
        asyncio.run(cell())
    monkeypatch.setitem(sys.modules, "ipykernel", types.SimpleNamespace(version_info=(6, 31, 0)))
    with pytest.raises(RunError, match="in the next cell"):
        asyncio.run(cell())


@pytest.mark.parametrize("other", ["a task of the same benchmark", "another benchmark"])
def test_only_time_in_which_no_page_is_busy_counts(monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    monkeypatch.setattr(waiting, "NOT_TAKEN_TIMEOUT_S", 0.2)

    async def cell() -> Any:
        loop = asyncio.get_running_loop()
        if other == "another benchmark":
            bench, busy = finished(), benchmark(tiny_model(), backends="wasm", runs=3)
            _tell(busy, "claim", again=False, choice=None, task=None)
            loop.call_later(0.8, lambda: _tell(busy, "report", **DONE))
        else:
            bench = benchmark(tiny_model(), backends=["cpu", "wasm"], runs=3)
            _run(bench, DONE)
            cpu = task(job={"model": 0, "backend": "cpu", "feed": 0})
            _tell(bench, "claim", again=False, choice=None, task=cpu)
            ended = task_report("done", name=cpu, profile=PROFILE)
            loop.call_later(0.8, lambda: _tell(bench, "report_task", **ended))
        pending = bench.result.profile("wasm")
        loop.call_later(0.9, answer, bench)
        return await pending

    assert asyncio.run(cell()).runs == 30


def test_a_failure_is_the_pages_own_sentence() -> None:
    bench = finished()
    pending = bench.result.profile()
    answer(bench, "failed", error=ERROR, profile=None)
    with pytest.raises(RunError, match="No timer <here>"):
        _ = pending.result


def test_shown_in_a_cell_it_fills_itself_in_and_text_stays_text(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(module, "publish_display_data", lambda data, **fields: shown.append((data, fields)))
    bench = finished()
    pending = bench.result.profile()
    pending._ipython_display_()
    answer(bench, "failed", error=ERROR, profile=None)
    (first, opened), (second, updated) = shown
    assert first["text/plain"] == "The profile is wanted."
    assert second["text/html"] == "<p>No timer &lt;here&gt;.</p>"
    assert (updated["update"], updated["transient"]) == (True, opened["transient"])


def test_the_contender_must_be_clear() -> None:
    bench = benchmark({"a": tiny_model(), "b": tiny_model()}, backends=["wasm", "cpu"])
    _run(bench, DONE)
    result = bench.result
    assert result.profile("cpu", "b")._ticket.name["job"] == {"model": 1, "backend": "cpu", "feed": 0}
    with pytest.raises(OptionError, match="leave 2 contenders; expected one of 'a, cpu', 'a, wasm'"):
        result.profile("wasm")
    with pytest.raises(OptionError, match="no contender is webgl of any model; there are"):
        result.profile("webgl")


def test_the_one_that_did_not_pass_is_meant_where_nothing_is_said() -> None:
    bench = benchmark({"a": tiny_model(), "b": tiny_model()}, backends=["wasm", "cpu"])
    _run(bench, DONE)
    failed: Any = {"status": "failed", "note": "", "outputs": []}
    result = dataclasses.replace(bench.result, parity={("a", "wasm"): None, ("b", "cpu"): failed})
    assert result.divergence()._ticket.name == {
        "kind": "divergence",
        "job": {"model": 1, "backend": "cpu", "feed": 0},
    }
    both = dataclasses.replace(result, parity={("a", "wasm"): failed, ("b", "cpu"): failed})
    with pytest.raises(OptionError, match="leave 4 contenders"):
        both.divergence()


def test_a_result_from_a_file_has_no_page_to_ask() -> None:
    result = BenchmarkResult.from_snapshot(finished().snapshot)
    with pytest.raises(RunError, match="read from a file"):
        result.profile()
