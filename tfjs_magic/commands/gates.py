"""What a benchmark is held to in CI. An interval must lie beyond a bound, so that noise breaks no build."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from tfjs_magic.bench.difference import compare
from tfjs_magic.bench.order_statistics import three_digits
from tfjs_magic.bench.result import BenchmarkResult
from tfjs_magic.errors import OptionError, printable, quoted_list

#: Below this many runs there is no interval of 95 %.
_LEAST_RUNS = 6
_UNPROVEN = {"failed", "source_failed", "source_changed"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gates:
    """Bounds; None where there is none.

    Attributes:
        max_median_ms: Largest median of any model and backend.
        earlier: A result that is the measure.
        max_ratio: How many times its medians those of now may be.

    Raises:
        OptionError: A bound is no positive number.
    """

    max_median_ms: float | None = None
    earlier: BenchmarkResult | None = None
    max_ratio: float = 1.0

    def __post_init__(self) -> None:
        for name in ("max_median_ms", "max_ratio"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise OptionError(f"{name} is {value}; expected a number above 0.")

    def check_runs(self, runs: int) -> None:
        """Refuse a benchmark that could never fail.

        Raises:
            OptionError: It has too few runs for an interval.
        """
        if runs < _LEAST_RUNS and (self.max_median_ms is not None or self.earlier is not None):
            raise OptionError(f"runs is {runs}; a bound needs at least {_LEAST_RUNS}, for there is no interval below.")

    def failures(self, result: BenchmarkResult) -> list[str]:
        """Return a sentence for each bound that is broken, and for each contender that brought nothing to judge."""
        return [*_not_measured(result), *self._too_slow(result), *self._slower(result)]

    def _too_slow(self, result: BenchmarkResult) -> Iterator[str]:
        bound = self.max_median_ms
        for row in result.summary:
            low = row["median_low_ms"]
            if bound is not None and low is not None and low > bound:
                high, median = three_digits(row["median_high_ms"]), three_digits(row["median_ms"])
                within = f"(95 %: {three_digits(low)}–{high})"
                yield f"{_name(row)}: the median is {median} ms {within}, above the bound of {bound:g} ms."

    def _slower(self, result: BenchmarkResult) -> Iterator[str]:
        if self.earlier is None:
            return
        difference = compare(result, self.earlier)
        for row in difference.rows:
            if row["low"] is not None and row["low"] > self.max_ratio:
                within = f"(95 %: {three_digits(row['low'])}–{three_digits(row['high'])})"
                yield (
                    f"{_name(row)} takes {three_digits(row['ratio'])} times as long as before {within}; "
                    f"allowed is {self.max_ratio:g}."
                )
        unknown = [printable(", ".join(key)) for key in difference.only_now]
        if unknown:
            yield f"the earlier result has no runs of {quoted_list(unknown)}."


def _not_measured(result: BenchmarkResult) -> Iterator[str]:
    for row in result.summary:
        if row["error"]:
            yield f"{_name(row)}: {printable(row['error'])}"
        elif row["parity"] in _UNPROVEN:
            yield f"{_name(row)}: the outputs are not Python's. {printable(row['parity_note'])}".strip()


def _name(row: Mapping[str, Any]) -> str:
    return printable(", ".join(filter(None, (row["model"], row["backend"], row.get("series", "")))))
