"""A sweep as a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tfjs_magic import OptionError
from tfjs_magic.sweeping.config import read_config

_FILE = """browser = "http://grid:4444"
backends = ["wasm"]
runs = 9
directory = "rows"
samples = "x.npz"

[sources]
small = "small.keras"
hub = "https://tfhub.dev/google/x/1"

[options]
format = ["layers", "graph"]
quantize = ["none", "uint8"]
"""


def _read(tmp_path: Path, text: str) -> dict[str, Any]:
    path = tmp_path / "sweep.toml"
    path.write_text(text, encoding="utf-8")
    return read_config(path, lambda where: f"read {where}")


def test_a_file_holds_the_arguments(tmp_path: Path) -> None:
    assert _read(tmp_path, _FILE) == {
        "browser": "http://grid:4444",
        "backends": ["wasm"],
        "runs": 9,
        "directory": str(tmp_path / "rows"),
        "samples": f"read {tmp_path / 'x.npz'}",
        "sources": {"small": str(tmp_path / "small.keras"), "hub": "https://tfhub.dev/google/x/1"},
        "options": {"format": ["layers", "graph"], "quantize": [None, "uint8"]},
    }


def test_sets_one_by_one(tmp_path: Path) -> None:
    text = '[sources]\na = "a"\n[[options]]\n[[options]]\nquantize = "uint8"\n'
    assert _read(tmp_path, text)["options"] == [{}, {"quantize": "uint8"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_FILE.replace("backends", "bakends"), "line 2: 'bakends' is not known; did you mean 'backends'?"),
        (_FILE.replace("quantize", "quantise"), "line 13: 'quantise' is not known; did you mean 'quantize'?"),
        (_FILE.replace("[sources]", "[source]"), "line 7: 'source' is not known; did you mean 'sources'?"),
        ("runs = 3", "has no [sources]; expected label = "),
        (_FILE.replace("9", '"x"'), "line 3: runs is x; expected 1 to 100000."),
        (_FILE.replace("wasm", "wsm"), "line 2: backend 'wsm' does not exist"),
        (_FILE.replace("uint8", "uint4"), "line 13: quantize names 'uint4'; expected"),
        (_FILE.replace("runs", "workers").replace("9", "0"), "line 3: workers is 0; expected"),
        (_FILE.replace('"rows"', "3"), "line 4: 'directory' is 3; expected a path."),
        (_FILE.replace('"small.keras"', "{}"), "line 8: 'small' is {}; expected a path."),
        ("runs = ", "cannot be read as TOML: "),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OptionError, match=re.escape(message)):
        _read(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="cannot be read as TOML: No such file"):
        read_config(tmp_path / "absent.toml", str)


@pytest.mark.parametrize("options", ["3", "[1]", '"uint8"'])
def test_options_that_are_none_are_refused(tmp_path: Path, options: str) -> None:
    with pytest.raises(OptionError, match=r"line 1: options is .*; expected option → list of values"):
        _read(tmp_path, f'options = {options}\n[sources]\na = "a"\n')
