"""The commands that docs/ci.md shows are ones that the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tfjs_magic.cli import _parse
from tfjs_magic.flags import BENCHMARK
from tfjs_magic.options import BenchmarkOptions

TEXT = (Path(__file__).parents[1] / "docs" / "ci.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line.partition(" > ")[0], comments=True)
    for line in re.findall(r"^\s*(?:- run: )?tfjs-magic (.+)$", TEXT, re.MULTILINE)
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_command_is_understood(words: list[str]) -> None:
    arguments = _parse(words)
    if words[0] == "benchmark":
        given = {row.argument: getattr(arguments, row.argument) for row in BENCHMARK}
        BenchmarkOptions(**{name: value for name, value in given.items() if value is not None})


def test_there_are_some() -> None:
    assert len(COMMANDS) >= 10
