"""Convert many hostile files, each in a fork of its own: ``python -m tests.hostile.fork SEEDS SCRATCH FIRST END``.

Prints one line of JSON per case: what became of it, its CPU seconds, its peak of memory over this process, and what it
wrote where it should not. A case that converts leaves its model, one sample and what Python computes from it.
"""

from __future__ import annotations

import json
import math
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any, NoReturn

from tests.hostile.bend import SECRET, Bender
from tests.hostile.seeds import SEEDS

#: Far above what is asserted, so that a case that goes wrong takes neither the machine nor the night.
HARD_CPU_SECONDS = 20
HARD_WALL_SECONDS = 60
HARD_BYTES = 6 * 2**30


def run_cases(seeds: Path, scratch: Path, first: int, end: int) -> None:
    """Run the cases with these numbers."""
    _import_all()
    outside = scratch / "outside"
    outside.mkdir(parents=True, exist_ok=True)
    (outside / "secret").write_bytes(SECRET)
    for number in range(first, end):
        directory = scratch / f"case{number}"
        directory.mkdir()
        rng = random.Random(f"hostile {number}")
        name = sorted(SEEDS)[number % len(SEEDS)]
        path, done = Bender(rng, seeds, outside).bend(name, directory)
        row = {"number": number, "seed": name, "path": str(path), "bent": done, **_forked(path, SEEDS[name], directory)}
        row["written"] = sorted(one.name for one in outside.iterdir() if one.name != "secret")
        row["left"] = sorted(one.name for one in (directory / "tmp").iterdir())
        if row.get("result") != "converted":
            shutil.rmtree(directory, ignore_errors=True)
        print(json.dumps(row), flush=True)
        for one in row["written"]:
            (outside / one).unlink()


def _import_all() -> None:
    import h5py
    import keras
    import tensorflow as tf
    import tf_keras

    assert h5py
    assert keras
    assert tf
    assert tf_keras


def _forked(path: Path, outputs: tuple[str, ...], directory: Path) -> dict[str, Any]:
    (directory / "tmp").mkdir()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pid = os.fork()
    if pid == 0:
        _in_fork(path, outputs, directory)
    _, status, usage = os.wait4(pid, 0)
    report = directory / "report.json"
    row = json.loads(report.read_text()) if report.is_file() else {"result": f"died with {status}"}
    row["cpu_seconds"] = round(usage.ru_utime + usage.ru_stime, 2)
    row["peak_bytes"] = max(0, usage.ru_maxrss - before) * 1024
    return row


def _in_fork(path: Path, outputs: tuple[str, ...], directory: Path) -> NoReturn:
    """Convert it within hard limits, write what became of it, and end."""
    resource.setrlimit(resource.RLIMIT_CPU, (HARD_CPU_SECONDS, HARD_CPU_SECONDS))
    signal.alarm(HARD_WALL_SECONDS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + HARD_BYTES,) * 2)
    tempfile.tempdir = str(directory / "tmp")
    os.chdir(directory / "tmp")
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    warnings.simplefilter("ignore")
    try:
        row = _converted(path, outputs, directory)
    except BaseException as error:  # noqa: BLE001 - what is looked for
        row = {"result": "raw error", "message": f"{type(error).__name__}: {str(error)[:2000]}"}
        row["trace"] = traceback.format_exc()[-3000:]
    (directory / "report.json").write_text(json.dumps(row))
    os._exit(0)


def _converted(path: Path, outputs: tuple[str, ...], directory: Path) -> dict[str, Any]:
    import numpy as np

    from tests.models import samples_of
    from tfjs_magic import convert
    from tfjs_magic.errors import TfjsMagicError

    try:
        model = convert(path, outputs=outputs or None)
    except TfjsMagicError as error:
        return {"result": "refused", "message": str(error)}
    files = model.save(directory / "web")
    leaked = any(SECRET in file.read_bytes() for file in files.iterdir())
    feed = {}
    if model.reference is not None and all(_is_small(info.shape) for info in model.inputs):
        texts = {info.name for info in model.inputs if info.dtype == "string"}
        feed = {
            name: np.array([b"ant", b"dog", b"cow"], object) if name in texts else value
            for name, value in samples_of(model.inputs).items()
        }
        try:
            computed = model.reference(feed)
        except Exception as error:  # noqa: BLE001 - the model takes no such sample
            return {"result": "converted", "leaked": leaked, "reference": f"{type(error).__name__}: {error}"[:500]}
        np.savez(directory / "feed.npz", **feed)
        np.savez(directory / "computed.npz", **computed)
    return {"result": "converted", "leaked": leaked, "compared": bool(feed)}


def _is_small(shape: Any) -> bool:
    return shape is not None and math.prod(size or 8 for size in shape) < 10**6


if __name__ == "__main__":
    run_cases(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
