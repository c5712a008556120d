"""Each backend, and a page that forbids workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e.lab import LabServer, Notebook
from tests.e2e.test_lifecycle import ENDLESS, MODEL
from tests.e2e.widget import Widget, agree, result_expression

NO_WORKERS = "frame-ancestors 'self'; worker-src 'none'"


def test_every_backend_runs_or_says_why_not(gpu_notebook: Notebook) -> None:
    """WebGL and WebGPU have no real GPU here, so they must say so, or say that they are absent."""
    options = "--runs 12 --backend cpu,wasm,webgl,webgpu --format graph"
    gpu_notebook.set_cells([f"%%tfjs_convert {options}\ntests.models.conv_bn_relu()", "bench = _"])
    gpu_notebook.run(0)
    gpu_notebook.run(1)
    widget = Widget(gpu_notebook.cell(0)).wait_for("finished")
    result = gpu_notebook.python(result_expression("bench.result"))
    agree(widget, result)
    rows = {row["backend"]: row for row in result["summary"]}
    shown = dict(zip(rows, widget.rows, strict=True))
    for name in ("cpu", "wasm", "webgl"):
        assert rows[name]["parity"] == "passed", rows[name]
        assert rows[name]["n"] == 12
    assert not rows["cpu"]["software"]
    assert rows["webgl"]["software"]
    assert "SwiftShader" in rows["webgl"]["device"]
    assert "SOFTWARE GPU" in shown["webgl"]["job"].upper()
    assert any("software GPU" in note for note in widget.notes)
    if rows["webgpu"]["status"] == "failed":
        assert "webgpu" in rows["webgpu"]["error"].lower()
        assert rows["webgpu"]["error"] in widget.root.inner_text()
    else:
        assert rows["webgpu"]["software"]
        assert rows["webgpu"]["parity"] == "passed"


def test_without_a_choice_a_software_gpu_is_passed_over(gpu_notebook: Notebook) -> None:
    gpu_notebook.set_cells(["%%tfjs_convert --runs 12\ntests.models.dense()"])
    gpu_notebook.run(0)
    widget = Widget(gpu_notebook.cell(0)).wait_for("finished")
    assert widget.row["job"].split()[0] == "wasm"
    assert widget.root.locator(".tm-software").count() == 0
    assert "webgl skipped" in widget.row["job"]


@pytest.fixture
def lab_without_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    server = LabServer(tmp_path_factory.mktemp("lab_without_workers"), csp=NO_WORKERS)
    yield server
    server.close()


def test_main_thread_where_workers_are_forbidden(lab_without_workers: LabServer, browser: Browser) -> None:
    """The run says so, is complete, and Stop works between two runs."""
    convert = "%%tfjs_convert --backend wasm --format graph --runs"
    cells = ["%load_ext tfjs_magic\nimport keras", f"{convert} 12\n{MODEL}", f"{convert} {ENDLESS}\n{MODEL}"]
    notebook = lab_without_workers.notebook(browser, cells, name="main_thread.ipynb")
    notebook.run(0)
    notebook.run(1)
    widget = Widget(notebook.cell(1)).wait_for("finished")
    result = notebook.python(result_expression("_.result"))
    agree(widget, result)
    assert result["environment"]["worker"] is False
    assert result["summary"][0]["parity"] == "passed"
    assert any("main thread" in note and "policy forbids workers" in note for note in widget.notes)
    notebook.run(2)
    endless = Widget(notebook.cell(2)).wait_for_runs(5)
    endless.press("Stop")
    endless.wait_for("stopped")
    notebook.close()
