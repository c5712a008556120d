"""The state of a benchmark as a page without a kernel saves it: from there on it is read as if it had just ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfjs_magic.bench.guards import check_snapshot
from tfjs_magic.bench.protocol import ProtocolError
from tfjs_magic.bench.result_file import LONGEST_MS, check_version
from tfjs_magic.bench.state import ENDED, JobState, Snapshot
from tfjs_magic.errors import OptionError

SNAPSHOT_FORMAT = "tfjs_magic.Snapshot"


def read_snapshot(content: Mapping[str, Any], where: str) -> Snapshot:
    """Return the state, checked field by field: the file may come from anybody.

    Args:
        content: What the JSON holds.
        where: What messages call the file.

    Raises:
        OptionError: It is of a newer version, or what no page can have saved.
    """
    check_version(content, where, SNAPSHOT_FORMAT)
    try:
        snapshot = check_snapshot(content.get("snapshot"))
        for index, state in enumerate(snapshot["jobs"]):
            _check_job(state, len(snapshot["models"]), f"snapshot.jobs[{index}]")
        if snapshot["status"] not in ENDED:
            raise ProtocolError(f"snapshot.status is '{snapshot['status']}'; expected that the benchmark has ended.")
    except ProtocolError as error:
        raise OptionError(f"{where} is no result that a page has saved: {error}") from error
    return snapshot


def _check_job(state: JobState, models: int, where: str) -> None:
    if not 0 <= state["job"]["model"] < models:
        raise ProtocolError(f"{where}.job.model is {state['job']['model']}; expected 0 to {models - 1}.")
    if state["batch"] < 1:
        raise ProtocolError(f"{where}.batch is {state['batch']}; expected 1 or more.")
    for name in ("run_ms", "warmup_ms"):
        if wrong := [ms for ms in state[name] if not 0 <= ms <= LONGEST_MS]:
            raise ProtocolError(f"{where}.{name} holds {wrong[0]:g}; expected 0 to {LONGEST_MS:g} ms.")
