"""A sweep that measures in a real Chromium, from Python and from the shell."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import pytest

from tests.e2e.lab import REPOSITORY
from tfjs_magic import sweep

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("chromedriver")]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8,), name="x"), keras.layers.Dense(16, "relu"), keras.layers.Dense(4)])
    model.save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def test_rows_are_measured_and_compared(file: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        table = sweep(
            {"small": file, "absent": file.parent / "absent.keras"},
            {"quantize": [None, "uint8"]},
            backends=["wasm", "cpu"],
            browser="chrome",
            runs=8,
            executor=pool,
            progress=None,
        )
    assert table["status"].tolist() == ["measured", "measured", "refused", "refused"]
    assert table["wasm verdict"].tolist()[:2] == ["passed", "reported"]
    for backend in ("wasm", "cpu"):
        low, median, high = (table[f"{backend} {name}_ms"][0] for name in ("median_low", "median", "median_high"))
        assert 0 < low <= median <= high
    assert table["wasm error"][0] < 1e-5 < table["wasm error"][1]


def test_from_the_shell(file: Path) -> None:
    config = file.parent / "sweep.toml"
    config.write_text(
        'browser = "chrome"\nbackends = ["wasm"]\nruns = 6\nworkers = 1\ndirectory = "rows"\n'
        '[sources]\nsmall = "model.keras"\n'
    )
    command = [sys.executable, "-m", "tfjs_magic", "sweep", str(config), "--json"]
    first = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    (row,) = json.loads(first.stdout)
    assert (row["source"], row["status"], row["wasm verdict"]) == ("small", "measured", "passed")
    assert "1 of 1: small: measured" in first.stderr
    again = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert json.loads(again.stdout) == [row]
    assert "1 of 1 rows are there from before." in again.stderr
