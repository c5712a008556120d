"""How a result differs from an earlier one: runs that took no turns with each other, perhaps on another day."""

from __future__ import annotations

import dataclasses
import html
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tfjs_magic.bench.labels import key_of
from tfjs_magic.bench.order_statistics import median_interval, three_digits
from tfjs_magic.bench.result import BenchmarkResult
from tfjs_magic.bench.result_table import browser_name
from tfjs_magic.errors import printable, quoted_list

#: Measured anew each time: less than this factor is the same clock.
_SAME_CLOCK = 1.5
_CAVEAT = (
    "The interval holds the noise within each run alone: what the machine did otherwise in the meantime counts as a "
    "difference. To compare two models, benchmark them together."
)

_Series = Mapping[tuple[str, str], Sequence[float]]


@dataclasses.dataclass(frozen=True, repr=False)
class Difference:
    """A result next to an earlier one.

    Attributes:
        rows: One record per model and backend that both have: model, backend, n, earlier_n, median_ms,
            earlier_median_ms, ratio (of the medians, the earlier one is 1), low, high; the last two are None where one
            side has fewer than six runs.
        only_now: Model and backend that the earlier result has no runs of.
        only_earlier: Those that only it has runs of.
        environment: Sentences on what was not the same.
        warnings: Those of both results.
    """

    rows: Sequence[Mapping[str, Any]]
    only_now: Sequence[tuple[str, str]]
    only_earlier: Sequence[tuple[str, str]]
    environment: Sequence[str]
    warnings: Sequence[str]

    def _repr_html_(self) -> str:
        return "".join(f'<p style="margin:2px 0">{html.escape(line)}</p>' for line in self._lines())

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for row in self.rows:
            name = printable(f"{row['model']}, {row['backend']}")
            if min(row["median_ms"], row["earlier_median_ms"]) <= 0:
                yield f"{name}: too short to compare; the clock saw no time pass."
            elif row["low"] is None:
                yield f"{name}: too few runs to compare with before; six on each side are needed."
            else:
                yield _sentence(name, row["ratio"], row["low"], row["high"])
        if not self.rows:
            yield "Nothing was measured in both: no model and backend of the same names has runs."
        for keys, when in ((self.only_now, "now"), (self.only_earlier, "before")):
            if keys:
                yield f"Only {when}: {quoted_list(printable(', '.join(key)) for key in keys)}."
        yield from map(printable, (*self.environment, *self.warnings))
        if self.rows:
            yield _CAVEAT


def compare(result: BenchmarkResult, earlier: BenchmarkResult) -> Difference:
    """Compare the medians of each model and backend, found by their names, with those of an earlier result.

    The runs are independent, not paired. Each median m has its interval (l, u) of 95 % from order statistics, whatever
    the distribution. With a = log m, the ratio's interval is that of the difference d = a₁ - a₂, by the method of
    variance estimates recovery: from d - √((a₁ - l₁)² + (u₂ - a₂)²) to d + √((u₁ - a₁)² + (a₂ - l₂)²), l and u in
    logarithms too. Where 1 lies between, these runs show no difference. It covers the noise within the two runs;
    contenders that must be told apart more finely run together, see :func:`tfjs_magic.benchmark`.

    Source: G. Y. Zou and A. Donner, Construction of confidence limits about effect measures: A general approach,
    Statistics in Medicine 27 (2008), 1693-1702.
    """
    now, before = _series(result), _series(earlier)
    return Difference(
        rows=tuple(_row(key, now[key], before[key]) for key in now if key in before),
        only_now=tuple(key for key in now if key not in before),
        only_earlier=tuple(key for key in before if key not in now),
        environment=tuple(_changes(result, earlier)),
        warnings=(*result.warnings, *(f"Before: {warning}" for warning in earlier.warnings)),
    )


def _sentence(name: str, ratio: float, low: float, high: float) -> str:
    within = f"(95 %: {three_digits(low)}–{three_digits(high)})"
    if low <= 1 <= high:
        return f"{name}: no difference from before that these runs could show {within}."
    return f"{name} takes {three_digits(ratio)} times as long as before {within}."


def _series(result: BenchmarkResult) -> _Series:
    series: dict[tuple[str, str], list[float]] = {}
    for run in result.runs:
        if run["phase"] == "run":
            series.setdefault(key_of(run), []).append(run["latency_ms"])
    return series


def _row(key: tuple[str, str], now: Sequence[float], before: Sequence[float]) -> dict[str, Any]:
    medians = statistics.median(now), statistics.median(before)
    ratio, low, high = _ratio(now, before)
    return {
        "model": key[0],
        "backend": key[1],
        "n": len(now),
        "earlier_n": len(before),
        "median_ms": medians[0],
        "earlier_median_ms": medians[1],
        "ratio": ratio,
        "low": low,
        "high": high,
    }


def _ratio(now: Sequence[float], before: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """Return the ratio of the medians and its interval; None where there is none, as with times of zero."""
    point, point_before = statistics.median(now), statistics.median(before)
    if min(point, point_before) <= 0:
        return None, None, None
    ratio = point / point_before
    (low, high), (low_before, high_before) = median_interval(now), median_interval(before)
    if high is None or high_before is None or not low or not low_before:
        return ratio, None, None
    down = math.hypot(math.log(point / low), math.log(high_before / point_before))
    up = math.hypot(math.log(high / point), math.log(point_before / low_before))
    return ratio, ratio * math.exp(-down), ratio * math.exp(up)


def _changes(result: BenchmarkResult, earlier: BenchmarkResult) -> Iterator[str]:
    now, before = result.environment, earlier.environment
    if now is None or before is None:
        yield "What the two ran on cannot be compared: one page ended before it said so."
        return
    for name, read in _ENVIRONMENT.items():
        have, had = read(now), read(before)
        if have != had:
            yield f"Not the same {name}: {have}, before {had}."
    steps = sorted((now["clock_resolution_ms"], before["clock_resolution_ms"]))
    if steps[1] > _SAME_CLOCK * steps[0]:
        have, had = (f"{environment['clock_resolution_ms']:g} ms" for environment in (now, before))
        yield f"Not the same clock step: {have}, before {had}."
    devices = {key_of(row): row["device"] for row in earlier.summary}
    for row in result.summary:
        had = devices.get(key_of(row), row["device"])
        if row["device"] != had:
            yield f"Not the same device for {row['backend']}: '{row['device']}', before '{had}'."


_ENVIRONMENT: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
    "browser": lambda environment: browser_name(environment["user_agent"]),
    "platform": lambda environment: environment["platform"],
    "number of threads": lambda environment: environment["hardware_concurrency"],
    "version of TensorFlow.js": lambda environment: environment["tfjs_version"],
    "place": lambda environment: "in a worker" if environment["worker"] else "on the page's main thread",
}
