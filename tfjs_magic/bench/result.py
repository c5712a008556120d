"""The numbers of a benchmark, once it has ended."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tfjs_magic.bench.divergence import Divergence
from tfjs_magic.bench.findings import NOTHING_FOUND, Findings, divergence_of, profile_of
from tfjs_magic.bench.labels import backend_of, contender_name
from tfjs_magic.bench.profile import Profile
from tfjs_magic.bench.result_file import read_json, read_result, result_text, write_text
from tfjs_magic.bench.result_page import result_page
from tfjs_magic.bench.result_picture import result_svg
from tfjs_magic.bench.result_table import table_html, table_text
from tfjs_magic.bench.snapshot_file import SNAPSHOT_FORMAT, read_snapshot
from tfjs_magic.bench.state import JobState, Parity, Snapshot, TaskKind
from tfjs_magic.bench.summary import compare_rounds, summarize, timed_calls
from tfjs_magic.errors import OptionError, RunError, quoted_list
from tfjs_magic.tables import data_frame

if TYPE_CHECKING:
    import pandas as pd

    from tfjs_magic.bench.pending import Live, Pending

T = TypeVar("T")


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
        kept: Profiles and divergences that were there when this was made; ``profiles`` and ``divergences`` have later
            ones, too.
        live: The widget that can be asked for more; None for a result that was read from a file.
    """

    status: str
    runs: Sequence[Mapping[str, Any]]
    summary: Sequence[Mapping[str, Any]]
    parity: Mapping[tuple[str, str], Parity | None]
    environment: Mapping[str, Any] | None
    comparisons: Sequence[Mapping[str, Any]] = ()
    warnings: Sequence[str] = ()
    kept: Findings = NOTHING_FOUND
    live: Live | None = dataclasses.field(default=None, compare=False)

    @classmethod
    def from_json(cls, source: str | Path) -> BenchmarkResult:
        """Read what :meth:`to_json` wrote, or what a page saved as JSON: its text, or the path of a file.

        Raises:
            OptionError: It is something else, or of a newer version; one sentence says what was found.
        """
        content, where = read_json(source)
        if content.get("format") == SNAPSHOT_FORMAT:
            return cls.from_snapshot(read_snapshot(content, where))
        content = read_result(content, where)
        rows: dict[str, Any] = {name: tuple(content[name]) for name in ("runs", "summary", "comparisons", "warnings")}
        parity = {(row["model"], row["backend"]): row["parity"] for row in content["parity"]}
        kept = Findings.from_rows(content)
        return cls(status=content["status"], environment=content["environment"], parity=parity, kept=kept, **rows)

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot, live: Live | None = None) -> BenchmarkResult:
        """Take the numbers out of the state that page and kernel share."""
        labels = [card["label"] for card in snapshot["models"]]
        environment = snapshot["environment"]
        return cls(
            status=snapshot["status"],
            runs=timed_calls(snapshot),
            summary=summarize(snapshot),
            parity={(labels[s["job"]["model"]], contender_name(s)): s["parity"] for s in snapshot["jobs"]},
            environment=dict(environment) if environment is not None else None,
            comparisons=compare_rounds(snapshot),
            warnings=tuple(snapshot["warnings"]),
            kept=Findings.of(snapshot),
            live=live,
        )

    @property
    def profiles(self) -> Sequence[Profile]:
        """Every profile that a page has taken by now, in the order of the contenders."""
        return self._found.profiles

    @property
    def divergences(self) -> Sequence[Divergence]:
        """Every search for the layer that has ended by now, in the order of the contenders."""
        return self._found.divergences

    @property
    def _found(self) -> Findings:
        """What the widget has, unless it ran again since."""
        if self.live is None or timed_calls(now := self.live.state) != self.runs:
            return self.kept
        return Findings.of(now)

    def profile(self, backend: str | None = None, model: str | None = None) -> Pending[Profile]:
        """Ask the page where the time of one run goes: ``await`` it, or read its ``result`` in a later cell.

        Args:
            backend: Of the contender that is meant, "wasm" or "wasm, batch 4"; None if the others tell.
            model: Its label; None if there is one model only.

        Raises:
            OptionError: None of the contenders is meant, or several.
            RunError: This result was read from a file.
        """
        return self._ask("profile", backend, model, profile_of)

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
        return self._ask("divergence", backend, model, divergence_of)

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
        return data_frame(self.runs, ["model", "backend", "series", "phase", "index", "latency_ms"])

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
            **self._found.to_rows(),
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
        title = f"TensorFlow.js benchmark of {models}"
        text = result_page(title, result_svg(self.runs), self._repr_html_(), self._found.to_html())
        if path is not None:
            write_text(path, text)
        return text

    def _repr_html_(self) -> str:
        return table_html(self.summary, self.environment, self.comparisons, self.warnings)

    def __repr__(self) -> str:
        return table_text(self.summary, self.comparisons, self.warnings)


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
