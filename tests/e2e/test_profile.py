"""Where the time goes, asked from Python and by a button, in a real browser."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.e2e.conftest import PICTURES
from tests.e2e.lab import Notebook
from tests.e2e.test_reader import AXE, violations
from tests.e2e.widget import Widget

#: One convolution that takes most of the time, between layers that take next to none.
HEAVY = (
    "inputs = keras.Input((48, 48, 8))\n"
    "x = keras.layers.Rescaling(0.5, name='light')(inputs)\n"
    "x = keras.layers.Conv2D(64, 7, name='heavy', activation='relu')(x)\n"
    "x = keras.layers.GlobalAveragePooling2D(name='pooled')(x)\n"
    "keras.Model(inputs, keras.layers.Dense(4, name='last')(x))"
)


def run_cells(notebook: Notebook, cell: str, *others: str) -> Widget:
    """Run the first cell and wait for the end of its benchmark."""
    notebook.set_cells([cell, *others])
    notebook.run(0)
    return Widget(notebook.cell(0)).wait_for("finished")


def wait_for_profile(widget: Widget, *, count: int = 1) -> Widget:
    """Wait until so many profiles are shown."""
    widget.root.locator(".tm-profiles .tm-title").nth(count - 1).wait_for(timeout=120_000)
    return widget


def first_rows(widget: Widget) -> list[list[str]]:
    """Return the first row of each table, cell by cell."""
    tables = widget.root.locator(".tm-profiles table")
    return [tables.nth(i).locator("tbody tr").first.locator("th, td").all_inner_texts() for i in range(tables.count())]


@pytest.mark.parametrize("form", ["layers", "graph"])
def test_python_awaits_it_and_page_and_python_agree(notebook: Notebook, form: str) -> None:
    cell = f"%%tfjs_convert --runs 12 --backend wasm,cpu --format {form}\n{HEAVY}"
    widget = run_cells(notebook, cell, "result = _.result", "profile = await result.profile('wasm')\nprofile")
    notebook.run(1)
    before = notebook.python("list(result.runs)")
    notebook.run(2)
    wait_for_profile(widget)
    row: dict[str, Any] = notebook.python("dict(profile.rows[0])")
    assert "Conv2D" in row["kernel"]
    assert row["layer"] == "heavy"
    assert row["share"] > 0.5
    assert notebook.python("profile.kernel_ms < profile.profiled_ms")
    ((kernel, *_, node),) = first_rows(widget)
    assert (kernel, node) == (row["kernel"], row["node"])
    assert "Conv2D" in notebook.text(2)
    assert notebook.python("list(result.live.result.runs)") == before
    (kept,) = notebook.python("__import__('json').loads(result.to_json())")["profiles"]
    assert kept["rows"][0] == row
    assert widget.status == "finished"


def test_asked_for_up_front_each_job_has_one_and_python_need_not_wait(notebook: Notebook) -> None:
    cell = f"%%tfjs_convert --runs 12 --backend wasm,cpu --profile\n{HEAVY}"
    widget = run_cells(notebook, cell, "pending = _.result.profile('cpu')", "frame = pending.result.to_dataframe()")
    wait_for_profile(widget, count=2)
    assert [row[0] for row in first_rows(widget)] == ["FusedConv2D"] * 2
    notebook.run(1)
    notebook.run(2)
    assert notebook.python("bool(frame.share.sum() <= 1.0001)")
    PICTURES.mkdir(parents=True, exist_ok=True)
    widget.root.screenshot(path=PICTURES / "profile.png")
    notebook.page.add_script_tag(path=AXE)
    assert violations(widget) == []


def test_stop_ends_it_and_the_numbers_stay(notebook: Notebook) -> None:
    widget = run_cells(notebook, f"%%tfjs_convert --runs 12 --backend wasm\n{HEAVY}")
    rows = widget.rows
    widget.press("Profile")
    widget.wait_for_text("profiling")
    widget.press("Stop")
    widget.root.locator(".tm-profiles .tm-error").wait_for()
    assert "The profile was stopped." in widget.notes
    assert (widget.rows, widget.status) == (rows, "finished")
    widget.press("Profile")
    wait_for_profile(widget)


@pytest.mark.slow
def test_a_gpu_without_a_timer_says_so(gpu_notebook: Notebook) -> None:
    widget = run_cells(gpu_notebook, f"%%tfjs_convert --runs 6 --backend webgl,webgpu --profile\n{HEAVY}")
    wait_for_profile(widget, count=2)
    text = widget.root.locator(".tm-profiles").inner_text()
    assert len(re.findall(r"offers no timer query here|by the GPU's own clock", text)) == 2
    assert {row[-1] for row in first_rows(widget)} <= {"heavy"}
