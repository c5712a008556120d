"""A result as a page and its picture: safe, whole, and readable."""

from __future__ import annotations

import dataclasses
import html.parser
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.bench.test_result import EVIL, snapshot_with
from tfjs_magic.bench.result import BenchmarkResult
from tfjs_magic.bench.result_picture import MAX_MARKS, result_svg
from tfjs_magic.bench.static_output import checked_picture


def _runs(*latencies: float, model: str = "m", backend: str = "wasm") -> list[dict[str, Any]]:
    return [
        {"model": model, "backend": backend, "series": "", "phase": "run", "index": i, "latency_ms": v}
        for i, v in enumerate(latencies)
    ]


class _Tags(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


def test_half_surrogates_are_written_as_escapes(tmp_path: Path) -> None:
    result = BenchmarkResult.from_snapshot(snapshot_with([1.0]))
    row = {**result.summary[0], "parity": "half \ud800"}
    dataclasses.replace(result, summary=(row,)).to_html(tmp_path / "result.html")
    assert "half \\ud800" in (tmp_path / "result.html").read_text(encoding="utf-8")


def test_the_page_holds_picture_and_table_and_nothing_that_acts(tmp_path: Path) -> None:
    snapshot = snapshot_with([1.0, 2.0], [3.0])
    snapshot["models"][0]["label"] = f"</title></svg>{EVIL}<script>alert(1)</script>"
    path = tmp_path / "result.html"
    text = BenchmarkResult.from_snapshot(snapshot).to_html(path)
    assert path.read_text(encoding="utf-8") == text
    found = _Tags(text)
    assert {"svg", "table", "style"} <= {*found.tags}
    assert {*found.tags}.isdisjoint({"script", "img", "link", "iframe"})
    assert not [name for name in found.attributes if name.startswith("on") or name in {"src", "href"}]
    assert "default-src 'none'" in text
    assert "color-scheme:light dark" in text
    assert "alert(1)" in text  # as text


@pytest.mark.parametrize(
    "latencies",
    [[1.0], [0.0], [0.0, 1e12], [5e-324, 1.0], [3.0] * 100, [1e-4, 1e5], [9.99, 10.0, 10.01]],
    ids=str,
)
def test_every_run_is_within_the_picture(latencies: list[float]) -> None:
    svg = result_svg(_runs(*latencies) + _runs(*latencies[::-1], backend="<cpu>"))
    assert checked_picture(svg) == svg
    root = ET.fromstring(svg)
    marks = [path.get("d", "") for path in root.iter() if path.get("stroke-linecap")]
    places = [place.split() for d in marks for place in d.replace("h0", "").split("M")[1:]]
    assert len(places) == 2 * len(latencies)
    assert all(64 <= float(x) <= 708 and 12 <= float(y) <= 244 for x, y in places)


def test_several_have_bars_of_their_medians_with_intervals() -> None:
    def bars(*latencies: list[float]) -> list[float]:
        named = [_runs(*times, backend=f"b{i}") for i, times in enumerate(latencies)]
        root = ET.fromstring(result_svg([run for runs in named for run in runs]))
        return [float(rect.get("width", "")) for rect in root.iter() if rect.get("opacity")]

    assert bars([1.0] * 6) == []
    assert bars([1.0] * 6, [4.0] * 6) == [172.0, 688.0]
    assert bars([0.0], [0.0]) == [0.0, 0.0]
    with_intervals = result_svg(_runs(*[1.0] * 6) + _runs(*[2.0] * 5, backend="cpu"))
    assert with_intervals.count('stroke="currentColor" fill="none"') == 1


def test_a_name_that_a_line_does_not_hold_is_shortened() -> None:
    svg = result_svg(_runs(1.0, backend="x" * 100))
    assert f">{'x' * 59}…: median" in svg


def test_series_that_differ_much_get_a_logarithmic_axis() -> None:
    near, far = (result_svg(_runs(1.0, 1.0) + _runs(ms, ms, backend="cpu")) for ms in (4.0, 400.0))
    assert ">0 ms<" in near
    assert ">0 ms<" not in far
    assert ">100 ms<" in far


def test_more_runs_than_pixels_are_thinned() -> None:
    assert result_svg(_runs(*[1.0] * 10 * MAX_MARKS)).count("h0") == MAX_MARKS


def test_without_runs_there_is_no_picture() -> None:
    assert result_svg([]) == ""
