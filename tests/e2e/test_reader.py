"""What a reader does with a finished widget: look closer, by pointer and keys, run something else, take it along."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.conftest import PICTURES
from tests.e2e.lab import REPOSITORY, THEMES, Notebook
from tests.e2e.widget import Widget, agree, result_expression

AXE = REPOSITORY / "js" / "node_modules" / "axe-core" / "axe.min.js"
_MODELS = "web = tfjs_magic.convert(tests.models.small_cnn()); q8 = tfjs_magic.convert(web, quantize='uint8')"
_RUNS = 12


@pytest.fixture
def finished(notebook: Notebook) -> Widget:
    """Two models on two backends."""
    notebook.set_cells([f"{_MODELS}\nbench = %tfjs_benchmark web q8 --backend wasm,cpu --runs {_RUNS}\nbench"])
    notebook.run(0)
    return Widget(notebook.cell(0)).wait_for("finished")


def violations(widget: Widget) -> list[str]:
    """Return what axe finds, a line each."""
    found: list[str] = widget.root.evaluate(
        "async root => (await axe.run(root)).violations.flatMap(({ id, nodes }) =>"
        " nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`))"
    )
    return found


def test_axe_finds_nothing_in_any_theme(notebook: Notebook, finished: Widget) -> None:
    """Light, dark and high contrast, wide and narrow, with everything unfolded."""
    page = notebook.page
    page.add_script_tag(path=AXE)
    finished.ask("Profile", "q8, wasm")
    expect(finished.root.locator(".tm-profiles .tm-title")).to_have_text("Time per kernel: q8, wasm")
    finished.ask("Find the layer", "q8, cpu")
    expect(finished.root.locator(".tm-layer-search")).to_contain_text("Error of each layer: q8, cpu")
    expect(finished.root.locator(".tm-layer-plot svg")).to_be_visible()
    expect(finished.root.get_by_role("button", name="Find the layer")).to_be_enabled()
    for summary in finished.root.locator("summary").all():
        summary.click()
    for badge in finished.root.locator(".tm-parity").all():
        badge.click()
    finished.root.locator(".tm-legend button").last.click()
    try:
        for theme in THEMES:
            notebook.use_theme(theme)
            for colors in ("none", "active"):
                page.emulate_media(forced_colors=colors)
                for width in (1280, 400):
                    notebook.show_sidebar(shown=width > 1000)
                    page.set_viewport_size({"width": width, "height": 1000})
                    finished.wait_until_drawn()
                    assert violations(finished) == [], (theme, colors, width)
                    name = f"axe-{theme.split()[1].lower()}-{colors}-{width}.png"
                    finished.root.screenshot(path=PICTURES / name)
    finally:
        page.emulate_media(forced_colors="none")
        page.set_viewport_size({"width": 1280, "height": 1000})
        notebook.use_theme(THEMES[0])
        notebook.show_sidebar(shown=True)


def test_another_theme_leaves_the_plot_as_wide_as_the_widget(notebook: Notebook, finished: Widget) -> None:
    """JupyterLab hides the page meanwhile: what has no width is not drawn."""
    plot = finished.root.locator(".tm-plot svg")
    before = plot.bounding_box()
    try:
        for theme in reversed(THEMES):
            notebook.use_theme(theme)
            finished.wait_until_drawn()
            assert plot.bounding_box()["width"] == before["width"]
    finally:
        notebook.use_theme(THEMES[0])


def test_what_ended_behind_another_tab_is_drawn_when_it_is_seen(notebook: Notebook) -> None:
    page = notebook.page
    notebook.set_cells([f"{_MODELS}\nbench = %tfjs_benchmark web --backend wasm --runs {_RUNS}\nbench"])
    notebook.run(0)
    widget = Widget(notebook.cell(0)).wait_for(("claiming", "running", "finished"))
    panel = page.evaluate("jupyterapp.shell.currentWidget.id")
    notebook.command("launcher:create")
    expect(widget.root).to_be_hidden()
    widget.wait_for("finished")
    page.evaluate("id => jupyterapp.shell.activateById(id)", panel)
    widget.wait_until_drawn()
    assert widget.run_dots.count() == _RUNS


def test_latencies_are_read_out_by_pointer_touch_and_keys(notebook: Notebook, finished: Widget) -> None:
    plot, tip = finished.root.locator(".tm-plot"), finished.root.locator(".tm-tip")
    expect(tip).to_be_hidden()
    run = _furthest_apart(notebook, "wasm")
    finished.run_dots.nth(run).hover(force=True)
    expect(tip).to_have_text(f"web, wasm, run {run + 1}: " + _milliseconds(notebook, "wasm", run))
    run = _furthest_apart(notebook, "cpu")
    _tap(notebook, finished.run_dots.nth(_RUNS + run))
    expect(tip).to_have_text(f"web, cpu, run {run + 1}: " + _milliseconds(notebook, "cpu", run))
    plot.focus()
    spoken = plot.get_by_role("status")
    for key, said in (
        ("ArrowRight", f"web, cpu, run {run + 2}: "),
        ("ArrowDown", f"q8, wasm, run {run + 2}: "),
        ("End", f"q8, wasm, run {_RUNS}: "),
    ):
        notebook.page.keyboard.press(key)
        expect(spoken).to_contain_text(said)
    expect(spoken).to_have_text(f"q8, wasm, run {_RUNS}: " + _milliseconds(notebook, "wasm", _RUNS - 1, "q8"))
    notebook.page.keyboard.press("Escape")
    expect(tip).to_be_hidden()


def _tap(notebook: Notebook, mark: Locator) -> None:
    box = mark.bounding_box()
    assert box is not None
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    devtools = notebook.page.context.new_cdp_session(notebook.page)
    devtools.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    devtools.detach()


def _furthest_apart(notebook: Notebook, backend: str) -> int:
    """Return the run, not the last, at which the dot of the first model lies furthest from all others."""
    places = [(name, model) for name in ("cpu", "wasm") for model in ("web", "q8")]
    web = _latencies(notebook, backend, "web")
    others = [_latencies(notebook, *place) for place in places if place != (backend, "web")]
    return max(range(_RUNS - 1), key=lambda run: min(abs(web[run] - other[run]) for other in others))


def _milliseconds(notebook: Notebook, backend: str, index: int, model: str = "web") -> str:
    return f"{float(f'{_latencies(notebook, backend, model)[index]:.3g}'):g} ms"


def _latencies(notebook: Notebook, backend: str, model: str) -> list[float]:
    """Return the latency of each run, in milliseconds."""
    latencies: list[float] = notebook.python(
        f"[r['latency_ms'] for r in bench.result.runs if (r['model'], r['backend'], r['phase'])"
        f" == ('{model}', '{backend}', 'run')]"
    )
    return latencies


def test_a_key_on_a_legend_row_hides_its_series(notebook: Notebook, finished: Widget) -> None:
    row = finished.root.locator(".tm-legend button").first
    assert finished.run_dots.count() == 4 * _RUNS
    row.focus()
    for key, pressed, series in ((" ", "false", 3), ("Enter", "true", 4)):
        notebook.page.keyboard.press(key)
        expect(row).to_have_attribute("aria-pressed", pressed)
        expect(finished.run_dots).to_have_count(series * _RUNS)
        expect(row).to_be_focused()


def test_other_backends_and_runs_can_be_chosen(notebook: Notebook, finished: Widget) -> None:
    finished.root.get_by_text("Choose backends and runs").click()
    finished.root.get_by_role("checkbox", name="cpu").uncheck()
    finished.root.get_by_role("spinbutton", name="Runs").fill("0")
    finished.press("Run again")
    assert finished.status == "finished", "the browser asks for a number from 1"
    finished.root.get_by_role("spinbutton", name="Runs").fill("6")
    finished.press("Run again")
    finished.wait_for("running")
    finished.wait_for("finished")
    result = notebook.python(result_expression("bench.result"))
    agree(finished, result)
    assert [(row["model"], row["backend"], row["n"]) for row in result["summary"]] == [
        ("web", "wasm", 6),
        ("q8", "wasm", 6),
    ]


def test_results_are_copied_and_saved(notebook: Notebook, finished: Widget, tmp_path: Path) -> None:
    """The clipboard may be refused; then the text is selected."""
    page = notebook.page
    saved = {}
    for kind in ("PNG", "SVG", "CSV", "JSON"):
        with page.expect_download() as download:
            finished.press(f"Save as {kind}")
        assert download.value.suggested_filename == f"web-vs-q8.{kind.lower()}"
        target = tmp_path / download.value.suggested_filename
        download.value.save_as(target)
        saved[kind] = target.read_bytes()
        PICTURES.mkdir(parents=True, exist_ok=True)
        (PICTURES / target.name).write_bytes(saved[kind])
    result = notebook.python(result_expression("bench.result"))
    assert json.loads(saved["JSON"]) == result
    rows = list(csv.DictReader(io.StringIO(saved["CSV"].decode(), newline="")))
    assert [{**row, "index": int(row["index"]), "latency_ms": float(row["latency_ms"])} for row in rows] == result[
        "runs"
    ]
    assert saved["PNG"].startswith(b"\x89PNG")
    assert b"web, wasm: median" in saved["SVG"]

    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('denied')) }")
    finished.press("Copy as Markdown")
    text = finished.root.get_by_label("The results as Markdown")
    expect(text).to_be_focused()
    assert "| web | wasm | passed |" in text.input_value()
    assert text.evaluate("area => area.selectionEnd - area.selectionStart") == len(text.input_value())
