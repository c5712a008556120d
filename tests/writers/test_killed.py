"""A process that is killed while it saves leaves a whole model or none; several at once disturb nobody."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tfjs_magic.model import load
from tfjs_magic.writers.staging import partial, remove_leftovers

_WRITER = """
import sys
from tests.writers.killed import _model
for turn in range(12):
    _model(int(sys.argv[2])).save(sys.argv[1], overwrite=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.parametrize("kills", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_killed_at_every_step(tmp_path: Path, kills: int) -> None:
    command = [sys.executable, "-m", "tests.writers.killed", tmp_path, str(kills)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    saves, at_random, exchanges, renames = map(int, done.stdout.split())
    assert saves >= 200
    assert at_random == kills
    assert min(exchanges, renames) >= 30


@pytest.mark.parametrize("there", [False, True])
def test_four_writers_at_once(tmp_path: Path, *, there: bool) -> None:
    target = tmp_path / "web"
    if there:
        target.mkdir()
    sizes = (2, 30, 70, 100)
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, target, str(size)]) for size in sizes]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    model = load(target)
    assert model.nbytes in {4 * size for size in sizes}
    (group,) = json.loads((target / "model.json").read_bytes())["weightsManifest"]
    assert {path.name for path in target.iterdir()} == {"model.json", *group["paths"]}
    assert [path.name for path in tmp_path.iterdir()] == ["web"]


def test_what_is_begun_is_no_leftover(tmp_path: Path) -> None:
    done = threading.Event()

    def clean() -> None:
        while not done.is_set():
            remove_leftovers(tmp_path, "web")

    cleaner = threading.Thread(target=clean)
    cleaner.start()
    try:
        for _ in range(500):
            with partial(tmp_path, "web") as staging:
                (staging / "model").mkdir()
    finally:
        done.set()
        cleaner.join()
    assert not list(tmp_path.iterdir())
