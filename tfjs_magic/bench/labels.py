"""What the contenders of a benchmark are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfjs_magic.bench.state import JobState, Snapshot


def backend_of(state: JobState) -> str:
    """Return the backend that ran, or that was asked for."""
    return state["actual"] or state["job"]["backend"] or "auto"


def contender_name(state: JobState) -> str:
    """Name what ran beside the model: "wasm", or "wasm, batch 4" where it is timed with several sizes."""
    series = state["series"]["label"]
    return f"{backend_of(state)}, {series}" if series else backend_of(state)


def series_name(snapshot: Snapshot, state: JobState) -> str:
    """Return what ran; of several models, the model first."""
    name = contender_name(state)
    return f"{snapshot['models'][state['job']['model']]['label']}, {name}" if len(snapshot["models"]) > 1 else name


def key_of(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the model and the name of the contender that a row of a result is about."""
    return row["model"], f"{row['backend']}, {row['series']}" if row["series"] else row["backend"]
