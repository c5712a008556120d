"""The saved notebook, as readers see it who have no kernel."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Locator, expect

from tests.e2e.lab import LabServer, Notebook
from tests.e2e.widget import Widget

MAX_SAVED_WIDGET_BYTES = 100_000


def test_saved_notebook_shows_plot_and_table_without_a_kernel(
    notebook: Notebook, lab: LabServer, browser: Browser, tmp_path: Path
) -> None:
    """In JupyterLab, and as a page of nbconvert with scripts off; while the widget lives, the static part hides."""
    magic = "%%tfjs_convert --runs 30 --backend wasm,cpu"
    notebook.set_cells([f"{magic}\ntests.models.small_cnn()", "_.result"])
    notebook.run(0)
    widget = Widget(notebook.cell(0)).wait_for("finished")
    median = widget.rows[0]["Median"].split("\n")[0]
    static = notebook.cell(0).locator(".tfjs-magic-static")
    expect(static.locator("img")).to_have_count(1)
    expect(static).to_be_hidden()
    assert notebook.python("len(json.dumps(_.get_state()))", after="import json") <= MAX_SAVED_WIDGET_BYTES
    saved = notebook.save()
    assert len(json.dumps(saved.cells[0])) <= 2 * MAX_SAVED_WIDGET_BYTES

    (lab.root / "reopened.ipynb").write_text((lab.root / notebook.name).read_text())
    reopened = Notebook(browser.new_context().new_page(), lab, "reopened.ipynb")
    reopened.open(kernel=False)
    static = reopened.cell(0).locator(".tfjs-magic-static")
    expect(static).to_be_visible()
    assert "median" in static.inner_text()
    assert_picture_is_drawn(static.locator("img"))
    reopened.close()

    page_file = tmp_path / "page.html"
    to_html(lab.root / notebook.name, page_file)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    static = page.locator(".tfjs-magic-static")
    expect(static).to_be_visible()
    assert "passed" in static.inner_text()
    svg = base64.b64decode((static.locator("img").get_attribute("src") or "").split(",")[1]).decode()
    for label in ("wasm", "cpu", f"median {median}"):
        assert label in svg
    context.close()


def assert_picture_is_drawn(image: Locator) -> None:
    """Assert that the browser accepts the picture."""
    width = image.evaluate("image => image.decode().then(() => image.naturalWidth)")
    assert width >= 300


def to_html(notebook: Path, target: Path) -> None:
    """Convert with nbconvert, as a user would."""
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--output", str(target), str(notebook)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
