"""The numbers of a benchmark, once it has ended."""

from __future__ import annotations

import dataclasses
import html
import math
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfjs_magic.bench.protocol import MIN_RUNS_FOR_P90, JobState, Parity, Snapshot
from tfjs_magic.bench.result_file import read_result, result_text, write_text
from tfjs_magic.bench.result_page import result_page
from tfjs_magic.bench.result_picture import result_svg
from tfjs_magic.errors import printable, quoted_list

if TYPE_CHECKING:
    import pandas as pd

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


@dataclasses.dataclass(frozen=True, repr=False)
class BenchmarkResult:
    """What was measured; nothing in it is estimated.

    Attributes:
        status: "finished", or "stopped" by the user with the runs so far.
        runs: One record per timed call: model, backend, phase ("first", "warmup", "run"), index, latency_ms.
        summary: One record per model and backend; see :func:`summarize`.
        parity: Model and backend → how the outputs compared with Python's; None where it was not reached.
        environment: Browser, machine and clock; None if the page ended before it reported them.
        comparisons: One record per contender but the first, with which each is compared; see :func:`compare_rounds`.
        warnings: Sentences on why the numbers may be worth less than they look.
    """

    status: str
    runs: Sequence[Mapping[str, Any]]
    summary: Sequence[Mapping[str, Any]]
    parity: Mapping[tuple[str, str], Parity | None]
    environment: Mapping[str, Any] | None
    comparisons: Sequence[Mapping[str, Any]] = ()
    warnings: Sequence[str] = ()

    @classmethod
    def from_json(cls, source: str | Path) -> BenchmarkResult:
        """Read what :meth:`to_json` wrote: its text, or the path of a file.

        Raises:
            OptionError: It is something else, or of a newer version; one sentence says what was found.
        """
        content = read_result(source)
        rows: dict[str, Any] = {name: tuple(content[name]) for name in ("runs", "summary", "comparisons", "warnings")}
        parity = {(row["model"], row["backend"]): row["parity"] for row in content["parity"]}
        return cls(status=content["status"], environment=content["environment"], parity=parity, **rows)

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot) -> BenchmarkResult:
        """Take the numbers out of the state that page and kernel share."""
        labels = [card["label"] for card in snapshot["models"]]
        named = [(labels[state["job"]["model"]], _backend(state), state) for state in snapshot["jobs"]]
        environment = snapshot["environment"]
        return cls(
            status=snapshot["status"],
            runs=tuple(run for label, backend, state in named for run in _runs(label, backend, state)),
            summary=summarize(snapshot),
            parity={(label, backend): state["parity"] for label, backend, state in named},
            environment=dict(environment) if environment is not None else None,
            comparisons=compare_rounds(snapshot),
            warnings=tuple(snapshot["warnings"]),
        )

    def to_dataframe(self) -> pd.DataFrame:
        """Return ``runs`` as a pandas DataFrame, one row per timed call.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas as pd  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            raise ImportError("to_dataframe needs pandas: pip install 'tfjs-magic[dataframe]'.") from error
        return pd.DataFrame(list(self.runs), columns=["model", "backend", "phase", "index", "latency_ms"])

    def to_json(self, path: str | Path | None = None, *, indent: int | None = None) -> str:
        """Return everything as JSON text that :meth:`from_json` reads.

        Args:
            path: A file to write it to as well; one that is there is replaced.
            indent: Blanks per level; None for one line.

        Raises:
            SaveError: The file cannot be written.
        """
        parity = [{"model": model, "backend": backend, "parity": p} for (model, backend), p in self.parity.items()]
        content = {
            "status": self.status,
            "environment": self.environment,
            "summary": self.summary,
            "comparisons": self.comparisons,
            "warnings": self.warnings,
            "parity": parity,
            "runs": self.runs,
        }
        text = result_text(content, indent=indent)
        if path is not None:
            write_text(path, text)
        return text

    def to_html(self, path: str | Path | None = None) -> str:
        """Return picture and tables as one HTML page, which needs nothing else and holds no script.

        Args:
            path: A file to write it to as well; one that is there is replaced.

        Raises:
            SaveError: The file cannot be written.
        """
        models = quoted_list(dict.fromkeys(row["model"] for row in self.summary))
        text = result_page(f"TensorFlow.js benchmark of {models}", result_svg(self.runs), self._repr_html_())
        if path is not None:
            write_text(path, text)
        return text

    def _repr_html_(self) -> str:
        return table_html(self.summary, self.environment, self.comparisons, self.warnings)

    def __repr__(self) -> str:
        rows = [[title for _, title in _COLUMNS], *(_cells(row) for row in self.summary)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        below = [*map(_comparison_line, self.comparisons), *map(printable, self.warnings)]
        return "\n".join([*(line.rstrip() for line in lines), *below])


def summarize(snapshot: Snapshot) -> tuple[dict[str, Any], ...]:
    """Sum up each job: load, first run and steady state are three numbers.

    Between ``median_low_ms`` and ``median_high_ms`` the median lies with a confidence of 95 %, if the runs do not
    depend on each other; None below six runs. ``p90_ms``, ``p95_ms`` and ``p99_ms`` are None where fewer than three
    runs lie above: below 30, 60 and 300 runs. Every number is None where nothing was measured. ``batch`` is how many
    calls one run averages, where the browser's clock is too coarse for one.

    Source of the interval, from order statistics: W. J. Conover, Practical Nonparametric Statistics, 3.2.
    """
    return tuple(_summary(snapshot["models"][state["job"]["model"]]["label"], state) for state in snapshot["jobs"])


def compare_rounds(snapshot: Snapshot) -> tuple[dict[str, Any], ...]:
    """Compare each job with the first: ``ratio`` is the median, over the rounds, of its time in units of the first's.

    Between ``low`` and ``high`` the median lies with a confidence of 95 %; where 1 lies between them, these runs show
    no difference. All jobs ran once in each round, in random order, so that load and drift fell on all alike. Empty
    where they did not take turns (on the page's main thread), or not for six rounds.
    """
    environment, (first, *others) = snapshot["environment"], snapshot["jobs"]
    if environment is None or not environment["worker"]:
        return ()
    labels = [card["label"] for card in snapshot["models"]]
    found = []
    for state in others:
        rounds = zip(state["run_ms"], first["run_ms"], strict=False)
        ratios = [ms / base for ms, base in rounds if ms > 0 and base > 0]
        low, high = median_interval(ratios)
        if low is not None:
            found.append(
                {
                    "model": labels[state["job"]["model"]],
                    "backend": _backend(state),
                    "baseline_model": labels[first["job"]["model"]],
                    "baseline_backend": _backend(first),
                    "rounds": len(ratios),
                    "ratio": statistics.median(ratios),
                    "low": low,
                    "high": high,
                }
            )
    return tuple(found)


def table_html(
    summary: Sequence[Mapping[str, Any]],
    environment: Mapping[str, Any] | None,
    comparisons: Sequence[Mapping[str, Any]] = (),
    warnings: Sequence[str] = (),
) -> str:
    """Return the summary as an HTML table; every text in it is escaped."""
    head = "".join(f"<th>{html.escape(title)}</th>" for _, title in _COLUMNS)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(row)) + "</tr>" for row in summary
    )
    notes = dict.fromkeys(text for row in summary for text in (row["error"], row["parity_note"]) if text)
    lines = [
        *map(_comparison_line, comparisons),
        *warnings,
        *notes,
        *([_environment_line(environment)] if environment else []),
    ]
    below = "".join(f"<p>{html.escape(printable(line))}</p>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{below}"


def series_name(snapshot: Snapshot, state: JobState) -> str:
    """Return the backend; of several models, the model first."""
    several = len(snapshot["models"]) > 1
    return f"{snapshot['models'][state['job']['model']]['label']}, {_backend(state)}" if several else _backend(state)


def _backend(state: JobState) -> str:
    return state["actual"] or state["job"]["backend"] or "auto"


def _runs(label: str, backend: str, state: JobState) -> list[dict[str, Any]]:
    phases = {
        "first": [] if state["first_ms"] is None else [state["first_ms"]],
        "warmup": state["warmup_ms"],
        "run": state["run_ms"],
    }
    return [
        {"model": label, "backend": backend, "phase": phase, "index": index, "latency_ms": latency}
        for phase, latencies in phases.items()
        for index, latency in enumerate(latencies)
    ]


def _summary(label: str, state: JobState) -> dict[str, Any]:
    runs = state["run_ms"]
    parity = state["parity"]
    interval = median_interval(runs)
    return {
        "model": label,
        "backend": _backend(state),
        "status": state["status"],
        "device": state["device"],
        "software": state["software"],
        "parity": parity["status"] if parity else None,
        "parity_note": parity["note"] if parity else "",
        "backend_ms": state["backend_ms"],
        "load_ms": state["load_ms"],
        "first_ms": state["first_ms"],
        "warmup_runs": len(state["warmup_ms"]),
        "n": len(runs),
        "batch": state["batch"],
        "median_ms": statistics.median(runs) if runs else None,
        "median_low_ms": interval[0],
        "median_high_ms": interval[1],
        **{f"p{p}_ms": _percentile(runs, p) for p in (90, 95, 99)},
        "mean_ms": statistics.fmean(runs) if runs else None,
        "std_ms": statistics.stdev(runs) if len(runs) > 1 else None,
        "min_ms": min(runs, default=None),
        "error": state["error"]["message"] if state["error"] else "",
    }


def _percentile(runs: Sequence[float], percent: int) -> float | None:
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


def _comparison_line(row: Mapping[str, Any]) -> str:
    several = row["model"] != row["baseline_model"]
    name, base = (
        printable(f"{row[f'{of}model']}, {row[f'{of}backend']}" if several else row[f"{of}backend"])
        for of in ("", "baseline_")
    )
    ratio, low, high = (three_digits(row[key]) for key in ("ratio", "low", "high"))
    if row["low"] <= 1 <= row["high"]:
        return f"{name} and {base}: no difference that these runs could show (95 %: {low}–{high})."
    return f"{name} takes {ratio} times as long as {base} (95 %: {low}–{high})."


def three_digits(value: float) -> str:
    """Return a number as the page writes it: "0.740", "12.0", "1234"."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:#.3g}"


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [_cell(key, row) for key, _ in _COLUMNS]


def _cell(key: str, row: Mapping[str, Any]) -> str:
    value = row[key]
    if key == "backend" and row["software"]:
        return f"{value} (software: no GPU)"
    if key == "parity":
        return str(value or row["status"]).replace("_", " ")
    if value is None:
        return "–"
    if isinstance(value, float):
        return three_digits(value)
    return printable(str(value))


def _environment_line(environment: Mapping[str, Any]) -> str:
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
