"""Size against error of several quantizations, as an SVG 360 units wide: for a phone too, in light and dark."""

from __future__ import annotations

import dataclasses
import html
import math
from collections.abc import Sequence

from tfjs_magic.errors import printable
from tfjs_magic.tables import size_text

#: Of Okabe and Ito's colours: apart for colour-blind readers, on black and on white.
_COLOR, _CHOSEN = "#3a8fd0", "#d55e00"
_WIDTH, _HEIGHT = 360, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 26, 34
#: The foot of the plot, for what has no error: it has no logarithm.
_ZERO = 22
_LINE = 13
_LETTER, _BOLD_LETTER = 5.8, 6.6


@dataclasses.dataclass(frozen=True)
class Point:
    """A way to quantize: size in bytes, and the error of the outputs relative to them, 0 for none."""

    name: str
    nbytes: int
    error: float
    chosen: bool


def size_error_svg(points: Sequence[Point]) -> str:
    """Return the plot; points whose error is no number are left out. Text has the colour of the page."""
    shown = [point for point in points if math.isfinite(point.error)]
    scale = _Scale(shown)
    said = "; ".join(f"{point.name} {size_text(point.nbytes)}, error {point.error:.2g}" for point in shown)
    chosen = "".join(f" Chosen: {point.name}." for point in shown if point.chosen)
    label = html.escape(
        printable(f"Size of the download against the error of the outputs: {said}.{chosen}"), quote=True
    )
    parts = [_axes(scale), *_points(scale, shown)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}" '
        f'style="width:100%;min-width:320px;max-width:560px" font-family="system-ui, sans-serif" font-size="11" '
        f'fill="currentColor">{"".join(parts)}</svg>'
    )


class _Scale:
    """Bytes and error → units of the picture."""

    def __init__(self, points: Sequence[Point]) -> None:
        self.most = max((point.nbytes for point in points), default=1) or 1
        errors = [point.error for point in points if point.error > 0] or [1.0]
        self.low = math.floor(math.log10(min(errors)))
        self.high = max(math.ceil(math.log10(max(errors))), self.low + 1)

    def x(self, nbytes: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT - 8) * nbytes / self.most

    def y(self, error: float) -> float:
        foot = _HEIGHT - _BOTTOM
        if error <= 0:
            return foot
        return _TOP + (foot - _ZERO - _TOP) * (self.high - math.log10(error)) / (self.high - self.low)


def _axes(scale: _Scale) -> str:
    lines = [_text(4, 12, "error of the outputs (root mean square, relative)")]
    every = math.ceil((scale.high - scale.low) / 6)
    ticks = [0.0, *(10.0**power for power in range(scale.low, scale.high + 1, every))]
    for tick in ticks:
        y = scale.y(tick)
        lines.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="currentColor" stroke-opacity=".2"/>')
        lines.append(_text(_LEFT - 5, y + 4, f"{tick:.0e}" if 0 < tick < 1e-3 else f"{tick:g}", anchor="end"))
    unit, name = next(((u, n) for u, n in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if scale.most >= u), (1, "bytes"))
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = scale.x(scale.most * share)
        lines.append(_text(x, _HEIGHT - _BOTTOM + 15, f"{scale.most * share / unit:.3g}", anchor="middle"))
    lines.append(_text((_LEFT + _WIDTH) / 2, _HEIGHT - 4, f"size of the weights, {name}", anchor="middle"))
    return "".join(lines)


def _points(scale: _Scale, points: Sequence[Point]) -> list[str]:
    """Draw each point with its name beside it; names that would lie on each other move down."""
    parts: list[str] = []
    marks: list[str] = []
    taken: list[tuple[float, float, float]] = []  # left, right and foot of each name
    for point in sorted(points, key=lambda point: (scale.y(point.error), not point.chosen)):
        x, y = scale.x(point.nbytes), scale.y(point.error)
        color = _CHOSEN if point.chosen else _COLOR
        name = f"{point.name} ✓" if point.chosen else point.name
        length = (_BOLD_LETTER if point.chosen else _LETTER) * len(name)
        left = x + 11 if x + 11 + length < _WIDTH else max(x - 11 - length, 0)
        foot = y + 4
        while any(left < right and start < left + length and abs(foot - at) < _LINE for start, right, at in taken):
            foot += 1
        taken.append((left, left + length, foot))
        dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{color}"/>'
        ring = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="none" stroke="{color}" stroke-width="2"/>'
        marks.append(dot + ring if point.chosen else dot)
        if abs(foot - y - 4) > 1:
            edge = left - 2 if left > x else left + length + 2
            parts.append(f'<path d="M{x:.1f} {y:.1f}L{edge:.1f} {foot - 4:.1f}" stroke="{color}" stroke-opacity=".6"/>')
        parts.append(_text(left, foot, name, bold=point.chosen))
    return [*parts, *reversed(marks)]  # the chosen one above others at its place


def _text(x: float, y: float, content: str, *, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="700"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{html.escape(printable(content))}</text>'
