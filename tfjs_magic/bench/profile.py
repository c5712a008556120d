"""Where the time of one run goes, kernel by kernel."""

from __future__ import annotations

import dataclasses
import html
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfjs_magic.bench import state
from tfjs_magic.errors import printable
from tfjs_magic.tables import aligned, data_frame, html_table

if TYPE_CHECKING:
    import os

    import pandas as pd

#: Rows that the text and the table show; the data frame has all.
SHOWN_ROWS = 20

_COLUMNS = ("node", "layer", "kernel", "calls", "ms", "error_ms", "share", "cumulative_share", "nbytes")
_TITLES = ("kernel", "ms per run", "±", "share", "cumulative", "calls", "output bytes", "layer")


@dataclasses.dataclass(frozen=True, repr=False)
class Profile:
    """The kernels of one model on one backend; times are means per run, in milliseconds.

    Attributes:
        model: The model's label.
        backend: The backend that ran.
        rows: One record per node and kernel, the longest first: node, layer, kernel, order (of the first call), calls,
            ms, error_ms (standard error), share and cumulative_share of ``kernel_ms``, nbytes (of the outputs).
        more_rows: How many more there were, and ``more_ms`` their time.
        runs: Profiled runs; as many plain ones ran beside them, in turns. 0 where the backend offers no timer.
        profiled_ms: Mean of the profiled runs; ``plain_ms`` of the plain ones. The difference is the profiler's cost.
        median_ms: Of the benchmark's own runs, for comparison; None if there are none.
        note: How the time was taken, or why it was not.
    """

    model: str
    backend: str
    rows: Sequence[Mapping[str, Any]]
    more_rows: int
    more_ms: float
    runs: int
    profiled_ms: float
    plain_ms: float
    median_ms: float | None
    note: str

    @classmethod
    def from_wire(cls, model: str, backend: str, profile: state.Profile, *, median_ms: float | None) -> Profile:
        """Take it as a page reported it."""
        total = sum(row["ms"] for row in profile["rows"]) + profile["more_ms"]
        sums = itertools.accumulate(row["ms"] for row in profile["rows"])
        rows = tuple(
            {**row, "share": row["ms"] / total if total else 0.0, "cumulative_share": upto / total if total else 0.0}
            for row, upto in zip(profile["rows"], sums, strict=True)
        )
        return cls(
            model=model,
            backend=backend,
            rows=rows,
            more_rows=profile["more_rows"],
            more_ms=profile["more_ms"],
            runs=profile["runs"],
            profiled_ms=profile["profiled_ms"],
            plain_ms=profile["plain_ms"],
            median_ms=median_ms,
            note=profile["note"],
        )

    @property
    def kernel_ms(self) -> float:
        """Time in kernels per run; what ``profiled_ms`` has more is TF.js between them, and the read-back."""
        return sum((float(row["ms"]) for row in self.rows), self.more_ms)

    def to_dataframe(self) -> pd.DataFrame:
        """Return ``rows`` as a pandas DataFrame.

        Raises:
            ImportError: pandas is not installed.
        """
        return data_frame(self.rows, _COLUMNS)

    def to_chrome_trace(self, path: str | os.PathLike[str]) -> Path:
        """Write one mean run as a trace that chrome://tracing and Perfetto open; return its path.

        Kernels stand in the order of their first calls, one behind the other, each with the time of all its calls;
        layers in a row of their own. What lies between kernels is not known and left out.
        """
        target = Path(path)
        target.write_text(json.dumps({"traceEvents": self._events(), "displayTimeUnit": "ms"}), encoding="utf-8")
        return target

    def _events(self) -> list[dict[str, Any]]:
        def named(kind: str, thread: int, name: str) -> dict[str, Any]:
            return {"ph": "M", "pid": 1, "tid": thread, "name": kind, "args": {"name": name}}

        def span(name: str, category: str, thread: int, begin_ms: float, ms: float, **args: Any) -> dict[str, Any]:
            times = {"ts": 1000 * begin_ms, "dur": 1000 * ms}
            return {"ph": "X", "pid": 1, "tid": thread, "name": name, "cat": category, **times, "args": args}

        events = [named("process_name", 1, f"{self.model}, {self.backend}")]
        events += [named("thread_name", 1, "layers"), named("thread_name", 2, "kernels")]
        now = 0.0
        in_order = sorted(self.rows, key=lambda row: row["order"])
        for layer, group in itertools.groupby(in_order, key=lambda row: row["layer"]):
            begin = now
            for row in group:
                args = {key: row[key] for key in ("node", "calls", "error_ms", "nbytes")}
                events.append(span(row["kernel"], "kernel", 2, now, row["ms"], **args))
                now += row["ms"]
            if layer:
                events.append(span(layer, "layer", 1, begin, now - begin))
        return events

    def _repr_html_(self) -> str:
        return profile_html(self)

    def __repr__(self) -> str:
        return "\n".join([*(aligned(_table(self)) if self.rows else []), *_sentences(self)])


def profile_html(profile: Profile) -> str:
    """Return the longest rows as an HTML table with bars; every text in it is escaped."""
    caption = printable(f"{profile.model}, {profile.backend}: time per kernel")
    titles, *rows = _table(profile)
    table = html_table(titles, rows, caption=caption, ends=[_bar(row["share"]) for row in profile.rows])
    below = "".join(f"<p>{html.escape(printable(line))}</p>" for line in _sentences(profile))
    return (table if profile.rows else "") + below


def _bar(share: float) -> str:
    return f'<div style="width:{120 * share:.0f}px;height:0.8em;background:#0072b2"></div>'


def _table(profile: Profile) -> list[tuple[str, ...]]:
    """Return the titles and the longest rows; a graph's nodes stand beside their layers."""
    of_graph = any(row["node"] != row["layer"] for row in profile.rows)
    titles = (*_TITLES, "node") if of_graph else _TITLES
    return [titles, *(_cells(row, of_graph=of_graph) for row in profile.rows[:SHOWN_ROWS])]


def _cells(row: Mapping[str, Any], *, of_graph: bool) -> tuple[str, ...]:
    layer = row["layer"] or ("–" if of_graph else "(around the layers)")
    return (
        printable(row["kernel"]),
        f"{row['ms']:.3g}",
        f"{row['error_ms']:.1g}",
        f"{row['share']:.1%}",
        f"{row['cumulative_share']:.1%}",
        f"{row['calls']:.4g}",
        f"{row['nbytes']:,.0f}",
        printable(layer),
        *([printable(row["node"])] if of_graph else []),
    )


def _sentences(profile: Profile) -> list[str]:
    if not profile.runs:
        return [profile.note]
    hidden = len(profile.rows[SHOWN_ROWS:]) + profile.more_rows
    hidden_ms = sum(row["ms"] for row in profile.rows[SHOWN_ROWS:]) + profile.more_ms
    more = [f"{hidden} more take {hidden_ms:.3g} ms."] if hidden else []
    median = f"; the benchmark's median is {profile.median_ms:.3g} ms" if profile.median_ms is not None else ""
    total = (
        f"Kernels take {profile.kernel_ms:.3g} ms of a profiled run of {profile.profiled_ms:.3g} ms; "
        f"without the profiler a run takes {profile.plain_ms:.3g} ms{median}."
    )
    return [*more, total, profile.note]
