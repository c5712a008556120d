"""Save again and again, and be killed at every step: what is left must be whole. A program of its own, since it forks.

Usage: python -m tests.writers.killed DIRECTORY KILLS; KILLS says how often it is killed at random. Prints how often
it was killed, or raises what it finds.

A SavedModel is stood in for by files of its names: Keras would take half a second for each.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.graph_text import parse_graph, tfjs_model
from tests.passes.operands import operands
from tfjs_magic.model import TfjsModel, load
from tfjs_magic.writers import staging
from tfjs_magic.writers.keras_files import KerasFormat, write_keras

_KILLED = 9
_CALLS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "ctypes.dlsym"}
_FOREIGN = {"index.html": b"<!doctype html>", "group1-shard1of9.bin": b"precious"}


def _model(size: int) -> TfjsModel:
    """Make a model with shards of 64 bytes."""
    return tfjs_model(parse_graph(f"x: float32[{size}]\ny = AddV2(x, w)\nreturn y", operands(w=(size,))))


def killed_saves(root: Path) -> Iterator[None]:
    """Yield once per kill, after what it left was checked."""
    small, large = _model(2), _model(100)
    for number, (old, new, foreign) in enumerate(
        itertools.product((None, small, large), (small, large), ({}, _FOREIGN))
    ):
        for step in itertools.count(1):
            target = root / f"{number}-{step}" / "web"
            if foreign or old:
                target.mkdir(parents=True)
            for name, data in foreign.items():
                (target / name).write_bytes(data)
            if old is not None:
                old.save(target)
            if _saved_until(new, target, step):
                break
            _check(target, [old, new], foreign)
            new.save(target, overwrite=True)
            _check(target, [new], foreign)
            (group,) = json.loads((target / "model.json").read_bytes())["weightsManifest"]
            left = {path.name for path in target.iterdir()}
            assert left == {"model.json", *group["paths"], *foreign}, f"{left} at {target}"
            assert {path.name for path in target.parent.iterdir()} == {"web"}
            yield


def killed_at_random(root: Path, *, kills: int) -> Iterator[None]:
    """Likewise, killed from outside at moments of a save that a seed draws."""
    models, rng = [_model(2), _model(100)], random.Random(0)
    target, possible = root / "random" / "web", [None, *models]
    number = 0
    while number < kills:
        new = models[rng.randrange(2)]
        child = os.fork()
        if child == 0:
            new.save(target, overwrite=True)
            os._exit(0)
        time.sleep(rng.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        _check(target, possible, {})
        if (target / "model.json").exists():
            possible = [*models]  # it is never lost again
        if os.WIFSIGNALED(status):
            number += 1
            yield
        elif rng.random() < 0.3:
            shutil.rmtree(target)
            possible = [None, *models]
    models[0].save(target, overwrite=True)
    _check(target, models[:1], {})
    assert [path.name for path in target.parent.iterdir()] == ["web"]


def _saved_until(model: TfjsModel, target: Path, step: int) -> bool:
    return _runs_until(lambda: model.save(target, overwrite=True), step)


def _runs_until(save: Callable[[], object], step: int) -> bool:
    """Save in a process that dies at its n-th call of the system; whether it came to the end."""
    child = os.fork()
    if child == 0:
        calls = itertools.count(1)

        def die(event: str, _: object) -> None:
            if event in _CALLS and next(calls) == step:
                os._exit(_KILLED)

        sys.addaudithook(die)
        save()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, _KILLED}, f"the process ended with code {code}"
    return code == 0


def killed_saved_models(root: Path, *, exchange: bool) -> Iterator[None]:
    """Likewise for a SavedModel, with a system that lets directories change places, or without."""
    if not exchange:
        staging._exchanged = lambda *_: False
    for number, old in enumerate((None, "empty", "old")):
        for step in itertools.count(1):
            target = root / f"{exchange}-{number}-{step}" / "saved"
            target.parent.mkdir(parents=True)
            if old is not None:
                target.mkdir()
            if old == "old":
                _write_saved_model(target, "old")
            if _runs_until(lambda target=target: write_keras(_Keras("new"), target, _KERAS, overwrite=True), step):
                break
            found = _names_in(target)
            possible = [None if old is None else _NAMES_IN * (old == "old"), _NAMES_IN]
            # Between two renames the old one is out of place, and comes back.
            assert found in possible or (found is None and not exchange) or old == "empty", f"{found} at {target}"
            write_keras(_Keras("newest"), target, _KERAS, overwrite=True)
            assert _names_in(target) == _NAMES_IN
            assert {(target / name).read_text() for name in _NAMES_IN if name != "variables"} == {"newest"}
            assert [path.name for path in target.parent.iterdir()] == ["saved"]
            yield


class _Keras:
    def __init__(self, text: str) -> None:
        self._text = text

    def export(self, path: str, *, verbose: bool) -> None:
        assert not verbose
        Path(path).mkdir()
        _write_saved_model(Path(path), self._text)


_KERAS: KerasFormat = "keras_saved_model"
_NAMES_IN = ["saved_model.pb", "variables", "variables/variables.index"]


def _write_saved_model(path: Path, text: str) -> None:
    (path / "variables").mkdir()
    for name in ("variables/variables.index", "saved_model.pb"):
        (path / name).write_text(text)


def _names_in(path: Path) -> list[str] | None:
    """Return what is in a SavedModel, which has to be of one writing."""
    if not path.exists():
        return None
    found = sorted(one.relative_to(path).as_posix() for one in path.rglob("*") if ".partial" not in str(one))
    assert len({(path / name).read_text() for name in found if (path / name).is_file()}) <= 1, path
    return found


def _check(target: Path, possible: list[TfjsModel | None], foreign: dict[str, bytes]) -> None:
    """Assert that there is one of the models, whole, and all that others put there."""
    for name, data in foreign.items():
        assert (target / name).read_bytes() == data, f"{name} was touched in {target}"
    found = load(target) if (target / "model.json").exists() else None
    weights = None if found is None else found.read_weights(0, 10**9)
    assert weights in [None if model is None else model.read_weights(0, 10**9) for model in possible], target


if __name__ == "__main__":
    os.fsync = lambda _: None  # the system goes on; only the process ends
    scratch = Path(sys.argv[1])
    kills = [
        killed_saves(scratch),
        killed_at_random(scratch, kills=int(sys.argv[2])),
        *(killed_saved_models(scratch, exchange=exchange) for exchange in (True, False)),
    ]
    print(*(sum(1 for _ in each) for each in kills))
