"""One row: a source that is converted with one set of options, compared with Python, and measured."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tfjs_magic.bench.result import BenchmarkResult
from tfjs_magic.benchmarking import benchmark
from tfjs_magic.errors import TfjsMagicError, reason_of
from tfjs_magic.model import TfjsModel
from tfjs_magic.pipeline import convert
from tfjs_magic.sweeping.identity import identity
from tfjs_magic.sweeping.turns import converting, measuring

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

    ``status`` is "measured", "converted" (there was no browser), "refused" (a sentence instead of a model), "wrong"
    (an output is not Python's) or "failed"; ``note`` says why.
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
        return row | {"status": "converted", "note": ""}
    try:
        with measuring(browser):
            result = benchmark({task.label: model}, **task.measurement).result
    except Exception as error:  # noqa: BLE001 - as above
        return row | _failure(error)
    return row | _of_result(result)


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


def _of_result(result: BenchmarkResult) -> Row:
    """Return the numbers of each backend, latencies in milliseconds, with a 95 % interval of the median."""
    backends = {
        name: {
            "verdict": row["parity"] or "",
            "error": _largest_error(parity),
            **{key: row[f"{key}_ms"] for key in ("median", "median_low", "median_high", "first", "load")},
            "note": row["error"] or row["parity_note"],
        }
        for row, ((_, name), parity) in zip(result.summary, result.parity.items(), strict=True)
    }
    sentences = dict.fromkeys(found["note"] for found in backends.values() if found["note"])
    notes = [f"{', '.join(n for n, found in backends.items() if found['note'] == said)}: {said}" for said in sentences]
    return {
        "status": _status([found["verdict"] for found in backends.values()], result),
        "note": " ".join(notes),
        "environment": result.environment,
        "backends": backends,
    }


def _status(verdicts: Sequence[str], result: BenchmarkResult) -> str:
    if any(row["error"] for row in result.summary):
        return "failed"
    return "wrong" if "failed" in verdicts else "measured"


def _largest_error(parity: Any) -> float | None:
    return max((output["max_rel_error"] for output in parity["outputs"]), default=None) if parity else None
