"""What pages found out about single contenders after the benchmark: where the time goes, where the numbers differ."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping
from typing import Any

from tfjs_magic.bench.divergence import Divergence, divergence_html
from tfjs_magic.bench.labels import contender_name
from tfjs_magic.bench.profile import Profile, profile_html
from tfjs_magic.bench.state import JobState, Snapshot
from tfjs_magic.errors import RunError


@dataclasses.dataclass(frozen=True)
class Findings:
    """All of them, each in the order of the contenders."""

    profiles: tuple[Profile, ...] = ()
    divergences: tuple[Divergence, ...] = ()

    @classmethod
    def of(cls, snapshot: Snapshot) -> Findings:
        """Take them out of the state of a benchmark; a search that has not ended is left out."""
        named = [(snapshot["models"][state["job"]["model"]]["label"], state) for state in snapshot["jobs"]]
        searched = [(label, state) for label, state in named if state["divergence"] and state["divergence"]["complete"]]
        return cls(
            tuple(profile_of(label, state) for label, state in named if state["profile"]),
            tuple(divergence_of(label, state) for label, state in searched),
        )

    @classmethod
    def from_rows(cls, content: Mapping[str, Any]) -> Findings:
        """Take them out of what :meth:`to_rows` gave, read from a file."""
        return cls(
            tuple(_read(Profile, row) for row in content["profiles"]),
            tuple(_read(Divergence, row) for row in content["divergences"]),
        )

    def to_rows(self) -> dict[str, Any]:
        """Return them as plain data."""
        return {
            "profiles": [dataclasses.asdict(profile) for profile in self.profiles],
            "divergences": [dataclasses.asdict(divergence) for divergence in self.divergences],
        }

    def to_html(self) -> str:
        """Return tables and sentences; every text in them is escaped."""
        return "".join([*map(profile_html, self.profiles), *map(divergence_html, self.divergences)])


NOTHING_FOUND = Findings()


def profile_of(label: str, state: JobState) -> Profile:
    """Return the profile of a contender.

    Raises:
        RunError: There is none any more.
    """
    if state["profile"] is None:
        raise RunError("the profile is gone: the benchmark ran again.")
    median = statistics.median(state["run_ms"]) if state["run_ms"] else None
    return Profile.from_wire(label, contender_name(state), state["profile"], median_ms=median)


def divergence_of(label: str, state: JobState) -> Divergence:
    """Return where a contender differs from Python's.

    Raises:
        RunError: That is not known any more.
    """
    if state["divergence"] is None:
        raise RunError("what was found is gone: the benchmark ran again.")
    return Divergence.from_wire(label, contender_name(state), state["divergence"])


def _read(kind: type[Any], row: Mapping[str, Any]) -> Any:
    """Make a finding of its fields; what a later writer has more is left out."""
    fields = {field.name: row[field.name] for field in dataclasses.fields(kind)}
    return kind(**{**fields, "rows": tuple(row["rows"])})
