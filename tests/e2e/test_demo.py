"""The story notebooks run from top to bottom, and the demo notices when one does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser

from tests.e2e import demo
from tests.e2e.lab import REPOSITORY, LabServer

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
#: What runs with the fast tests.
FAST = {"quickstart"}


@pytest.fixture(autouse=True)
def _no_kernels_left(lab: LabServer) -> Iterator[None]:
    before = lab.kernels()
    yield
    lab.shut_down_kernels(except_for=before)


@pytest.mark.parametrize(
    "source",
    [pytest.param(path, id=path.stem, marks=[] if path.stem in FAST else pytest.mark.slow) for path in NOTEBOOKS],
)
def test_story_runs(
    source: Path, lab: LabServer, browser: Browser, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It finishes without a problem, prints its table, and leaves pictures and the executed notebook."""
    assert demo.run(source, lab, browser, tmp_path) == []
    assert "median (ms)" in capsys.readouterr().out
    names = {path.name for path in tmp_path.iterdir()}
    assert {source.name, f"{source.stem}-widget-light.png", f"{source.stem}-dark.png"} <= names
    for cell in nbformat.read(source, as_version=4).cells:
        assert not cell.get("outputs"), "story notebooks are kept without outputs"


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        pytest.param("1 / 0", "ZeroDivisionError", id="traceback"),
        pytest.param("%tfjs_convert nothing", "UsageError", id="usage"),
    ],
)
def test_failures_are_noticed(cell: str, problem: str, lab: LabServer, browser: Browser, tmp_path: Path) -> None:
    source = lab.write("failing_source.ipynb", ["%load_ext tfjs_magic", cell])
    found = demo.run(source, lab, browser, tmp_path)
    assert any(problem in one for one in found), found
    assert any("no widget" in one for one in found), found
