"""Whether the machine was quiet enough for its numbers: measured on the runs themselves."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from tfjs_magic.bench.labels import series_name
from tfjs_magic.bench.order_statistics import median_interval, three_digits
from tfjs_magic.bench.state import JobState, Snapshot
from tfjs_magic.errors import printable

#: The middle half of the runs spreads over more than this share of the median. A deviation of 10 % of normal noise,
#: where pyperf warns (``pyperf check``), is 13 %; single runs in a browser are noisier than its means of many.
SPREAD = 0.2
#: Quartiles of fewer runs are single runs.
MIN_RUNS_FOR_SPREAD = 12
#: The second half of the runs takes, run by run, more or less time than the first by this share, with a confidence of
#: 95 %: what a processor that warms up, or a program that begins, does.
DRIFT = 0.05
#: One step of the browser's clock is more than this share of a run; runs are batched to stay below 2 %.
CLOCK_STEP = 0.05
#: A page that was in the background for longer was slowed down by the browser.
HIDDEN_MS = 100


_SPREADS = "the middle half of the runs spreads over {} % of the median; other programs may run."
_SLOWS = (
    "the runs of the second half took {} times as long as those of the first; a processor that gets warm slows down."
)
_SETTLES = (
    "the runs of the second half took {} times as long as those of the first; the warm-up was too short, or other "
    "programs have ended."
)
_COARSE = "one step of the browser's clock is {} % of a run; smaller differences do not show."


def noise_lines(snapshot: Snapshot) -> list[str]:
    """Return a sentence for each sign that the numbers are worth less than they look; none on a quiet machine."""
    environment = snapshot["environment"]
    lines = []
    if environment is not None and environment["hidden_ms"] > HIDDEN_MS:
        seconds = three_digits(environment["hidden_ms"] / 1000)
        lines.append(f"The tab was in the background for {seconds} s of the benchmark, where browsers run slower.")
    step = environment["clock_resolution_ms"] if environment is not None else 0
    names: dict[str, list[str]] = {}
    numbers: dict[str, list[float]] = {}
    for state in snapshot["jobs"]:
        for sign, found in _signs(state, step):
            names.setdefault(sign, []).append(printable(series_name(snapshot, state)))
            numbers.setdefault(sign, []).extend(found)
    several = len(snapshot["jobs"])
    return [*lines, *(f"{_named(names[sign], several)}: {_filled(sign, numbers[sign])}" for sign in names)]


def _named(names: Sequence[str], several: int) -> str:
    """Name those of ``several`` contenders, so that the line stays a line."""
    if len(names) == several > 2:
        return f"All {several}"
    return "; ".join([*names[:2], *([f"{len(names) - 2} more"] if len(names) > 2 else [])])


def _filled(sign: str, numbers: Sequence[float]) -> str:
    written = [f"{number:.0f}" if "%" in sign else three_digits(number) for number in (min(numbers), max(numbers))]
    return sign.format(" to ".join(dict.fromkeys(written)))


def _signs(state: JobState, clock_step_ms: float) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Yield the sentence about a job, and the numbers that go into it."""
    runs = state["run_ms"]
    median = statistics.median(runs) if runs else 0
    if median <= 0:
        return
    if (spread := _spread(runs, median)) > SPREAD:
        yield _SPREADS, (100 * spread,)
    low, high = _drift(runs)
    if low > 1 + DRIFT:
        yield _SLOWS, (low, high)
    if high < 1 - DRIFT:
        yield _SETTLES, (low, high)
    if (share := clock_step_ms / (median * state["batch"])) > CLOCK_STEP:
        yield _COARSE, (100 * share,)


def _spread(runs: Sequence[float], median: float) -> float:
    if len(runs) < MIN_RUNS_FOR_SPREAD:
        return 0
    low, _, high = statistics.quantiles(runs, n=4, method="inclusive")
    return (high - low) / median


def _drift(runs: Sequence[float]) -> tuple[float, float]:
    """Return where the median of the ratios second half to first half lies, run by run; (1, 1) if that is unknown.

    Source: D. R. Cox and A. Stuart, Some quick sign tests for trend in location and dispersion, Biometrika 42 (1955).
    """
    half = len(runs) // 2
    low, high = median_interval([b / a for a, b in zip(runs[:half], runs[len(runs) - half :], strict=True) if a > 0])
    return (1, 1) if low is None or high is None else (low, high)
