"""Where the time of one run goes, kernel by kernel."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tfjs_magic.bench import protocol as wire


@dataclasses.dataclass(frozen=True, repr=False)
class Profile:
    """The kernels of one model on one backend; times are means per run, in milliseconds.

    Attributes:
        model: The model's label.
        backend: The backend that ran.
        rows: One record per node and kernel, the longest first: node, layer, kernel, calls, ms, error_ms, nbytes.
        more_rows: How many more there were, and ``more_ms`` their time.
        runs: Profiled runs; as many plain ones ran beside them, in turns.
        profiled_ms: Median of the profiled runs; ``plain_ms`` of the plain ones. The difference is the profiler's cost.
        note: How the time was taken.
    """

    model: str
    backend: str
    rows: Sequence[Mapping[str, Any]]
    more_rows: int
    more_ms: float
    runs: int
    profiled_ms: float
    plain_ms: float
    note: str

    @classmethod
    def from_wire(cls, model: str, backend: str, profile: wire.Profile) -> Profile:
        """Take it as a page reported it."""
        rest = {key: value for key, value in profile.items() if key != "rows"}
        return cls(model, backend, rows=tuple(map(dict, profile["rows"])), **rest)  # type: ignore[arg-type]
