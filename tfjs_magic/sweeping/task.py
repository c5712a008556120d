"""One row: a source that is converted with one set of options, compared with Python, and measured."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tfjs_magic.bench.result import BenchmarkResult
from tfjs_magic.benchmarking import benchmark
from tfjs_magic.errors import RunError, TfjsMagicError, reason_of
from tfjs_magic.headless.node import find_node
from tfjs_magic.model import TfjsModel
from tfjs_magic.options import NODE, NODE_BACKENDS
from tfjs_magic.pipeline import convert
from tfjs_magic.sweeping.identity import identity
from tfjs_magic.sweeping.turns import converting, measuring

#: What is kept of a backend's latencies, in milliseconds.
_TIMES = ("median", "median_low", "median_high", "first", "load")
#: A row of the table, as JSON holds it.
Row = dict[str, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """What a worker is handed.

    Attributes:
        label: Names the source in the table.
        options: For ``convert``.
        measurement: For ``benchmark``; nothing is measured where its browser is None.
    """

    label: str
    source: Any
    options: Mapping[str, Any]
    measurement: Mapping[str, Any]

    @functools.cached_property
    def key(self) -> str | None:
        """A digest of all that the row depends on; None where nobody can tell whether it has changed."""
        return identity(self.source, self.options, self.measurement)

    @property
    def title(self) -> str:
        """Return the label with what was asked for."""
        return ", ".join([self.label, *(f"{name}={text}" for name, text in option_texts(self.options).items())])


def perform(task: Task) -> Row:
    """Convert, verify, measure; whatever fails is a sentence in the row.

    ``status`` is "measured", "verified" (there was no browser: in Node), "converted" (nor Node), "refused" (a sentence
    instead of a model), "wrong" (an output is not Python's) or "failed"; ``note`` says why.
    """
    browser = task.measurement["browser"]
    row: Row = {"source": task.label, "options": option_texts(task.options), "browser": browser}
    importlib.import_module("keras")  # takes seconds, once per worker: no part of any conversion
    try:
        with converting(browser):
            began = time.perf_counter()
            model = convert(task.source, **task.options)
            row |= _of_model(model) | {"convert_s": time.perf_counter() - began}
    except TfjsMagicError as error:
        return row | {"status": "refused", "note": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever one row raises, the others go on
        return row | _failure(error)
    if browser is None:
        try:
            find_node()
        except RunError as error:
            return row | {"status": "converted", "note": f"Not compared: {error}."}
    try:
        with measuring(browser) if browser is not None else contextlib.nullcontext():
            result = benchmark({task.label: model}, **_measurement(task)).result
    except Exception as error:  # noqa: BLE001 - as above
        return row | _failure(error)
    return row | _of_result(result, timed=browser is not None)


def _measurement(task: Task) -> dict[str, Any]:
    """Return what ``benchmark`` is asked for; without a browser one run in Node, which says nothing on speed."""
    if task.measurement["browser"] is not None:
        return {**task.measurement}
    backends = task.measurement["backends"] or NODE_BACKENDS
    in_node = [backend for backend in backends if backend in NODE_BACKENDS] or NODE_BACKENDS
    return {**task.measurement, "browser": NODE, "backends": in_node, "runs": 1, "min_time": 0, "warmup": 0}


def option_texts(options: Mapping[str, Any]) -> dict[str, str]:
    """Return option → its value, as short as a table wants it."""
    return {
        name: value if isinstance(value, str) else " ".join(repr(value).split())[:80] for name, value in options.items()
    }


def _failure(error: Exception) -> Row:
    sentence = str(error) if isinstance(error, TfjsMagicError) else f"{type(error).__name__}: {reason_of(error)}"
    return {"status": "failed", "note": sentence}


def _of_model(model: TfjsModel) -> Row:
    return {"model_format": model.format, "nodes": sum(model.report.ops.values()), "nbytes": model.nbytes}


def _of_result(result: BenchmarkResult, *, timed: bool) -> Row:
    """Return the numbers of each backend, latencies in milliseconds, with a 95 % interval of the median."""
    backends = {
        name: {
            "verdict": row["parity"] or "",
            "error": _largest_error(parity),
            **{key: row[f"{key}_ms"] for key in (_TIMES if timed else ())},
            "note": row["error"] or row["parity_note"],
        }
        for row, ((_, name), parity) in zip(result.summary, result.parity.items(), strict=True)
    }
    sentences = dict.fromkeys(found["note"] for found in backends.values() if found["note"])
    notes = [f"{', '.join(n for n, found in backends.items() if found['note'] == said)}: {said}" for said in sentences]
    return {
        "status": _status([found["verdict"] for found in backends.values()], result, timed=timed),
        "note": " ".join(notes),
        "environment": result.environment,
        "backends": backends,
    }


def _status(verdicts: Sequence[str], result: BenchmarkResult, *, timed: bool) -> str:
    if any(row["error"] for row in result.summary):
        return "failed"
    return "wrong" if "failed" in verdicts else "measured" if timed else "verified"


def _largest_error(parity: Any) -> float | None:
    return max((output["max_rel_error"] for output in parity["outputs"]), default=None) if parity else None
