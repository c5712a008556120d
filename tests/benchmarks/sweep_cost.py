"""Measures what a sweep itself costs per model, over the conversion and the run that it is there for.

Usage: python -m tests.benchmarks.sweep_cost [--models 8] [--rounds 3] [--browser chrome]

Small Keras models in files are converted and run on wasm and cpu, in Node by default, in a browser if one is named:
directly, by ``convert`` and ``benchmark`` one after the other, and by a sweep. Everything has run once before. Per
model, medians over the rounds:

- on a thread of this process: the sweep's time less the direct one, also as processor time of this process;
- on a pool of one process, as ``workers=1`` makes it: the time that twice as many models take longer, which leaves
  out the start of the pool, less the direct one.

Limit: 0.3 s per model. Exits with 1 above it. A machine that does something else makes the noise larger than that.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

LIMIT_S = 0.3
BACKENDS = ("wasm", "cpu")


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--browser")
    arguments = parser.parse_args()
    count, browser = arguments.models, arguments.browser
    with tempfile.TemporaryDirectory() as place:
        twice = _sources(Path(place), 2 * count)
        once = dict([*twice.items()][:count])
        _direct(once, browser)
        rounds = [_round(once, twice, browser) for _ in range(arguments.rounds)]
    names = ("convert and run", "sweep on a thread, beyond that", "likewise, processor time", "sweep on a pool")
    medians = [statistics.median(values) for values in zip(*rounds, strict=True)]
    for name, value, limit in zip(names, medians, (None, LIMIT_S, LIMIT_S, LIMIT_S), strict=True):
        verdict = "" if limit is None else f"limit {limit} s" + ("" if value <= limit else "  EXCEEDED")
        print(f"{name:40} {value:7.3f} s per model  {verdict}")
    return int(max(medians[1:]) > LIMIT_S)


def _sources(place: Path, count: int) -> dict[str, str]:
    from tests import models

    model = models.small_cnn()
    found = {f"model {i}": str(place / f"{i}.keras") for i in range(count)}
    for path in found.values():
        model.save(path)
    return found


def _round(once: Mapping[str, str], twice: Mapping[str, str], browser: str | None) -> tuple[float, float, float, float]:
    count = len(once)
    direct_s, direct_cpu_s = _timed(lambda: _direct(once, browser))
    with ThreadPoolExecutor(1) as thread:
        sweep_s, sweep_cpu_s = _timed(lambda: _sweep(once, browser, executor=thread))
    pool_s, twice_s = (_timed(lambda these=these: _sweep(these, browser, workers=1))[0] for these in (once, twice))
    seconds = (
        direct_s,
        sweep_s - direct_s,
        sweep_cpu_s - direct_cpu_s,
        twice_s - pool_s - direct_s,
    )
    return tuple(one / count for one in seconds)  # type: ignore[return-value]


def _direct(sources: Mapping[str, str], browser: str | None) -> None:
    import tfjs_magic

    how: dict[str, Any] = {"browser": browser} if browser else {"browser": "node", "runs": 1, "warmup": 0}
    for label, path in sources.items():
        _ = tfjs_magic.benchmark({label: tfjs_magic.convert(path)}, backends=BACKENDS, **how).result


def _sweep(sources: Mapping[str, str], browser: str | None, **how: Any) -> None:
    import tfjs_magic

    table = tfjs_magic.sweep(sources, backends=BACKENDS, browser=browser, progress=None, **how)
    assert set(table["status"]) == {"measured" if browser else "verified"}, table


def _timed(action: Callable[[], None]) -> tuple[float, float]:
    began, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - began, time.process_time() - cpu


if __name__ == "__main__":
    sys.exit(main())
