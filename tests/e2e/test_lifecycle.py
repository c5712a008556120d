"""What happens around a run: Stop, running again, reloads, restarts, a busy kernel, several views."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.lab import Notebook
from tests.e2e.widget import Widget, agree, result_expression

#: Some milliseconds per run on wasm: slow enough to press a button in mid-run; and soon converted.
MODEL = (
    "keras.Sequential([keras.Input((48, 48, 8)), keras.layers.Conv2D(32, 5, activation='relu'),"
    " keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)])"
)
#: Weights that take seconds to travel.
LARGE = "keras.Sequential([keras.Input((5000,)), keras.layers.Dense(5000), keras.layers.Dense(2)])"
IMPORTS = "%load_ext tfjs_magic\nimport keras, gc, time, weakref"
ENDLESS = 100_000
#: Ends within seconds, and not before a button is pressed.
LONG = 1000

NewNotebook = Callable[[list[str]], Notebook]


def convert(runs: int, model: str = MODEL, options: str = "") -> str:
    return f"%%tfjs_convert --runs {runs} --backend wasm --format graph -o web {options}\n{model}"


def test_stop_in_a_second_run_keeps_what_was_measured(notebook: Notebook) -> None:
    notebook.set_cells([convert(LONG), "bench = _"])
    notebook.run(0)
    widget = Widget(notebook.cell(0)).wait_for("finished")
    notebook.run(1)
    assert not widget.is_enabled("Stop")
    widget.press("Run again")
    widget.wait_for("running").wait_for_runs(5)
    assert not widget.is_enabled("Run again")
    widget.press("Stop")
    widget.wait_for("stopped")
    count = widget.run_dots.count()
    assert 5 <= count < LONG
    notebook.wait_until(lambda: notebook.workers == [])
    assert widget.run_dots.count() == count, "it went on after Stop"
    notebook.wait_until(lambda: notebook.python("bench.status") == "stopped")
    result = notebook.python(result_expression("bench.result"))
    assert result["status"] == "stopped"
    agree(widget, result)
    assert widget.is_enabled("Run again")


def test_running_the_cell_again_replaces_the_widget_and_frees_the_model(notebook: Notebook) -> None:
    notebook.set_cells([convert(12, options="--save again --overwrite")])
    notebook.run(0)
    Widget(notebook.cell(0)).wait_for("finished")
    notebook.python("None", after="import gc, weakref; first = weakref.ref(web)")
    assert notebook.python("first() is web")
    notebook.run(0)
    widget = Widget(notebook.cell(0)).wait_for("finished")
    agree(widget, notebook.python(result_expression("_.result")))
    assert notebook.page.locator("section.tfjs-magic").count() == 1
    assert notebook.python("first() is None", after="gc.collect()")


def test_running_the_cell_again_in_mid_run_ends_the_old_run(notebook: Notebook) -> None:
    notebook.set_cells([convert(ENDLESS), "old = _"])
    notebook.run(0)
    Widget(notebook.cell(0)).wait_for_runs(3)
    notebook.run(1)
    notebook.set_source(0, convert(12))
    notebook.run(0)
    widget = Widget(notebook.cell(0)).wait_for("finished")
    assert widget.run_dots.count() == 12
    assert notebook.python("old.status") in {"interrupted", "stopped"}


def test_run_all_twice(notebook: Notebook) -> None:
    """Also with an ``await`` in the cell after the magic, though no cell ends before the run does."""
    notebook.set_cells([IMPORTS, convert(12), "result = await _\nresult.status", "web.nbytes"])
    for _ in range(2):
        notebook.run_all()
        assert notebook.text(2).strip() == "'finished'"
        agree(Widget(notebook.cell(1)).wait_for("finished"), notebook.python(result_expression("result")))


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(1, id="briefly"),
        pytest.param(45, id="beyond-every-timeout", marks=pytest.mark.slow),  # the client gives up after 40 idle ones
    ],
)
def test_busy_kernel_is_waited_for_and_named(notebook: Notebook, tmp_path: Path, seconds: int) -> None:
    """However long the cell below runs, and though JupyterLab's status then says "idle" (ipykernel 7's subshells)."""
    begun, go_on = tmp_path / "begun", tmp_path / "go_on"
    busy = (
        "import pathlib, time\n"
        f"pathlib.Path({str(begun)!r}).touch()\n"
        f"while not pathlib.Path({str(go_on)!r}).exists():\n"
        "    time.sleep(0.05)"
    )
    notebook.set_cells([convert(12), busy])
    notebook.start_all()
    waiting = notebook.cell(0).get_by_text(re.compile("Waiting for the kernel")).first
    notebook.wait_until(begun.exists)
    waiting.wait_for()
    notebook.page.wait_for_timeout(1000 * seconds)  # how long the cell runs is what is tested
    assert waiting.is_visible()
    go_on.touch()
    Widget(notebook.cell(0)).wait_for("finished")
    assert waiting.count() == 0


def test_reload_in_mid_run_shows_interrupted_and_restarts_only_on_request(notebook: Notebook) -> None:
    notebook.set_cells([convert(ENDLESS), "bench = _"])
    notebook.run(0)
    notebook.run(1)
    Widget(notebook.cell(0)).wait_for_runs(5)
    # The page reports four times a second.
    notebook.wait_until(lambda: notebook.python("len(bench.snapshot['jobs'][0]['run_ms'])") >= 5)
    notebook.save()
    notebook.reload()
    widget = Widget(notebook.cell(0)).wait_for("interrupted")
    assert "Interrupted" in widget.status_text
    kept = widget.run_dots.count()
    assert kept >= 5
    # A claim would have been sent when the view appeared, and answered before this.
    assert notebook.python("bench.status") == "interrupted"
    assert widget.status == "interrupted"
    assert widget.run_dots.count() == kept
    widget.press("Run again")
    widget.wait_for("running").wait_for_runs(3)
    widget.press("Stop")
    widget.wait_for("stopped")
    agree(widget, notebook.python(result_expression("bench.result")))


def test_kernel_restart_in_mid_transfer_says_what_to_do(new_notebook: NewNotebook) -> None:
    notebook = new_notebook([IMPORTS, convert(12, LARGE), convert(12)])
    notebook.run(0)
    notebook.run(1)
    widget = Widget(notebook.cell(1)).wait_for_text(r"downloading weights, [\d.]+ [KM]?B of 100 MB")
    notebook.restart_kernel()
    widget.wait_for("failed")
    assert "kernel restarted" in " ".join(widget.notes)
    assert "Run the cell again" in " ".join(widget.notes)
    notebook.run(0)
    notebook.run(2)
    agree(Widget(notebook.cell(2)).wait_for("finished"), notebook.python(result_expression("_.result")))


def test_second_tab_mirrors_the_first(notebook: Notebook) -> None:
    notebook.set_cells([convert(ENDLESS), "bench = _"])
    notebook.run(0)
    notebook.run(1)
    first = Widget(notebook.cell(0)).wait_for_runs(5)
    notebook.save()
    other = notebook.in_new_tab()
    second = Widget(other.cell(0)).wait_for("running")
    second.wait_for_text("In another tab: wasm: run ")
    assert not second.is_enabled("Run again")
    assert not second.is_enabled("Stop")
    before = second.run_dots.count()
    second.wait_for_runs(before + 5)
    notebook.page.bring_to_front()
    first.press("Stop")
    first.wait_for("stopped")
    other.page.bring_to_front()
    second.wait_for("stopped")
    agree(second, notebook.python(result_expression("bench.result")))
    assert [row["Median"] for row in second.rows] == [row["Median"] for row in first.rows]
    assert other.problems == []
    other.page.close()


def test_two_views_in_one_page_share_the_run(new_notebook: NewNotebook) -> None:
    notebook = new_notebook([IMPORTS, convert(ENDLESS)])
    notebook.run(0)
    notebook.run(1)
    Widget(notebook.cell(1)).wait_for_runs(3)
    notebook.select(1)
    notebook.command("notebook:create-output-view")
    views = notebook.page.locator("section.tfjs-magic")
    expect(views).to_have_count(2)
    first = Widget(notebook.cell(1))
    second = Widget(notebook.page.locator(".jp-LinkedOutputView"))
    second.wait_for("running").wait_for_runs(first.run_dots.count() + 3)
    second.press("Stop")
    second.wait_for("stopped")
    first.wait_for("stopped")
    assert first.run_dots.count() == second.run_dots.count()


def test_benchmarks_of_one_page_wait_for_each_other(notebook: Notebook) -> None:
    notebook.set_cells([convert(ENDLESS), convert(12)])
    notebook.run(0)
    running = Widget(notebook.cell(0)).wait_for_runs(3)
    notebook.run(1)
    queued = Widget(notebook.cell(1)).wait_for_text("Waiting for another benchmark")
    assert queued.run_dots.count() == 0
    running.press("Stop")
    queued.wait_for("finished")
    assert running.status == "stopped"
