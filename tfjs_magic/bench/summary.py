"""A record per timed call, per contender, and per pair of contenders."""

from __future__ import annotations

import statistics
from typing import Any

from tfjs_magic.bench.labels import backend_of, contender_name
from tfjs_magic.bench.order_statistics import median_interval, percentile
from tfjs_magic.bench.state import JobState, Memory, Snapshot

#: No clock tells so little from nothing, by which one cannot divide.
_SHORTEST_MS = 1e-9


def timed_calls(snapshot: Snapshot) -> tuple[dict[str, Any], ...]:
    """Return a record per timed call: model, backend, series, phase ("first", "warmup", "run"), index, latency_ms."""
    return tuple(
        {
            "model": snapshot["models"][state["job"]["model"]]["label"],
            "backend": backend_of(state),
            "series": state["series"]["label"],
            "phase": phase,
            "index": index,
            "latency_ms": latency,
        }
        for state in snapshot["jobs"]
        for phase, latencies in _phases(state).items()
        for index, latency in enumerate(latencies)
    )


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


def _phases(state: JobState) -> dict[str, list[float]]:
    first = [] if state["first_ms"] is None else [state["first_ms"]]
    return {"first": first, "warmup": state["warmup_ms"], "run": state["run_ms"]}
