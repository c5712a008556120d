"""What a notebook's user expects without having read anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.lab import Notebook
from tests.e2e.test_lifecycle import ENDLESS, IMPORTS, LONG, convert
from tests.e2e.widget import Widget, agree, result_expression

NewNotebook = Callable[[list[str]], Notebook]


def test_await_in_the_cell_that_makes_the_benchmark_shows_it(notebook: Notebook) -> None:
    model = "web = tfjs_magic.convert(tests.models.small_cnn())\n"
    notebook.set_cells([f"{model}result = await tfjs_magic.benchmark({{'mine': web}}, backends='wasm', runs=12)"])
    notebook.run(0)
    widget = Widget(notebook.cell(0)).wait_for("finished")
    result = notebook.python(result_expression("result"))
    agree(widget, result)
    assert result["summary"][0]["model"] == "mine"


def test_running_a_cell_again_shows_the_difference_from_before(notebook: Notebook) -> None:
    notebook.set_cells([convert(12)])
    notebook.run(0)
    Widget(notebook.cell(0)).wait_for("finished")
    below = notebook.cell(0).get_by_text("Against the run before")
    assert below.count() == 0
    notebook.run(0)
    Widget(notebook.cell(0)).wait_for("finished")
    expect(below).to_be_visible()
    told = notebook.cell(0).locator("details", has_text="Against the run before").inner_text()
    assert "web, wasm" in told
    assert "95 %" in told
    assert notebook.python("tfjs_magic.compare(_.result, _.earlier).rows[0]['earlier_n']") == 12


def test_runs_go_on_until_the_time_is_reached_too(notebook: Notebook) -> None:
    notebook.set_cells(["%%tfjs_convert --runs 3 --min-time 1 --backend wasm,cpu\ntests.models.small_cnn()"])
    notebook.run(0)
    widget = Widget(notebook.cell(0)).wait_for("finished")
    result = notebook.python(result_expression("_.result"))
    agree(widget, result)
    for row in result["summary"]:
        assert row["n"] > 3
        assert row["n"] * row["batch"] * row["mean_ms"] >= 900  # batches grow
    assert len({row["n"] for row in result["summary"]}) == 1


def test_a_result_is_a_file_and_a_page(notebook: Notebook, browser: Browser, tmp_path: Path) -> None:
    notebook.set_cells([convert(12)])
    notebook.run(0)
    Widget(notebook.cell(0)).wait_for("finished")
    write = f"_.result.to_json({str(tmp_path / 'a.json')!r}); _.result.to_html({str(tmp_path / 'a.html')!r})"
    again = f"tfjs_magic.BenchmarkResult.from_json({str(tmp_path / 'a.json')!r}) == _.result"
    assert notebook.python(again, after=write)
    page = browser.new_page()
    page.goto((tmp_path / "a.html").as_uri())
    expect(page.locator("svg")).to_be_visible()
    expect(page.get_by_role("cell", name="wasm")).to_be_visible()
    page.close()


def test_after_a_restart_a_finished_result_stays_finished(new_notebook: NewNotebook) -> None:
    notebook = new_notebook([IMPORTS, convert(12)])
    notebook.run(0)
    notebook.run(1)
    widget = Widget(notebook.cell(1)).wait_for("finished")
    notebook.restart_kernel()
    widget.wait_for_text(r"^Finished\. The kernel has ended or restarted since: run the cell again")
    assert widget.status == "finished"
    assert widget.run_dots.count() == 12
    assert not widget.is_enabled("Run again")
    assert widget.notes == []


def test_a_lost_connection_is_called_that_and_the_run_goes_on(new_notebook: NewNotebook) -> None:
    notebook = new_notebook([IMPORTS, convert(LONG)])
    notebook.run(0)
    notebook.run(1)
    widget = Widget(notebook.cell(1)).wait_for_runs(3)
    notebook.page.context.set_offline(True)
    notebook.page.evaluate("lab.kernel().reconnect().catch(() => undefined), undefined")
    widget.wait_for_text("The connection to the kernel is lost")
    notebook.page.context.set_offline(False)
    notebook.page.evaluate("lab.kernel().reconnect().catch(() => undefined), undefined")
    widget.wait_for("finished")
    notebook.problems.clear()  # the browser tells that it was offline


def test_a_lost_gpu_is_called_that_and_the_next_backend_runs(gpu_notebook: Notebook) -> None:
    model = "tests.models.small_cnn()"
    gpu_notebook.set_cells([f"%%tfjs_convert --runs {ENDLESS} --backend webgl\n{model}"])
    gpu_notebook.run(0)
    widget = Widget(gpu_notebook.cell(0)).wait_for_runs(3)
    browser = gpu_notebook.page.context.browser
    assert browser is not None
    browser.new_browser_cdp_session().send("Browser.crashGpuProcess")
    widget.wait_for("finished")
    assert "The browser lost the GPU" in " ".join(widget.notes)
    gpu_notebook.set_cells([f"%%tfjs_convert --runs 12 --backend wasm\n{model}"])
    gpu_notebook.run(0)
    Widget(gpu_notebook.cell(0)).wait_for("finished")
    gpu_notebook.problems.clear()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("%tfjs_convert web --met", ["--metadata", "--metric"]),
        ("b = %tfjs_benchmark web --backend wasm,webg", ["webgl", "webgpu"]),
    ],
)
def test_tab_offers_what_fits_and_nothing_else(notebook: Notebook, typed: str, offered: list[str]) -> None:
    notebook.set_cells([""])
    notebook.cell(0).locator(".cm-content").click()
    notebook.page.keyboard.type(typed)
    notebook.page.keyboard.press("Tab")
    items = notebook.page.locator(".jp-Completer .jp-Completer-match")
    expect(items).to_have_text(offered)
    notebook.page.keyboard.press("Escape")


def test_help_is_shown(notebook: Notebook) -> None:
    notebook.set_cells(["%tfjs_convert --help"])
    notebook.run(0)
    assert "Convert a model to TensorFlow.js" in notebook.text(0)


def test_texts_are_drawn_from_the_models_own_words(notebook: Notebook) -> None:
    model = "keras.Sequential([keras.Input((3,), dtype='string'), keras.layers.StringLookup(vocabulary=[*'abcdefgh'])])"
    notebook.set_cells([f"%%tfjs_convert --runs 12 --backend wasm,cpu\n{model}"])
    notebook.run(0)
    widget = Widget(notebook.cell(0)).wait_for("finished")
    assert ["passed" in row["Against Python"] for row in widget.rows] == [True, True]
