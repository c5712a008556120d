"""The widget over a real ipywidgets model, with what it sends recorded."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from ipywidgets import Widget

from tests.bench.reports import done, job_report, report
from tests.bench.tiny import tiny_model
from tfjs_magic.bench import waiting
from tfjs_magic.bench import widget as module
from tfjs_magic.bench.widget import Benchmark
from tfjs_magic.benchmarking import benchmark, told_apart
from tfjs_magic.errors import OptionError, RunError

DONE = done(1, 2, 3)
ERROR = {"name": "TypeError", "message": "wasm is off", "stack": "at load"}
SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.fixture(autouse=True)
def bundles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stand in for the built files, which these tests do not run."""
    monkeypatch.setattr(module, "load_assets", dict)
    monkeypatch.setattr(module, "load_esm", lambda: "export default {}")
    monkeypatch.setitem(sys.modules, "ipykernel", types.SimpleNamespace(version_info=(7, 4, 0)))
    yield
    Widget.close_all()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is displayed, in order: {"data", "display_id", "update"}."""
    outputs: list[dict[str, Any]] = []

    def record(data: Any, *_: Any, transient: Any = None, update: bool = False, **__: Any) -> None:
        outputs.append({"data": data, "display_id": (transient or {}).get("display_id"), "update": update})

    monkeypatch.setattr(module, "publish_display_data", record)
    monkeypatch.setattr(module, "display", lambda bundle, **_: record(bundle))
    return outputs


def _tell(bench: Benchmark, kind: str, **fields: Any) -> None:
    bench._receive(bench, {"kind": kind, "id": 1, "page": "p", **fields}, [])


def _run(bench: Benchmark, report: Any) -> None:
    _tell(bench, "claim", again=False, choice=None, task=None)
    _tell(bench, "report", **report)


def test_the_page_gets_answers_and_the_traits_keep_the_state() -> None:
    bench = benchmark(tiny_model(), backends="wasm", runs=3)
    sent: list[Any] = []
    bench.send = lambda content, buffers=None: sent.append((content, buffers))
    _run(bench, DONE)
    assert [content["kind"] for content, _ in sent] == ["claim", "ack"]
    assert bench.snapshot["status"] == bench.status == "finished"
    assert bench.result.summary[0]["median_ms"] == 2
    assert bench.get_state()["_esm"] == "export default {}"
    assert len(json.dumps(bench.get_state())) < 10_000


def test_the_widget_comes_first_and_the_static_output_is_there_once(shown: list[dict[str, Any]]) -> None:
    bench = benchmark(tiny_model(), backends="wasm")
    bench._ipython_display_()
    view, static = shown
    assert "application/vnd.jupyter.widget-view+json" in view["data"]
    assert f'data-widget="{bench.widget_id}"><p>The benchmark was not run' in static["data"]["text/html"]
    assert static["data"]["text/plain"] == "The benchmark was not run: no browser opened it."
    bench._ipython_display_()
    _, _, _, gone, moved = shown
    assert (gone["data"], gone["display_id"], gone["update"]) == ({}, static["display_id"], True)
    assert moved["display_id"] != static["display_id"]


def test_the_static_output_is_filled_when_the_run_ends_and_again_with_the_picture(shown: list[dict[str, Any]]) -> None:
    bench = benchmark(tiny_model(), backends="wasm")
    bench._ipython_display_()
    _run(bench, DONE)
    assert "<table>" in shown[-1]["data"]["text/html"]
    assert shown[-1]["update"]
    _tell(bench, "picture", svg=SVG)
    assert "data:image/svg+xml;base64," in shown[-1]["data"]["text/html"]
    assert {output["display_id"] for output in shown[1:]} == {shown[1]["display_id"]}


def test_the_difference_from_before_stands_below(shown: list[dict[str, Any]]) -> None:
    first = benchmark({"m": tiny_model()}, backends="wasm")
    assert first.measured is None
    _run(first, done(*[2.0] * 9))
    first.close()
    bench = benchmark({"m": tiny_model()}, backends="wasm")
    bench.earlier = first.measured
    bench._ipython_display_()
    below = shown[-1]
    assert below["data"] == {"text/html": "", "text/plain": ""}
    _run(bench, done(*[1.0] * 9))
    told = shown[-1]
    assert (told["display_id"], told["update"]) == (below["display_id"], True)
    assert told["data"]["text/plain"].startswith("m, wasm takes 0.500 times as long as before")
    assert "Against the run before" in told["data"]["text/html"]


def test_await_shows_what_no_cell_has_shown(shown: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.InteractiveShell, "initialized", lambda: True)

    async def cell() -> Any:
        bench = benchmark(tiny_model(), backends="wasm")
        asyncio.get_running_loop().call_later(0.2, _run, bench, DONE)
        return await bench, await bench

    asyncio.run(cell())
    assert len([output for output in shown if not output["update"]]) == 2  # the view, and the static output below


def test_await_gives_the_result_once_the_page_has_finished() -> None:
    async def cell() -> Any:
        bench = benchmark(tiny_model(), backends="wasm")
        asyncio.get_running_loop().call_later(0.2, _run, bench, DONE)
        return await bench

    assert [run["latency_ms"] for run in asyncio.run(cell()).runs] == [1, 2, 3]


def test_await_without_a_browser_ends_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "NOT_TAKEN_TIMEOUT_S", 0.2)

    async def cell() -> Any:
        return await benchmark(tiny_model())

    with pytest.raises(RunError, match=r"no browser opened the widget .* not under nbconvert or papermill"):
        asyncio.run(cell())


def test_await_does_not_count_the_time_in_which_a_page_runs_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "NOT_TAKEN_TIMEOUT_S", 0.2)

    async def cell() -> Any:
        first, second = benchmark(tiny_model(), backends="wasm"), benchmark(tiny_model(), backends="wasm")
        _tell(first, "claim", again=False, choice=None, task=None)
        asyncio.get_running_loop().call_later(1.0, lambda: _tell(first, "report", **DONE))
        asyncio.get_running_loop().call_later(1.1, _run, second, DONE)
        return await second

    assert asyncio.run(cell()).status == "finished"


def test_await_on_ipykernel_6_says_what_works_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", types.SimpleNamespace(version_info=(6, 31, 0)))

    async def cell(bench: Benchmark) -> Any:
        return await bench

    bench = benchmark(tiny_model(), backends="wasm")
    with pytest.raises(RunError, match=r"Read result in the next cell"):
        asyncio.run(cell(bench))
    _run(bench, DONE)
    assert asyncio.run(cell(bench)).status == "finished"


def test_a_page_that_falls_silent_is_noticed_while_a_cell_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfjs_magic.bench.session.HEARTBEAT_TIMEOUT_S", 0.5)
    monkeypatch.setattr(module, "_TICK_S", 0.1)

    async def cell() -> Any:
        bench = benchmark(tiny_model(), backends="wasm")
        _tell(bench, "claim", again=False, choice=None, task=None)
        return await bench

    with pytest.raises(RunError, match="interrupted: the page that ran it was closed or reloaded"):
        asyncio.run(cell())


def test_result_before_the_end_names_the_state_and_what_to_do() -> None:
    bench = benchmark(tiny_model(), backends="wasm")
    with pytest.raises(RunError, match="is pending: no browser has opened the widget"):
        _ = bench.result
    _tell(bench, "claim", again=False, choice=None, task=None)
    with pytest.raises(RunError, match="is running: `await` it"):
        _ = bench.result


@pytest.mark.usefixtures("shown")
def test_result_waits_where_messages_arrive_while_the_cell_blocks() -> None:
    """As on ipykernel 7.0 to 7.3, where another thread hands them on."""
    bench = benchmark(tiny_model(), backends="wasm")
    bench._ipython_display_()
    timer = threading.Timer(0.3, _run, (bench, DONE))
    timer.start()
    assert bench.result.summary[0]["n"] == 3
    timer.join()


@pytest.mark.usefixtures("shown")
def test_result_gives_up_where_no_message_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "BLOCKED_TIMEOUT_S", 0.2)
    bench = benchmark(tiny_model(), backends="wasm")
    bench._ipython_display_()
    with pytest.raises(RunError, match="is pending"):
        _ = bench.result


def test_a_stopped_run_gives_the_runs_so_far() -> None:
    bench = benchmark(tiny_model(), backends="wasm")
    _run(bench, report(job_report(1, 2, 3, status="stopped"), status="stopped"))
    assert (bench.result.status, bench.result.summary[0]["n"]) == ("stopped", 3)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(report(status="failed", error=ERROR), id="everything"),
        pytest.param(report(job_report(status="failed", error=ERROR), status="finished"), id="every-job"),
    ],
)
def test_a_run_without_numbers_raises_the_browsers_error(told: Any) -> None:
    bench = benchmark(tiny_model(), backends="wasm")
    _run(bench, told)
    with pytest.raises(RunError, match="wasm is off") as error:
        _ = bench.result
    assert (error.value.js_name, error.value.js_stack) == ("TypeError", "at load")


def test_close_frees_the_model_and_keeps_the_numbers() -> None:
    bench = benchmark(tiny_model(), backends="wasm")
    _run(bench, DONE)
    bench.close()
    assert bench._session._contenders == ()
    assert bench.result.summary[0]["n"] == 3
    unfinished = benchmark(tiny_model())
    unfinished.close()
    with pytest.raises(RunError, match="it was closed before it ended"):
        _ = unfinished.result


def test_several_models_are_told_apart_by_label() -> None:
    bench = benchmark([tiny_model(), tiny_model(), tiny_model(name="other")], backends=["cpu", "wasm"])
    assert [card["label"] for card in bench.snapshot["models"]] == ["tiny", "tiny (2)", "other"]
    assert len(bench.snapshot["jobs"]) == 6
    named = benchmark({"a": tiny_model(), "b": tiny_model()})
    assert [card["label"] for card in named.snapshot["models"]] == ["a", "b"]
    assert repr(named) == "Benchmark(a, b)"


def test_no_model_is_lost_to_a_name_that_is_taken() -> None:
    bench = benchmark({1: tiny_model(), "1": tiny_model(), "half \ud800": tiny_model(), "\u202eb": tiny_model()})
    labels = [card["label"] for card in bench.snapshot["models"]]
    assert labels == ["1", "1 (2)", "half \\ud800", "\u202eb"]
    assert repr(bench) == r"Benchmark(1, 1 (2), half \ud800, \u202eb)"
    assert [*told_apart((label, None) for label in ("web (2)", "web", "web"))] == ["web (2)", "web", "web (3)"]
    with pytest.raises(OptionError, match="a model is called ' '; expected a name"):
        benchmark({" ": tiny_model()})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backends": "cuda"}, "backend 'cuda' does not exist"),
        ({"runs": 0}, "runs is 0"),
        ({"warmup": -1}, "warmup is -1"),
        ({"seed": -1}, "seed is -1; expected a whole number from 0"),
        ({"seed": "x"}, "seed is 'x'"),
        ({"samples": {"z": np.zeros((1, 4))}}, "samples name 'z'"),
    ],
)
def test_a_wrong_option_is_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        benchmark(tiny_model(), **options)


def test_no_model_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="models is empty"):
        benchmark([])
