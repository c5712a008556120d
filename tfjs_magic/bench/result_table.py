"""A result as a table and sentences, in HTML and in plain text."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tfjs_magic.bench.order_statistics import three_digits
from tfjs_magic.errors import printable
from tfjs_magic.tables import aligned, html_table

_COLUMNS: tuple[tuple[str, str], ...] = (
    ("model", "model"),
    ("backend", "backend"),
    ("parity", "matches Python"),
    ("load_ms", "load (ms)"),
    ("first_ms", "first run (ms)"),
    ("n", "runs"),
    ("median_ms", "median (ms)"),
    ("p90_ms", "p90 (ms)"),
    ("min_ms", "min (ms)"),
)


def table_html(
    summary: Sequence[Mapping[str, Any]],
    environment: Mapping[str, Any] | None,
    comparisons: Sequence[Mapping[str, Any]] = (),
    warnings: Sequence[str] = (),
) -> str:
    """Return the summary as an HTML table; every text in it is escaped."""
    columns = _columns(summary)
    notes = dict.fromkeys(text for row in summary for text in (row["error"], row["parity_note"]) if text)
    lines = [
        *_comparison_lines(comparisons),
        *warnings,
        *notes,
        *([environment_line(environment)] if environment else []),
    ]
    below = "".join(f"<p>{html.escape(printable(line))}</p>" for line in lines)
    return html_table([title for _, title in columns], [_cells(row, columns) for row in summary]) + below


def table_text(
    summary: Sequence[Mapping[str, Any]], comparisons: Sequence[Mapping[str, Any]], warnings: Sequence[str]
) -> str:
    """Return the same as plain text, but for errors, notes and environment."""
    columns = _columns(summary)
    rows = [[title for _, title in columns], *(_cells(row, columns) for row in summary)]
    below = [*_comparison_lines(comparisons), *map(printable, warnings)]
    return "\n".join([*aligned(rows), *below])


def _comparison_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    several = any(row["model"] != row["baseline_model"] for row in rows)
    return [_comparison_line(row, several=several) for row in rows]


def _comparison_line(row: Mapping[str, Any], *, several: bool) -> str:
    """Say how a contender compares; of ``several`` models, the model is named too."""
    name, base = (
        printable(f"{row[f'{of}model']}, {row[f'{of}backend']}" if several else row[f"{of}backend"])
        for of in ("", "baseline_")
    )
    ratio, low, high = (three_digits(row[key]) for key in ("ratio", "low", "high"))
    if row["low"] <= 1 <= row["high"]:
        return f"{name} and {base}: no difference that these runs could show (95 %: {low}–{high})."
    return f"{name} takes {ratio} times as long as {base} (95 %: {low}–{high})."


def _columns(summary: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    return (*_COLUMNS, ("examples_per_s", "examples/s")) if any(row["series"] for row in summary) else _COLUMNS


def _cells(row: Mapping[str, Any], columns: Sequence[tuple[str, str]]) -> list[str]:
    return [_cell(key, row) for key, _ in columns]


def _cell(key: str, row: Mapping[str, Any]) -> str:
    value = row[key]
    if key == "backend":
        software = " (software: no GPU)" if row["software"] else ""
        return printable(", ".join(part for part in (f"{value}{software}", row["series"]) if part))
    if key == "parity":
        return str(value or row["status"]).replace("_", " ")
    if value is None:
        return "–"
    if isinstance(value, float):
        return three_digits(value)
    return printable(str(value))


def environment_line(environment: Mapping[str, Any]) -> str:
    """Say in a sentence what was measured on."""
    where = "in a worker" if environment["worker"] else "on the page's main thread"
    return (
        f"TensorFlow.js {environment['tfjs_version']} {where}, {browser_name(environment['user_agent'])}, "
        f"{environment['hardware_concurrency']} threads, clock step {environment['clock_resolution_ms']:.3g} ms."
    )


def browser_name(user_agent: str) -> str:
    """Return "Chrome 126" for the long string; the string itself where it looks unfamiliar."""
    found = re.search(r"(Firefox|Edg|OPR)/(\d+)", user_agent) or re.search(
        r"(HeadlessChrome|Chrome|Version)/(\d+)", user_agent
    )
    names = {"Edg": "Edge", "OPR": "Opera", "HeadlessChrome": "Chrome (headless)", "Version": "Safari"}
    return f"{names.get(found[1], found[1])} {found[2]}" if found else user_agent
