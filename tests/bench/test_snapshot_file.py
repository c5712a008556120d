"""What a page without a kernel saves is read as any other result; what it cannot have saved is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.bench.test_result import ENVIRONMENT, snapshot_with
from tfjs_magic import BenchmarkResult
from tfjs_magic.errors import OptionError


def _saved(**changes: Any) -> dict[str, Any]:
    snapshot: Any = snapshot_with([1.0, 2.0, 3.0])
    snapshot |= {"status": "finished", "environment": ENVIRONMENT}
    return {"format": "tfjs_magic.Snapshot", "version": 1, "snapshot": snapshot | changes}


def test_it_gives_the_numbers() -> None:
    saved = _saved()
    result = BenchmarkResult.from_json(json.dumps(saved))
    assert result == BenchmarkResult.from_snapshot(saved["snapshot"])
    assert result.summary[0]["median_ms"] == 2
    assert BenchmarkResult.from_json(result.to_json()) == result


def _job(saved: dict[str, Any], **changes: Any) -> dict[str, Any]:
    saved["snapshot"]["jobs"][0] |= changes
    return saved


@pytest.mark.parametrize(
    ("saved", "says"),
    [
        pytest.param({**_saved(), "version": 2}, "reads up to version 1: update tfjs_magic", id="newer"),
        pytest.param({**_saved(), "version": "1"}, "has the version '1'", id="no-version"),
        pytest.param({**_saved(), "snapshot": []}, "snapshot is a list; expected an object", id="list"),
        pytest.param(_saved(status="running"), "expected that the benchmark has ended", id="running"),
        pytest.param(_saved(jobs=[{}]), r"snapshot.jobs\[0\] lacks", id="no-job"),
        pytest.param(_saved(models=[]), r"job.model is 0; expected 0 to -1", id="no-model"),
        pytest.param(_job(_saved(), run_ms=[-1]), r"run_ms holds -1; expected 0 to", id="negative"),
        pytest.param(_job(_saved(), batch=0), r"batch is 0; expected 1 or more", id="batch"),
        pytest.param(_job(_saved(), device="x" * 30_000), "has 30000 characters", id="long-text"),
    ],
)
def test_what_no_page_has_saved_is_refused(saved: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        BenchmarkResult.from_json(json.dumps(saved))
