"""``sweep``: every source with every set of options, on as many workers as there are."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfjs_magic.benchmarking import labelled
from tfjs_magic.errors import OptionError, reason_of
from tfjs_magic.headless.driver import check_target
from tfjs_magic.headless.target import read_target, shown
from tfjs_magic.options import DEFAULT_RUNS, Backend, BenchmarkOptions, Progress
from tfjs_magic.sweeping.grid import option_sets
from tfjs_magic.sweeping.store import Store
from tfjs_magic.sweeping.task import Row, Task, option_texts, perform
from tfjs_magic.sweeping.turns import check_turns
from tfjs_magic.tables import size_text

if TYPE_CHECKING:
    import pandas as pd

#: Each worker imports TensorFlow: more cost memory and bring little.
_MOST_WORKERS = 4


def sweep(
    sources: object,
    options: object = None,
    *,
    backends: Backend | Sequence[Backend] | None = None,
    browser: str | None = None,
    runs: int = DEFAULT_RUNS,
    min_time: float = 0,
    samples: object = None,
    tolerance: float | None = None,
    seed: int = 0,
    directory: str | Path | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: Progress | None = print,
) -> pd.DataFrame:
    """Convert every source with every set of options, compare each with Python, and measure it.

    ``sweep({"small": a, "large": "large.keras"}, {"quantize": [None, "uint8"]}, browser="chrome", backends=["wasm"])``
    has four rows. In a script, call it under ``if __name__ == "__main__":``, since workers import the script.

    Args:
        sources: Anything that ``convert`` takes, a list of these, or a mapping label → one of these. Workers get them
            pickled, as Keras models and paths can be.
        options: Option of ``convert`` → list of values, of which every combination is tried; or a list of sets.
        backends: As ``benchmark`` takes them, and so are the next ones.
        browser: Where it is measured, one model at a time, while no worker of this machine converts; without one
            each is only compared, in Node, if that is installed.
        runs: Timed runs per backend.
        min_time: Seconds spent in them.
        samples: The same for every source.
        tolerance: Bound on the error.
        seed: Seeds the samples.
        directory: Keeps each finished row as a JSON file; a sweep that is called again goes on from there.
        executor: Any ``concurrent.futures.Executor``, also those of Dask and ipyparallel; a pool of processes else.
        workers: Size of that pool; by default one per processor, at most 4.
        progress: Called with a line for each row that is done.

    Returns:
        One row per source and set, in their order: source, the options, status ("measured", "verified", "converted",
        "refused", "wrong", "failed"), note (why, in a sentence), browser, model_format, nodes, nbytes (of the weights),
        convert_s, and for each backend verdict, error (the largest, relative to the largest value of its output), and
        in milliseconds median, median_low and median_high (95 %), first and load: "wasm median_ms".

    Raises:
        ModuleNotFoundError: pandas is not installed (``pip install 'tfjs-magic[dataframe]'``).
        OptionError: An option has a value that does not exist; nothing has begun.
        RunError: What the browser needs is missing.
        SaveError: The directory cannot be written.
    """
    import pandas as pd  # noqa: PLC0415 - an extra

    measurement: dict[str, Any] = {
        "backends": [backends] if isinstance(backends, str) else backends,
        "browser": browser,
        "runs": runs,
        "min_time": min_time,
        "samples": samples,
        "tolerance": tolerance,
        "seed": seed,
    }
    sets = checked_sets(options, workers, measurement)
    tasks = [Task(label, source, one, measurement) for label, source in labelled(sources).items() for one in sets]
    if browser is not None:
        check_target(read_target(browser))
        check_turns()
    store = None if directory is None else Store(directory)
    rows = dict(store.found(tasks)) if store is not None else {}
    missing = [task for task in tasks if task not in rows]
    log = _Log(progress, total=len(tasks), missing=len(missing))
    with _pool(executor, workers, len(missing)) as pool:
        for task, row in _performed(pool, missing):
            rows[task] = row
            if store is not None and row["status"] != "failed" and not _may_be_the_network(task, row):
                store.keep(task, row)
            log.done(task, row)
    return pd.DataFrame([flat(rows[task]) for task in tasks])


def checked_sets(options: object, workers: object, measurement: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the sets of options of a sweep.

    Raises:
        OptionError: One of its arguments has a value that does not exist; the sentence begins with its name.
    """
    BenchmarkOptions(**measurement)
    if workers is not None and (not isinstance(workers, int) or workers < 1):
        raise OptionError(f"workers is {workers!r}; expected a number of processes from 1.")
    return option_sets(options)


