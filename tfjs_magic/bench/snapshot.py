"""The state of a benchmark as plain data.

The page that runs it owns the state and reports what changed; here that is checked and stored. Only the verdicts are
the kernel's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfjs_magic.bench.protocol import (
    Job,
    JobReport,
    JobState,
    Latencies,
    ModelCard,
    Parity,
    ProtocolError,
    Report,
    Snapshot,
    WireError,
)
from tfjs_magic.options import MAX_RUNS


def new_snapshot(models: Sequence[ModelCard], jobs: Sequence[Job]) -> Snapshot:
    """Return the state before any page has claimed the benchmark."""
    return {
        "status": "pending",
        "page": "",
        "models": list(models),
        "environment": None,
        "jobs": [_new_job(job) for job in jobs],
        "error": None,
    }


def start(snapshot: Snapshot, page: str, jobs: Sequence[Job]) -> Snapshot:
    """Return the state at the start of a run: results of an earlier one are gone."""
    return {**new_snapshot(snapshot["models"], jobs), "status": "running", "page": page}


def interrupt(snapshot: Snapshot) -> Snapshot:
    """Return the state after the page that ran it went away; job states stay, in case it comes back."""
    return {**snapshot, "status": "interrupted"}


def resume(snapshot: Snapshot) -> Snapshot:
    """Return the state after a page that was thought gone reported again."""
    return {**snapshot, "status": "running"}


def with_report(snapshot: Snapshot, report: Report) -> Snapshot:
    """Return the state that the page reports; the given one is not changed. The same report twice changes nothing.

    Raises:
        ProtocolError: It is about a job that does not exist, or its latencies leave a gap or are too many.
    """
    jobs = list(snapshot["jobs"])
    for told in report["jobs"]:
        position = _position(snapshot, told["progress"]["job"])
        jobs[position] = _with_job_report(jobs[position], told)
    status, environment, error = report["status"], report["environment"], report["error"]
    return {**snapshot, "status": status, "environment": environment, "error": error, "jobs": jobs}


def with_parity(snapshot: Snapshot, job: Job, parity: Parity) -> Snapshot:
    """Return the state with the verdict on a job.

    Raises:
        ProtocolError: The job does not exist.
    """
    jobs = list(snapshot["jobs"])
    position = _position(snapshot, job)
    jobs[position] = {**jobs[position], "parity": parity}
    return {**snapshot, "jobs": jobs}


def job_state(snapshot: Snapshot, job: Job) -> JobState:
    """Return what is known of a job.

    Raises:
        ProtocolError: The job does not exist.
    """
    return snapshot["jobs"][_position(snapshot, job)]


def _position(snapshot: Snapshot, job: Job) -> int:
    for position, state in enumerate(snapshot["jobs"]):
        if state["job"] == job:
            return position
    raise ProtocolError(f"the benchmark has no job {job}.")


def _with_job_report(kept: JobState, told: JobReport) -> JobState:
    return {
        **kept,
        **told["progress"],
        "warmup_ms": _spliced(kept["warmup_ms"], told["warmup"]),
        "run_ms": _spliced(kept["run_ms"], told["run"]),
    }


def _spliced(kept: list[float], told: Latencies) -> list[float]:
    start, end = told["first_index"], told["first_index"] + len(told["latency_ms"])
    if not 0 <= start <= len(kept) or end > MAX_RUNS:
        raise ProtocolError(
            f"latencies {start} to {end} are told; expected to begin at 0 to {len(kept)}, and {MAX_RUNS} at most."
        )
    return kept[:start] + told["latency_ms"] + kept[end:]


def _new_job(job: Job) -> JobState:
    return {
        "job": job,
        "status": "waiting",
        "stage": None,
        "done": 0,
        "total": 0,
        "actual": None,
        "device": "",
        "software": False,
        "backend_ms": None,
        "load_ms": None,
        "first_ms": None,
        "warmup_ms": [],
        "run_ms": [],
        "batch": 1,
        "parity": None,
        "error": None,
    }


def all_failed(snapshot: Snapshot) -> WireError | None:
    """Return the first error if no job brought any number, else None."""
    errors = [state["error"] for state in snapshot["jobs"] if state["error"] is not None]
    return errors[0] if errors and len(errors) == len(snapshot["jobs"]) else None
