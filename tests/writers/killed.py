"""Save again and again, and be killed at every step: what is left must be whole. A program of its own, since it forks.

Usage: python -m tests.writers.killed DIRECTORY; prints how often it was killed, or raises what it finds.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.graph_text import parse_graph, tfjs_model
from tests.passes.operands import operands
from tfjs_magic.model import TfjsModel, load

_KILLED = 9
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


def _saved_until(model: TfjsModel, target: Path, step: int) -> bool:
    """Save in a process that dies at its n-th call of the system; whether it came to the end."""
    child = os.fork()
    if child == 0:
        calls = itertools.count(1)

        def die(event: str, _: object) -> None:
            if event in {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod"} and next(calls) == step:
                os._exit(_KILLED)

        sys.addaudithook(die)
        model.save(target, overwrite=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, _KILLED}, f"the process ended with code {code}"
    return code == 0


def _check(target: Path, possible: list[TfjsModel | None], foreign: dict[str, bytes]) -> None:
    """Assert that there is one of the models, whole, and all that others put there."""
    for name, data in foreign.items():
        assert (target / name).read_bytes() == data, f"{name} was touched in {target}"
    found = load(target) if (target / "model.json").exists() else None
    weights = None if found is None else found.read_weights(0, 10**9)
    assert weights in [None if model is None else model.read_weights(0, 10**9) for model in possible], target


if __name__ == "__main__":
    os.fsync = lambda _: None  # the system goes on; only the process ends
    print(sum(1 for _ in killed_saves(Path(sys.argv[1]))))
