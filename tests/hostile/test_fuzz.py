"""Bent files: each is refused in one sentence or gives right numbers, in 5 s of CPU and 1 GB, and touches nothing else.

``docs/trust.md`` says what is promised; ``bend.py`` how files are bent. A case is one number:
``python -m tests.hostile.fork SEEDS SCRATCH 17 18`` runs number 17 alone, on what ``tests.hostile.seeds`` wrote.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conformance import node
from tests.conformance.compare import assert_matches
from tests.conformance.node import JsError, TfjsNode
from tests.models import samples_of
from tfjs_magic import load

MOST_CPU_SECONDS = 5
MOST_BYTES = 2**30
FAST, SLOW = range(50), range(50, 1850)
#: What says that a limit of the system was met, not one of ours.
OUT_OF_MEMORY = ("MemoryError", "ResourceExhausted", "OOM when", "bad_alloc", "Unable to allocate")
ROOT = Path(__file__).parents[2]

pytest.importorskip("tf_keras", reason="tf_keras, the extra keras2, is not installed")


def _run(module: str, *arguments: object) -> str:
    command = [sys.executable, "-m", f"tests.hostile.{module}", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bent loop may have no end."""
    monkeypatch.setattr(node, "REPLY_TIMEOUT_S", 4)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("seeds")
    _run("seeds", directory)
    return directory


def _check(numbers: range, seeds: Path, scratch: Path, tfjs_node: TfjsNode) -> None:
    printed = _run("fork", seeds, scratch, numbers.start, numbers.stop)
    rows = [json.loads(line) for line in printed.splitlines() if line.startswith('{"number"')]
    assert [row["number"] for row in rows] == list(numbers)
    wrong = {row["number"]: found for row in rows if (found := _wrong(row) or _differs(row, scratch, tfjs_node))}
    assert wrong == {}, [row for row in rows if row["number"] in wrong]
    results = [row["result"] for row in rows]
    assert results.count("refused") > len(rows) / 3
    assert results.count("converted") > len(rows) / 10


def _wrong(row: dict[str, Any]) -> list[str]:
    found = []
    message = row.get("message", "")
    if row["result"] not in {"refused", "converted"}:
        found.append(row["result"])
    if "\n" in message or len(message) > 8100 or not message.isprintable():
        found.append("no sentence")
    if row["cpu_seconds"] > MOST_CPU_SECONDS:
        found.append(f"{row['cpu_seconds']} s")
    if row["peak_bytes"] > MOST_BYTES or any(text in message for text in OUT_OF_MEMORY):
        found.append(f"{row['peak_bytes']} bytes")
    if row["written"] or row["left"]:
        found.append(f"wrote {row['written']} and {row['left']}")
    if row.get("leaked"):
        found.append("read what it must not")
    return found


def _differs(row: dict[str, Any], scratch: Path, tfjs_node: TfjsNode) -> list[str]:
    """Compare what was converted with Python, or with its source where that is a TF.js model."""
    if row["result"] != "converted":
        return []
    directory = scratch / f"case{row['number']}"
    web, feed, expected = load(directory / "web"), {}, {}
    if row["seed"] in {"layers", "graph", "loop"}:
        if all(info.shape is not None for info in web.inputs):
            feed = samples_of(web.inputs)
            with contextlib.suppress(JsError, RuntimeError):  # TF.js refuses the source, or never ends
                expected = dict(tfjs_node.run(load(row["path"]), feed))
    elif row.get("compared"):
        feed = dict(np.load(directory / "feed.npz", allow_pickle=True))
        expected = dict(np.load(directory / "computed.npz", allow_pickle=True))
    if not any(np.size(array) for array in expected.values()):
        return []  # nothing to compare; TF.js fails on tensors without values here and there
    try:
        assert_matches(tfjs_node.run(web, feed), expected)
    except (AssertionError, JsError, RuntimeError) as error:
        return [f"{type(error).__name__}: {error}"[:500]]
    return []


@pytest.mark.timeout(600)
def test_bent_files(seeds: Path, tmp_path: Path, tfjs_node: TfjsNode) -> None:
    _check(FAST, seeds, tmp_path, tfjs_node)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("first", SLOW[::200])
def test_many_bent_files(seeds: Path, tmp_path: Path, tfjs_node: TfjsNode, first: int) -> None:
    _check(range(first, first + 200), seeds, tmp_path, tfjs_node)
