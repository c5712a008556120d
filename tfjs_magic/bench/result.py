"""The numbers of a benchmark, once it has ended."""

from __future__ import annotations

import dataclasses
import html
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tfjs_magic.bench.divergence import Divergence
from tfjs_magic.bench.labels import backend_of, contender_name
from tfjs_magic.bench.order_statistics import median_interval, percentile, three_digits
from tfjs_magic.bench.profile import Profile
from tfjs_magic.bench.protocol import JobState, Memory, Parity, Snapshot, TaskKind
from tfjs_magic.bench.result_file import read_result, result_text, write_text
from tfjs_magic.bench.result_page import result_page
from tfjs_magic.bench.result_picture import result_svg
from tfjs_magic.errors import OptionError, RunError, printable, quoted_list

if TYPE_CHECKING:
    import pandas as pd

    from tfjs_magic.bench.pending import Live, Pending

T = TypeVar("T")

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
#: No clock tells so little from nothing, by which one cannot divide.
_SHORTEST_MS = 1e-9


@dataclasses.dataclass(frozen=True, repr=False)
class BenchmarkResult:
    """What was measured; nothing in it is estimated.

    Attributes:
        status: "finished", or "stopped" by the user with the runs so far.
        runs: One record per timed call: model, backend, series ("batch 4"; "" where there is one), phase ("first",
            "warmup", "run"), index, latency_ms.
        summary: One record per model and backend; see :func:`summarize`.
        parity: Model and backend ("wasm, batch 4" where there are several) → how the outputs compared with Python's;
            None where it was not reached.
        environment: Browser, machine and clock; None if the page ended before it reported them.
        comparisons: One record per contender but the first, with which each is compared; see :func:`compare_rounds`.
        warnings: Sentences on why the numbers may be worth less than they look.
        live: The widget that can be asked for more; None for a result that was read from a file.
    """

    status: str
    runs: Sequence[Mapping[str, Any]]
    summary: Sequence[Mapping[str, Any]]
    parity: Mapping[tuple[str, str], Parity | None]
    environment: Mapping[str, Any] | None
    comparisons: Sequence[Mapping[str, Any]] = ()
    warnings: Sequence[str] = ()
    live: Live | None = dataclasses.field(default=None, compare=False)

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
    def from_snapshot(cls, snapshot: Snapshot, live: Live | None = None) -> BenchmarkResult:
        """Take the numbers out of the state that page and kernel share."""
        labels = [card["label"] for card in snapshot["models"]]
        named = [(labels[state["job"]["model"]], backend_of(state), state) for state in snapshot["jobs"]]
        environment = snapshot["environment"]
        return cls(
            status=snapshot["status"],
            runs=tuple(run for label, backend, state in named for run in _runs(label, backend, state)),
            summary=summarize(snapshot),
            parity={(label, contender_name(state)): state["parity"] for label, _, state in named},
            environment=dict(environment) if environment is not None else None,
            comparisons=compare_rounds(snapshot),
            live=live,
            warnings=tuple(snapshot["warnings"]),
        )

    def profile(self, backend: str | None = None, model: str | None = None) -> Pending[Profile]:
        """Ask the page where the time of one run goes: ``await`` it, or read its ``result`` in a later cell.

        Args:
            backend: Of the contender that is meant, "wasm" or "wasm, batch 4"; None if the others tell.
            model: Its label; None if there is one model only.

        Raises:
            OptionError: None of the contenders is meant, or several.
            RunError: This result was read from a file.
        """
        return self._ask("profile", backend, model, _profile_of)

    def divergence(self, backend: str | None = None, model: str | None = None) -> Pending[Divergence]:
        """Ask the page which layer differs from Python's first: ``await`` it, or read its ``result`` in a later cell.

        Args:
            backend: Of the contender that is meant; None if the others tell, or one only did not pass.
            model: Its label; None likewise.

        Raises:
            OptionError: None of the contenders is meant, or several.
            RunError: This result was read from a file.
        """
        found = [names for names, p in self.parity.items() if p is not None and p["status"] in {"failed", "reported"}]
        if backend is None and model is None and len(found) == 1:
            model, backend = found[0]
        return self._ask("divergence", backend, model, _divergence_of)

    def _ask(
        self, kind: TaskKind, backend: str | None, model: str | None, read: Callable[[str, JobState], T]
    ) -> Pending[T]:
        if self.live is None:
            raise RunError("this result was read from a file: only that of a benchmark that is shown can be asked.")
        snapshot = self.live.state
        index = _position_of(snapshot, backend, model)
        label = snapshot["models"][snapshot["jobs"][index]["job"]["model"]]["label"]
        return self.live.ask(kind, snapshot["jobs"][index]["job"], lambda now: read(label, now["jobs"][index]))

    def to_dataframe(self) -> pd.DataFrame:
        """Return ``runs`` as a pandas DataFrame, one row per timed call.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas as pd  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            raise ImportError("to_dataframe needs pandas: pip install 'tfjs-magic[dataframe]'.") from error
        return pd.DataFrame(list(self.runs), columns=["model", "backend", "series", "phase", "index", "latency_ms"])

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
        columns = _columns(self.summary)
        rows = [[title for _, title in columns], *(_cells(row, columns) for row in self.summary)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        below = [*_comparison_lines(self.comparisons), *map(printable, self.warnings)]
        return "\n".join([*(line.rstrip() for line in lines), *below])


def summarize(snapshot: Snapshot) -> tuple[dict[str, Any], ...]:
    """Sum up each job: transfer, load, first run and steady state are four numbers.

    ``transfer_ms`` is the way of model and samples from the kernel, ``load_ms`` what TF.js needs to decode the weights
    and build the model. ``model_nbytes``, ``peak_nbytes``, ``leaked_tensors`` and ``wasm_nbytes``: see ``Memory``.

    Between ``median_low_ms`` and ``median_high_ms`` the median lies with a confidence of 95 %, if the runs do not
    depend on each other; None below six runs. ``p90_ms``, ``p95_ms`` and ``p99_ms`` are None where fewer than three
    runs lie above: below 30, 60 and 300 runs. Every number is None where nothing was measured. ``batch`` is how many
    calls one run averages, where the browser's clock is too coarse for one.

    Source of the interval, from order statistics: W. J. Conover, Practical Nonparametric Statistics, 3.2.
    """
    return tuple(_summary(snapshot["models"][state["job"]["model"]]["label"], state) for state in snapshot["jobs"])


def compare_rounds(snapshot: Snapshot) -> tuple[dict[str, Any], ...]:
    """Compare each job with the first of its series.

    ``ratio`` is the median, over the rounds, of its time in units of the first's.

    Between ``low`` and ``high`` the median lies with a confidence of 95 %; where 1 lies between them, these runs show
    no difference. All jobs ran once in each round, in random order, so that load and drift fell on all alike. Empty
    where they did not take turns (on the page's main thread), or not for six rounds.
    """
    environment = snapshot["environment"]
    if environment is None or not environment["worker"]:
        return ()
    labels = [card["label"] for card in snapshot["models"]]
    found = []
    baselines: dict[str, JobState] = {}
    for state in snapshot["jobs"]:
        first = baselines.setdefault(state["series"]["label"], state)
        if first is state:
            continue
        rounds = zip(state["run_ms"], first["run_ms"], strict=False)
        ratios = [ms / base for ms, base in rounds if min(ms, base) > _SHORTEST_MS]
        low, high = median_interval(ratios)
        if low is not None:
            found.append(
                {
                    "model": labels[state["job"]["model"]],
                    "backend": contender_name(state),
                    "baseline_model": labels[first["job"]["model"]],
                    "baseline_backend": contender_name(first),
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
    columns = _columns(summary)
    head = "".join(f"<th>{html.escape(title)}</th>" for _, title in columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(row, columns)) + "</tr>" for row in summary
    )
    notes = dict.fromkeys(text for row in summary for text in (row["error"], row["parity_note"]) if text)
    lines = [
        *_comparison_lines(comparisons),
        *warnings,
        *notes,
        *([_environment_line(environment)] if environment else []),
    ]
    below = "".join(f"<p>{html.escape(printable(line))}</p>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{below}"


def profiles_of(snapshot: Snapshot) -> list[Profile]:
    """Return every profile that a page has taken, in the order of the jobs."""
    labels = [card["label"] for card in snapshot["models"]]
    return [_profile_of(labels[s["job"]["model"]], s) for s in snapshot["jobs"] if s["profile"] is not None]


def _profile_of(label: str, state: JobState) -> Profile:
    if state["profile"] is None:
        raise RunError("the profile is gone: the benchmark ran again.")
    median = statistics.median(state["run_ms"]) if state["run_ms"] else None
    return Profile.from_wire(label, contender_name(state), state["profile"], median_ms=median)


def _divergence_of(label: str, state: JobState) -> Divergence:
    if state["divergence"] is None:
        raise RunError("what was found is gone: the benchmark ran again.")
    return Divergence.from_wire(label, contender_name(state), state["divergence"])


def _position_of(snapshot: Snapshot, backend: str | None, model: str | None) -> int:
    """Return the index of the job that is meant.

    Raises:
        OptionError: There is none, or more than one.
    """
    names = [(snapshot["models"][state["job"]["model"]]["label"], contender_name(state)) for state in snapshot["jobs"]]
    ran = [{None, backend_of(state), contender_name(state)} for state in snapshot["jobs"]]
    meant = [i for i, (label, _) in enumerate(names) if model in {None, label} and backend in ran[i]]
    if len(meant) == 1:
        return meant[0]
    found = quoted_list(", ".join(name) for name in names)
    if not meant:
        raise OptionError(f"no contender is {backend or 'any backend'} of {model or 'any model'}; there are {found}.")
    raise OptionError(f"backend and model leave {len(meant)} contenders; expected one of {found}.")


def _runs(label: str, backend: str, state: JobState) -> list[dict[str, Any]]:
    phases = {
        "first": [] if state["first_ms"] is None else [state["first_ms"]],
        "warmup": state["warmup_ms"],
        "run": state["run_ms"],
    }
    return [
        {
            "model": label,
            "backend": backend,
            "series": state["series"]["label"],
            "phase": phase,
            "index": index,
            "latency_ms": latency,
        }
        for phase, latencies in phases.items()
        for index, latency in enumerate(latencies)
    ]


def _summary(label: str, state: JobState) -> dict[str, Any]:
    runs = state["run_ms"]
    parity = state["parity"]
    interval = median_interval(runs)
    return {
        "model": label,
        "backend": backend_of(state),
        "series": state["series"]["label"],
        "examples": state["series"]["examples"],
        "status": state["status"],
        "device": state["device"],
        "software": state["software"],
        "parity": parity["status"] if parity else None,
        "parity_note": parity["note"] if parity else "",
        "backend_ms": state["backend_ms"],
        "transfer_ms": state["transfer_ms"],
        "load_ms": state["load_ms"],
        "first_ms": state["first_ms"],
        "warmup_runs": len(state["warmup_ms"]),
        "n": len(runs),
        "batch": state["batch"],
        "median_ms": statistics.median(runs) if runs else None,
        "median_low_ms": interval[0],
        "median_high_ms": interval[1],
        **{f"p{p}_ms": percentile(runs, p) for p in (90, 95, 99)},
        "mean_ms": statistics.fmean(runs) if runs else None,
        "std_ms": statistics.stdev(runs) if len(runs) > 1 else None,
        "min_ms": min(runs, default=None),
        "examples_per_s": _throughput(state),
        **(state["memory"] or dict.fromkeys(Memory.__annotations__)),
        "error": state["error"]["message"] if state["error"] else "",
    }


def _throughput(state: JobState) -> float | None:
    median = statistics.median(state["run_ms"]) if state["run_ms"] else 0
    return 1000 * state["series"]["examples"] / median if median > _SHORTEST_MS else None


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
