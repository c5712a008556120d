"""The state of a benchmark as plain data, and how each event changes it.

Source: the reducer of js/src, of which this is the twin: page and kernel apply the same events to the same state.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfjs_magic.bench.protocol import BenchEvent, Job, JobState, ModelCard, ProtocolError, Snapshot, WireError

#: Latencies kept per job and phase: bounds what a page can make the kernel hold, far above any real benchmark.
MAX_SAMPLES = 100_000
#: Latencies are kept to 0.1 µs; the finest browser clock steps by 5 µs, and the saved notebook shrinks by half.
_LATENCY_DIGITS = 4


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


def start(snapshot: Snapshot, page: str) -> Snapshot:
    """Return the state at the start of a run: results of an earlier one are gone."""
    fresh = new_snapshot(snapshot["models"], [state["job"] for state in snapshot["jobs"]])
    return {**fresh, "status": "running", "page": page}


def interrupt(snapshot: Snapshot) -> Snapshot:
    """Return the state after the page that ran it went away; job states stay, in case it comes back."""
    return {**snapshot, "status": "interrupted"}


def resume(snapshot: Snapshot) -> Snapshot:
    """Return the state after a page that was thought gone reported again."""
    return {**snapshot, "status": "running"}


def apply_event(snapshot: Snapshot, event: BenchEvent) -> Snapshot:
    """Return the state after ``event``; the given one is not changed. Applying an event twice changes nothing.

    Raises:
        ProtocolError: The event is about a job that does not exist, or its samples leave a gap.
    """
    if event["kind"] == "environment":
        return {**snapshot, "environment": event["environment"]}
    if event["kind"] == "finished":
        return {**snapshot, "status": "finished"}
    if event["kind"] == "stopped":
        return {**snapshot, "status": "stopped", "jobs": _stop_open_jobs(snapshot)}
    if event["kind"] == "run_failed":
        return {**snapshot, "status": "failed", "error": event["error"], "jobs": _stop_open_jobs(snapshot)}
    if event["job"] not in (state["job"] for state in snapshot["jobs"]):
        raise ProtocolError(f"the benchmark has no job {event['job']}.")
    jobs = [_apply_to_job(state, event) if state["job"] == event["job"] else state for state in snapshot["jobs"]]
    return {**snapshot, "jobs": jobs}


def _apply_to_job(state: JobState, event: BenchEvent) -> JobState:  # noqa: PLR0911 - one return per kind
    if event["kind"] == "progress":
        return {**state, "status": "running", "stage": event["stage"], "done": event["done"], "total": event["total"]}
    if event["kind"] == "ready":
        return {
            **state,
            "actual": event["actual"],
            "device": event["device"],
            "software": event["software"],
            "backend_ms": event["backend_ms"],
            "load_ms": event["load_ms"],
        }
    if event["kind"] == "samples":
        latencies = [round(latency, _LATENCY_DIGITS) for latency in event["latency_ms"]]
        if event["phase"] == "first":
            return {**state, "first_ms": latencies[0] if latencies else state["first_ms"]}
        if event["phase"] == "warmup":
            return {**state, "warmup_ms": _spliced(state["warmup_ms"], event["first_index"], latencies)}
        return {
            **state,
            "run_ms": _spliced(state["run_ms"], event["first_index"], latencies),
            "batch": event["batch"],
        }
    if event["kind"] == "parity":
        return {**state, "parity": event["parity"]}
    if event["kind"] == "job_done":
        return {**state, "status": "done", "stage": None}
    if event["kind"] == "job_failed":
        return {**state, "status": "failed", "stage": None, "error": event["error"]}
    raise AssertionError(event["kind"])


def _spliced(kept: list[float], first_index: int, latencies: list[float]) -> list[float]:
    if not 0 <= first_index <= len(kept) or first_index + len(latencies) > MAX_SAMPLES:
        raise ProtocolError(
            f"samples begin at index {first_index}; expected 0 to {len(kept)}, and at most {MAX_SAMPLES} in all."
        )
    return kept[:first_index] + latencies + kept[first_index + len(latencies) :]


def _stop_open_jobs(snapshot: Snapshot) -> list[JobState]:
    return [
        {**state, "status": "stopped", "stage": None} if state["status"] in {"waiting", "running"} else state
        for state in snapshot["jobs"]
    ]


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
