"""The latency of every run and the medians as an SVG, drawn from a result alone: no browser, no plotting library."""

from __future__ import annotations

import html
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from tfjs_magic.bench.labels import key_of
from tfjs_magic.bench.order_statistics import median_interval
from tfjs_magic.errors import printable

#: Okabe and Ito's colours without the two that vanish on white: distinct for colour-blind readers, on black too.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc6699", "#8a6d00", "#3a8fd0")
#: Beyond this ratio of the medians a linear axis would press the fast series onto its foot.
LOG_FROM = 5
#: More marks than pixels show nothing more.
MAX_MARKS = 1000

_WIDTH, _HEIGHT = 720, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 36
_LINE = 18
_BAR_LEFT, _BAR_HEIGHT, _BAR_LINE = 20, 6, 11
#: What fits into a line beside the numbers, in characters.
_LONGEST_NAME = 60
#: No clock shows less; zero has no logarithm.
_LEAST_MS = 1e-9


def result_svg(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the timed runs of each model and backend over their number, with a legend; "" if there are none.

    Several have bars of their medians in it, with the interval of 95 % where there is one. The axis of latency is
    logarithmic where medians differ by more than ``LOG_FROM``. Text has the colour of the page.
    """
    series: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        if run["phase"] == "run":
            series.setdefault(key_of(run), []).append(run["latency_ms"])
    if not series:
        return ""
    scale = _Scale([*series.values()])
    several = len({model for model, _ in series}) > 1
    step = _LINE + (_BAR_LINE if len(series) > 1 else 0)
    head = step * len(series)
    parts = [_axes(scale)]
    longest = max(median_interval(ms)[1] or statistics.median(ms) for ms in series.values())
    legend = []
    for index, ((model, backend), latencies) in enumerate(series.items()):
        color = COLORS[index % len(COLORS)]
        corners = "" if _is_square(index) else 'rx="5"'
        name = printable(f"{model}, {backend}" if several else backend)
        name = f"{name[: _LONGEST_NAME - 1]}…" if len(name) > _LONGEST_NAME else name
        text = f"{name}: median {statistics.median(latencies):.3g} ms, {len(latencies)} runs"
        legend.append(f'<rect x="4" y="{step * index + 4}" width="10" height="10" {corners} fill="{color}"/>')
        legend.append(_text(20, step * index + 13, text))
        if len(series) > 1:
            legend.append(_bar(latencies, longest, color, step * index + _LINE + 1))
        parts.append(_marks(scale, latencies, color, index))
    label = html.escape(printable(f"Latency of {sum(map(len, series.values()))} runs in the browser"))
    size = f'width="{_WIDTH}" height="{head + _HEIGHT}" viewBox="0 0 {_WIDTH} {head + _HEIGHT}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}" font-family="system-ui, '
        f'sans-serif" font-size="12" fill="currentColor">{"".join(legend)}'
        f'<g transform="translate(0 {head})">{"".join(parts)}</g></svg>'
    )


class _Scale:
    """Run number and milliseconds → pixels."""

    def __init__(self, series: Sequence[Sequence[float]]) -> None:
        medians = [statistics.median(latencies) for latencies in series]
        flat = [ms for latencies in series for ms in latencies]
        self.log = min(flat) >= _LEAST_MS and max(medians) > LOG_FROM * min(medians)
        self.count = max(map(len, series))
        self.ticks = _log_ticks(min(flat), max(flat)) if self.log else _linear_ticks(max(flat))
        self._low, self._high = self._position(self.ticks[0]), self._position(self.ticks[-1])

    def x(self, number: int) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (number - 0.5) / self.count

    def y(self, ms: float) -> float:
        share = (self._position(ms) - self._low) / (self._high - self._low)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share

    def _position(self, ms: float) -> float:
        return math.log10(ms) if self.log else ms


def _linear_ticks(most: float) -> list[float]:
    most = most if most > _LEAST_MS else 1
    step = 10.0 ** math.floor(math.log10(most))
    step = next(step * factor for factor in (0.2, 0.5, 1, 2) if step * factor * 6 >= most)
    return [step * i for i in range(math.ceil(most / step) + 1)]


def _log_ticks(least: float, most: float) -> list[float]:
    decades = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    ticks = [factor * 10.0**decade for decade in decades for factor in (1, 2, 5)]
    first = max(i for i, tick in enumerate(ticks) if tick <= least or i == 0)
    last = min((i for i, tick in enumerate(ticks) if tick >= most), default=len(ticks) - 1)
    return ticks[first : last + 1]


def _axes(scale: _Scale) -> str:
    lines = []
    for tick in scale.ticks:
        y = scale.y(tick)
        lines.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="currentColor" stroke-opacity=".15"/>')
        lines.append(_text(_LEFT - 6, y + 4, f"{tick:.3g} ms", anchor="end"))
    numbers = dict.fromkeys((1, max(1, scale.count // 2), scale.count))
    lines += [_text(scale.x(i), _HEIGHT - _BOTTOM + 16, str(i), anchor="middle") for i in numbers]
    lines.append(_text(_LEFT + (_WIDTH - _LEFT - _RIGHT) / 2, _HEIGHT - 4, "run", anchor="middle"))
    return "".join(lines)


def _bar(latencies: Sequence[float], longest: float, color: str, y: float) -> str:
    """Draw the median, and its interval where there is one; ``y`` is the upper edge."""
    width = _WIDTH - _RIGHT - _BAR_LEFT
    scale = width / longest if longest > _LEAST_MS else 0
    size = f'width="{scale * statistics.median(latencies):.1f}" height="{_BAR_HEIGHT}"'
    bar = f'<rect x="{_BAR_LEFT}" y="{y}" {size} fill="{color}" opacity=".75"/>'
    low, high = median_interval(latencies)
    if low is None or high is None:
        return bar
    left, right = _BAR_LEFT + scale * low, _BAR_LEFT + scale * high
    caps = "".join(f"M{x:.1f} {y - 2}v{_BAR_HEIGHT + 4}" for x in (left, right))
    line = f"M{left:.1f} {y + _BAR_HEIGHT / 2:g}H{right:.1f}"
    return f'{bar}<path d="{caps}{line}" stroke="currentColor" fill="none"/>'


def _marks(scale: _Scale, latencies: Sequence[float], color: str, index: int) -> str:
    every = math.ceil(len(latencies) / MAX_MARKS)
    dots = "".join(f"M{scale.x(i + 1):.1f} {scale.y(latencies[i]):.1f}h0" for i in range(0, len(latencies), every))
    cap = "square" if _is_square(index) else "round"
    return f'<path d="{dots}" stroke="{color}" stroke-width="5" stroke-linecap="{cap}"/>'


def _is_square(index: int) -> bool:
    """Whether the colours have begun again, so that the shape tells two series apart."""
    return index // len(COLORS) % 2 == 1


def _text(x: float, y: float, content: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(printable(content))}</text>'
