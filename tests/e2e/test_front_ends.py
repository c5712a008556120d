"""Each front end beside JupyterLab: a widget converts, runs and shows its verdict."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.front_ends import shown
from tests.e2e.lab import Notebook7Server
from tests.e2e.widget import Widget, agree, result_expression

pytestmark = pytest.mark.timeout(600)
CONVERT = "%%tfjs_convert --backend wasm --runs 6 -o web\ntests.models.small_cnn()"
MARIMO = """
import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
    import tests.models
    import tfjs_magic

    web = tfjs_magic.convert(tests.models.small_cnn())
    bench = mo.ui.anywidget(tfjs_magic.benchmark(web, backends=["wasm", "cpu"], runs=6))
    bench
    return bench, mo


@app.cell
def _(bench, mo):
    mo.stop(bench.status != "finished", "not yet")
    mo.md(f"Python has {[(row['backend'], row['n'], row['parity']) for row in bench.result.summary]}")


app.run()
"""


@pytest.mark.slow
def test_notebook_7(browser: Browser, tmp_path: Path) -> None:
    _require("notebook")
    server = Notebook7Server(tmp_path)
    try:
        cells = ["%load_ext tfjs_magic\nimport tests.models", CONVERT, "bench = _"]
        notebook = server.notebook(browser, cells, name="n.ipynb")
        for index in range(3):
            notebook.run(index)
        widget = Widget(notebook.cell(1)).wait_for("finished")
        assert "✓ passed" in widget.row["Against Python"]
        agree(widget, notebook.python(result_expression("bench.result")))
        # Its own: it reads the settings of a plugin that it has not registered yet.
        assert [problem for problem in notebook.problems if "reading 'schema'" not in problem] == []
        notebook.close()
    finally:
        server.close()


@pytest.mark.slow
def test_voila(browser: Browser, tmp_path: Path) -> None:
    """Its own page, and extensions of JupyterLab that it cannot load, write to the console, which is not looked at."""
    _require("voila")
    cells = [nbformat.v4.new_code_cell(source) for source in ("%load_ext tfjs_magic\nimport tests.models", CONVERT)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "v.ipynb")
    with shown("voila", tmp_path / "v.ipynb") as address:
        page = browser.new_page()
        page.goto(address)
        widget = Widget(page.locator("body")).wait_for("finished")
        assert "✓ passed" in widget.row["Against Python"]
        assert widget.run_dots.count() == 6
        page.close()


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_marimo(browser: Browser, tmp_path: Path, theme: str) -> None:
    """A cell that reads the wrapped widget runs again when that has ended; the widget follows marimo's theme."""
    _require("marimo")
    app = tmp_path / "app.py"
    app.write_text(f'# /// script\n# [tool.marimo.display]\n# theme = "{theme}"\n# ///\n{MARIMO}')
    with shown("marimo", app) as address:
        page = browser.new_page(color_scheme="light")
        page.goto(address)
        widget = Widget(page.locator("body")).wait_for("finished")
        assert ["✓ passed" in row["Against Python"] for row in widget.rows] == [True, True]
        expect(page.get_by_text("Python has [('wasm', 6, 'passed'), ('cpu', 6, 'passed')]")).to_be_visible()
        beside = (
            "found => found.map(one => one.getBoundingClientRect().y - one.closest('th').getBoundingClientRect().y)"
        )
        assert all(0 <= y < 12 for y in widget.root.locator("table .tm-swatch").evaluate_all(beside))
        ink = widget.root.evaluate("root => getComputedStyle(root).color.match(/\\d+/g).map(Number)")
        assert min(ink) > 200 if theme == "dark" else max(ink) < 60
        page.close()


def _require(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed: pip install --group dev")
