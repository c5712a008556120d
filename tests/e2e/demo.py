"""Runs a notebook in a real JupyterLab in headless Chromium, and shows what came out.

Usage: python -m tests.e2e.demo [NOTEBOOK]

Prints the latency table, writes screenshots and the executed notebook to build/demo/, and exits with 1 if anything in
the notebook or the widget failed. NOTEBOOK is notebooks/quickstart.ipynb if not given.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests.e2e.chromium import ChromiumMissingError, launch, require_chromium
from tests.e2e.lab import REPOSITORY, THEMES, LabServer, Notebook, errors_in
from tests.e2e.widget import Widget

TARGET = REPOSITORY / "build" / "demo"
#: A first import of TensorFlow on a cold disk is the longest part.
TIMEOUT_S = 600.0


def main() -> int:
    """Return the exit status."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "notebooks" / "quickstart.ipynb"
    try:
        executable = require_chromium()
    except ChromiumMissingError as error:
        print(f"The demo needs a browser: {error}", file=sys.stderr)
        return 1
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        print(f"Running {source.name} in JupyterLab in {executable} …", flush=True)
        server = LabServer(Path(home))
        try:
            problems = run(source, server, launch(playwright, executable), TARGET)
        finally:
            server.close()
    for problem in problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    print(f"Screenshots and the executed notebook are in {TARGET}.")
    return 1 if problems else 0


def run(source: Path, server: LabServer, browser: Browser, target: Path) -> list[str]:
    """Run the notebook, print its tables, put pictures and the executed notebook into ``target``.

    Returns:
        What went wrong, a sentence each.
    """
    if source.parent != server.root:
        shutil.copy(source, server.root)
    notebook = server.notebook(browser, name=source.name)
    problems: list[str] = []
    try:
        notebook.run_all(timeout_s=TIMEOUT_S)
        problems += widget_problems(notebook)
    except (AssertionError, PlaywrightError) as error:
        problems.append(f"the widget did not finish: {error}")
    take_pictures(notebook, target)
    executed = notebook.save()
    nbformat.write(executed, target / source.name)
    notebook.close()
    for table in tables(executed):
        print(f"\n{table}\n")
    return [*problems, *cell_problems(executed), *notebook.problems]


def widget_problems(notebook: Notebook) -> list[str]:
    """Wait for every widget; give what it says went wrong."""
    cells = [index for index in range(notebook.cell_count) if notebook.shows_widget(index)]
    views = notebook.page.locator("section.tfjs-magic")
    if not cells:
        return ["the notebook shows no widget."]
    problems = []
    for order, cell in enumerate(cells):
        notebook.scroll_to(cell)
        widget = Widget(views.nth(order).locator("xpath=.."))
        widget.wait_for("finished", timeout_s=TIMEOUT_S)
        problems += widget.root.locator(".tm-error").all_inner_texts()
        verdicts = {row["job"]: row["Against Python"] for row in widget.rows}
        problems += [f"{job}: {verdict}" for job, verdict in verdicts.items() if "passed" not in verdict]
    return problems


def cell_problems(executed: nbformat.NotebookNode) -> list[str]:
    """Return the errors in the cells' outputs, tracebacks and one-line ones."""
    outputs = [output for cell in executed.cells for output in cell.get("outputs", ())]
    return [error for output in outputs for error in errors_in(output)]


def tables(executed: nbformat.NotebookNode) -> list[str]:
    """Return the tables that the benchmarks left for readers without a kernel."""
    bundles = [one.data for cell in executed.cells for one in cell.get("outputs", ()) if "data" in one]
    return [one["text/plain"] for one in bundles if "tfjs-magic-static" in one.get("text/html", "")]


def take_pictures(notebook: Notebook, target: Path) -> None:
    """Write the page in light and dark, and the first widget by itself."""
    name = Path(notebook.name).stem
    for theme in THEMES:
        notebook.use_theme(theme)
        shade = theme.split()[1].lower()
        widget = notebook.page.locator("section.tfjs-magic").first
        if widget.count():
            widget.scroll_into_view_if_needed()
            widget.screenshot(path=target / f"{name}-widget-{shade}.png")
        notebook.page.screenshot(path=target / f"{name}-{shade}.png")
    notebook.use_theme(THEMES[0])


if __name__ == "__main__":
    sys.exit(main())