def _performed(pool: Executor, tasks: Sequence[Task]) -> Iterator[tuple[Task, Row]]:
    """Yield rows as they are done; the others are given up if this ends before."""
    futures = {pool.submit(perform, task): task for task in tasks}
    try:
        for future in as_completed(futures):
            yield futures[future], _row(future, futures[future])
    finally:
        for future in futures:
            future.cancel()


def _may_be_the_network(task: Task, row: Row) -> bool:
    return row["status"] == "refused" and "://" in str(task.source)


def flat(row: Row) -> dict[str, Any]:
    """Return a row of the table: an option and a backend's number have a column each."""
    columns = {name: value for name, value in row.items() if name not in {"options", "backends", "environment"}}
    first = {"source": columns.pop("source"), **row["options"]}
    for backend, found in row.get("backends", {}).items():
        for name, value in found.items():
            unit = "" if name in {"verdict", "error", "note"} else "_ms"
            columns[f"{backend} {name}{unit}"] = value
    return first | {"status": columns.pop("status"), "note": columns.pop("note")} | columns


def _row(future: Future[Row], task: Task) -> Row:
    """Return what a worker found, or why it found nothing."""
    try:
        return future.result()
    except Exception as error:  # noqa: BLE001 - a worker that died, or an object that no process takes
        why = f"{type(error).__name__}: {reason_of(error)}"
        if isinstance(error, BrokenProcessPool):
            why = "its worker ended: out of memory, or a script that calls sweep outside of if __name__ == '__main__'"
        elif not isinstance(error, (MemoryError, OSError)):
            why += ". A worker gets the source pickled: save it and give its path, or use a ThreadPoolExecutor"
        browser = shown(task.measurement["browser"])
        row = {"source": task.label, "options": option_texts(task.options), "browser": browser}
        return {**row, "status": "failed", "note": f"{why}."}


@contextlib.contextmanager
def _pool(given: Executor | None, workers: int | None, tasks: int) -> Iterator[Executor]:
    """Yield the caller's own, which stays open, or a pool whose processes know nothing of this one's TensorFlow."""
    if given is not None:
        yield given
        return
    size = min(workers or min(os.cpu_count() or 1, _MOST_WORKERS), max(tasks, 1))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(size, mp_context=context, initializer=_end_with_parent) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _end_with_parent() -> None:
    """Let this worker end with the process that started it, also where that is killed."""

    def watch() -> None:
        if (parent := multiprocessing.parent_process()) is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _Log:
    """Says what is done and how long the rest may take."""

    def __init__(self, progress: Progress | None, *, total: int, missing: int) -> None:
        self._progress = progress
        self._total = total
        self._missing = missing
        self._found = 0
        self._began = time.monotonic()
        if progress is not None and missing < total:
            progress(f"{total - missing} of {total} rows are there from before.")

    def done(self, task: Task, row: Mapping[str, Any]) -> None:
        self._found += 1
        if self._progress is None:
            return
        rest = self._missing - self._found
        left = (time.monotonic() - self._began) / self._found * rest
        wait = f", about {math.ceil(left)} s left" if rest else ""
        self._progress(f"{self._total - rest} of {self._total}{wait}: {task.title}: {outcome(row)}")


def outcome(row: Mapping[str, Any]) -> str:
    """Return what became of a row, in a line."""
    if row["status"] not in {"measured", "verified", "converted"}:
        return f"{row['status']}: {row['note']}"
    backends = row.get("backends", {}).items()
    medians = [f"{found['median']:.3g} ms on {name}" for name, found in backends if found.get("median")]
    return ", ".join([row["status"], row["model_format"], size_text(row["nbytes"]), *medians])
