"""What a page reports of a benchmark of one model, in short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

JOB = {"model": 0, "backend": "wasm", "feed": 0}


def job_report(
    *runs: float, first_index: int = 0, warmup: Sequence[float] = (), job: Any = JOB, **progress: Any
) -> dict[str, Any]:
    """Return a job's part of a report: its runs from ``first_index`` on, its warm-up, fields of its progress."""
    fields = {"job": job, "status": "running", "stage": "run", "done": 0, "total": 3, "batch": 1, "error": None}
    fields |= {"actual": None, "device": "", "software": False, "backend_ms": None}
    fields |= {"transfer_ms": None, "load_ms": None, "first_ms": None, "memory": None}
    return {
        "progress": {**fields, **progress},
        "warmup": {"first_index": 0, "latency_ms": list(warmup)},
        "run": {"first_index": first_index, "latency_ms": list(runs)},
    }


def report(*jobs: Any, status: str = "running", environment: Any = None, error: Any = None) -> dict[str, Any]:
    """Return the fields of a message ``report``, but for page and id."""
    return {"status": status, "environment": environment, "error": error, "jobs": list(jobs)}


def done(*runs: float) -> dict[str, Any]:
    """Return the report that ends a benchmark with these runs."""
    return report(job_report(*runs, status="done", stage=None), status="finished")


ROW = {
    "node": "conv",
    "layer": "conv",
    "kernel": "Conv2D",
    "order": 0,
    "calls": 1,
    "ms": 1.5,
    "error_ms": 0.125,
    "nbytes": 400,
}
PROFILE = {
    "rows": [ROW],
    "more_rows": 2,
    "more_ms": 0.25,
    "runs": 30,
    "profiled_ms": 2.5,
    "plain_ms": 2.25,
    "note": "How it was taken.",
}
LAYER = {
    "layer": "conv",
    "layer_class": "Conv2D",
    "max_abs_error": 0.5,
    "max_rel_error": 0.25,
    "added": 0.25,
    "tolerance": 1e-4,
    "passed": False,
    "note": "",
}
UNCOMPARED = dict.fromkeys(("max_abs_error", "max_rel_error", "added", "tolerance"))
DIVERGENCE = {
    "rows": [{**LAYER, **UNCOMPARED, "layer": "scale", "passed": True, "note": "It became a part of 'conv'."}, LAYER],
    "first": "conv",
    "sentence": "'conv' is the first layer that differs.",
    "bound": 1e-4,
    "feed": 0,
    "complete": True,
}


def task(kind: str = "profile", job: Any = JOB) -> dict[str, Any]:
    """Return what a claim and a report of a task name."""
    return {"kind": kind, "job": job}


def task_report(status: str = "running", *, name: Any = None, **fields: Any) -> dict[str, Any]:
    """Return the fields of a message ``report_task``, but for page and id."""
    empty = {"done": 0, "total": 0, "error": None, "profile": None}
    return {"task": name or task(), "status": status, **empty, **fields}
