"""What runs say of the distribution that they are drawn from, whatever that is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from tfjs_magic.bench.state import MIN_RUNS_FOR_P90


def percentile(runs: Sequence[float], percent: int) -> float | None:
    """Return a percentile, or None where fewer than three runs lie beyond it."""
    if len(runs) * (100 - percent) < MIN_RUNS_FOR_P90 * 10:
        return None
    return statistics.quantiles(runs, n=100, method="inclusive")[percent - 1]


def median_interval(runs: Sequence[float]) -> tuple[float, float] | tuple[None, None]:
    """Return where the median lies with a confidence of 95 %, from order statistics; see :func:`summarize`."""
    rank, ordered = _median_rank(len(runs)), sorted(runs)
    return (ordered[rank - 1], ordered[-rank]) if rank >= 1 else (None, None)


def _median_rank(count: int) -> int:
    """Return the most values k such that fewer than k of them lie on one side of the median in at most 5 % of cases."""
    log_share, missed, rank = -count * math.log(2), 0.0, 0
    while True:
        missed += 2 * math.exp(log_share)
        if missed > 0.05:
            return rank
        log_share += math.log((count - rank) / (rank + 1))
        rank += 1


def three_digits(value: float) -> str:
    """Return a number as the page writes it: "0.740", "12.0", "1234"."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:#.3g}"
