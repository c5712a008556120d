"""The state of a benchmark as plain data.

The page that runs it owns the state and reports what changed; here that is checked and stored. Only the verdicts are
the kernel's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfjs_magic.bench.noise import noise_lines
from tfjs_magic.bench.protocol import JobReport, Latencies, ProtocolError, Report
from tfjs_magic.bench.state import (
    CONCLUDED,
    MAX_PROFILE_ROWS,
    Divergence,
    Job,
    JobState,
    ModelCard,
    Parity,
    Profile,
    Series,
    Snapshot,
    Task,
    TaskName,
    WireError,
)
from tfjs_magic.options import MAX_RUNS

#: The page cuts names that are longer; both of a row together.
_MAX_NAMES = 1000


#: Of a model that runs with one size only.
ONE_SERIES: Series = {"label": "", "examples": 1}


def new_snapshot(models: Sequence[ModelCard], jobs: Sequence[Job], series: Sequence[Series] | None = None) -> Snapshot:
    """Return the state before any page has claimed the benchmark; ``series`` says what each job times."""
    series = series or [ONE_SERIES] * len(jobs)
    return {
        "status": "pending",
        "page": "",
        "models": list(models),
        "environment": None,
        "jobs": [_new_job(job, timed) for job, timed in zip(jobs, series, strict=True)],
        "error": None,
        "task": None,
        "warnings": [],
    }


def start(snapshot: Snapshot, page: str, jobs: Sequence[Job], series: Sequence[Series] | None = None) -> Snapshot:
    """Return the state at the start of a run: results of an earlier one are gone, but not what is wanted."""
    task = snapshot["task"]
    wanted = task if task is not None and task["status"] == "wanted" else None
    return {**new_snapshot(snapshot["models"], jobs, series), "status": "running", "page": page, "task": wanted}


def interrupt(snapshot: Snapshot) -> Snapshot:
    """Return the state after the page that ran it went away; job states stay, in case it comes back."""
    return {**snapshot, "status": "interrupted"}


def lose(snapshot: Snapshot, error: WireError) -> Snapshot:
    """Return the state after the page that ran it was lost for good: jobs that had not ended say why."""
    jobs: list[JobState] = [
        state if state["status"] in {"done", "failed"} else {**state, "status": "failed", "error": error}
        for state in snapshot["jobs"]
    ]
    lost: Snapshot = {**snapshot, "status": "failed", "jobs": jobs}
    return {**lost, "warnings": noise_lines(lost)}


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
    told_all: Snapshot = {**snapshot, "status": status, "environment": environment, "error": error, "jobs": jobs}
    return {**told_all, "warnings": noise_lines(told_all)} if status in CONCLUDED else told_all


def with_parity(snapshot: Snapshot, job: Job, parity: Parity) -> Snapshot:
    """Return the state with the verdict on a job.

    Raises:
        ProtocolError: The job does not exist.
    """
    jobs = list(snapshot["jobs"])
    position = _position(snapshot, job)
    jobs[position] = {**jobs[position], "parity": parity}
    return {**snapshot, "jobs": jobs}


def with_task(snapshot: Snapshot, task: Task | None) -> Snapshot:
    """Return the state with what a page does, or shall do, for one job."""
    return {**snapshot, "task": task}


def wanted(name: TaskName) -> Task:
    """Return a task that no page has claimed yet."""
    return {**name, "status": "wanted", "page": "", "done": 0, "total": 0, "error": None}


def runs_task(snapshot: Snapshot) -> bool:
    """Whether a page is busy with a task."""
    task = snapshot["task"]
    return task is not None and task["status"] == "running"


def is_busy(snapshot: Snapshot) -> bool:
    """Whether a page runs the benchmark or a task."""
    return snapshot["status"] == "running" or runs_task(snapshot)


def with_profile(snapshot: Snapshot, job: Job, profile: Profile) -> Snapshot:
    """Return the state with the profile of a job.

    Raises:
        ProtocolError: The job does not exist, or the profile has too many rows or names that are too long.
    """
    rows = profile["rows"]
    if len(rows) > MAX_PROFILE_ROWS or any(len(row["node"]) + len(row["kernel"]) > _MAX_NAMES for row in rows):
        raise ProtocolError(
            f"the profile has {len(rows)} rows; expected {MAX_PROFILE_ROWS} at most, names of {_MAX_NAMES} characters."
        )
    jobs = list(snapshot["jobs"])
    position = _position(snapshot, job)
    jobs[position] = {**jobs[position], "profile": profile}
    return {**snapshot, "jobs": jobs}


def with_divergence(snapshot: Snapshot, job: Job, divergence: Divergence) -> Snapshot:
    """Return the state with what is known of where a job differs.

    Raises:
        ProtocolError: The job does not exist.
    """
    jobs = list(snapshot["jobs"])
    position = _position(snapshot, job)
    jobs[position] = {**jobs[position], "divergence": divergence}
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


def _new_job(job: Job, series: Series) -> JobState:
    return {
        "job": job,
        "series": series,
        "status": "waiting",
        "stage": None,
        "done": 0,
        "total": 0,
        "actual": None,
        "device": "",
        "software": False,
        "backend_ms": None,
        "transfer_ms": None,
        "load_ms": None,
        "first_ms": None,
        "warmup_ms": [],
        "run_ms": [],
        "memory": None,
        "batch": 1,
        "parity": None,
        "profile": None,
        "divergence": None,
        "error": None,
    }


def all_failed(snapshot: Snapshot) -> WireError | None:
    """Return the first error if no job brought any number, else None."""
    errors = [state["error"] for state in snapshot["jobs"] if state["error"] is not None]
    return errors[0] if errors and len(errors) == len(snapshot["jobs"]) else None
