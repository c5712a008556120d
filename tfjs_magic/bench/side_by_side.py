"""Results of several devices, or days, in one table and one plot."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfjs_magic.bench.findings import NOTHING_FOUND, Findings
from tfjs_magic.bench.result import BenchmarkResult
from tfjs_magic.bench.result_table import environment_line
from tfjs_magic.bench.state import Parity
from tfjs_magic.errors import OptionError

_CAVEAT = "These were not measured together: what a device did otherwise at that time counts as a difference."


def side_by_side(results: Mapping[str, BenchmarkResult]) -> BenchmarkResult:
    """Return one result that holds all of them, with its table, plot, data frame, JSON and HTML.

    Args:
        results: Where it was measured, such as "Pixel 8" → the result. These words name the rows; the model's name
            follows where there is more than one.

    Raises:
        OptionError: There are none.
    """
    if not results:
        raise OptionError("side_by_side was given no results; expected a mapping of a name to each.")
    models = {row["model"] for result in results.values() for row in result.summary}
    several = len(models) > 1
    summary: list[Mapping[str, Any]] = []
    comparisons: list[Mapping[str, Any]] = []
    runs: list[Mapping[str, Any]] = []
    parity: dict[tuple[str, str], Parity | None] = {}
    kept = NOTHING_FOUND
    for place, result in results.items():
        names = {model: f"{place}, {model}" if several else place for model in models}
        summary += _renamed(result.summary, names)
        comparisons += _renamed(result.comparisons, names)
        runs += _renamed(result.runs, names)
        kept = Findings(
            (*kept.profiles, *(dataclasses.replace(one, model=names[one.model]) for one in result.profiles)),
            (*kept.divergences, *(dataclasses.replace(one, model=names[one.model]) for one in result.divergences)),
        )
        parity |= {(names[model], backend): found for (model, backend), found in result.parity.items()}
    return BenchmarkResult(
        status="finished" if all(result.status == "finished" for result in results.values()) else "stopped",
        runs=tuple(runs),
        summary=tuple(summary),
        parity=parity,
        environment=None,
        comparisons=tuple(comparisons),
        warnings=tuple(_notes(results)),
        kept=kept,
    )


def _renamed(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        yield {**row, **{key: names[row[key]] for key in ("model", "baseline_model") if key in row}}


def _notes(results: Mapping[str, BenchmarkResult]) -> Iterator[str]:
    for place, result in results.items():
        if result.environment is not None:
            yield f"{place}: {environment_line(result.environment)}"
        yield from (f"{place}: {warning}" for warning in result.warnings)
    if len(results) > 1:
        yield _CAVEAT
