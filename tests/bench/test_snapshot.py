"""What the kernel makes of reports."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.bench.reports import JOB, done, job_report, report
from tfjs_magic.bench.protocol import ProtocolError
from tfjs_magic.bench.snapshot import (
    all_failed,
    interrupt,
    job_state,
    new_snapshot,
    resume,
    start,
    with_parity,
    with_report,
)
from tfjs_magic.bench.state import Snapshot
from tfjs_magic.options import MAX_RUNS

CPU: Any = {"model": 0, "backend": "cpu", "feed": 0}
WASM: Any = JOB
ERROR = {"name": "E", "message": "m", "stack": ""}
READY = {"actual": "wasm", "device": "SIMD", "software": False, "backend_ms": 1.0, "load_ms": 2.0, "first_ms": 9.0}


def running() -> Snapshot:
    return start(new_snapshot([{"label": "m", "format": "graph-model", "nbytes": 1}], [WASM, CPU]), "p", [WASM, CPU])


def after(*reports: Any) -> Snapshot:
    snapshot = running()
    for told in reports:
        snapshot = with_report(snapshot, told)
    return snapshot


def test_a_report_replaces_what_is_told_of_a_job_and_leaves_the_others() -> None:
    wasm, cpu = after(report(job_report(1, 2, warmup=[5, 4], batch=3, **READY)))["jobs"]
    assert {key: wasm[key] for key in READY} == READY  # type: ignore[literal-required]
    assert (wasm["warmup_ms"], wasm["run_ms"], wasm["batch"]) == ([5, 4], [1, 2], 3)
    assert cpu == running()["jobs"][1]


def test_the_status_of_the_run_its_error_and_its_environment_are_the_pages() -> None:
    environment = {"worker": True, "hidden_ms": 0.0, "clock_resolution_ms": 0.1}
    snapshot = after(report(status="failed", error=ERROR, environment=environment))
    assert (snapshot["status"], snapshot["error"], snapshot["environment"]) == ("failed", ERROR, environment)
    assert snapshot["page"] == "p"


def test_latencies_are_put_where_they_are_told_so_that_a_repeated_report_changes_nothing() -> None:
    first, second = report(job_report(1, 2)), report(job_report(3, first_index=2))
    assert after(first, second)["jobs"][0]["run_ms"] == [1, 2, 3]
    assert after(first, second, second) == after(first, second)


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        pytest.param(job_report(1, first_index=1), "begin at 0 to 0", id="gap"),
        pytest.param(job_report(1, first_index=-1), "begin at 0 to 0", id="negative"),
        pytest.param(job_report(*[1.0] * (MAX_RUNS + 1)), f"{MAX_RUNS} at most", id="too-many"),
        pytest.param(job_report(warmup=[1.0] * (MAX_RUNS + 1)), f"{MAX_RUNS} at most", id="too-much-warm-up"),
        pytest.param(job_report(job={"model": 3, "backend": None, "feed": 0}), "no job", id="unknown"),
    ],
)
def test_a_report_that_does_not_fit_is_refused(told: Any, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        after(report(told))


def test_the_verdict_stays_through_reports() -> None:
    parity: Any = {"status": "passed", "note": "", "outputs": []}
    judged = with_report(with_parity(running(), CPU, parity), done(1))
    assert [state["parity"] for state in judged["jobs"]] == [None, parity]
    with pytest.raises(ProtocolError, match="no job"):
        with_parity(running(), {"model": 1, "backend": "cpu", "feed": 0}, parity)


def test_nothing_that_is_given_is_changed() -> None:
    before = after(report(job_report(1)))
    kept = copy.deepcopy(before)
    with_report(before, report(job_report(2, first_index=1), status="finished"))
    assert before == kept


def test_interrupted_and_resumed_keeps_everything_and_a_new_start_nothing() -> None:
    snapshot = after(report(job_report(1)))
    assert interrupt(snapshot)["status"] == "interrupted"
    assert resume(interrupt(snapshot)) == snapshot
    assert start(snapshot, "p", [WASM, CPU]) == running()


def test_only_if_every_job_failed_there_is_nothing_to_show() -> None:
    failed = [job_report(job=job, status="failed", error={**ERROR, "message": job["backend"]}) for job in (WASM, CPU)]
    assert all_failed(after(report(failed[0]))) is None
    assert all_failed(after(report(*failed))) == {**ERROR, "message": "wasm"}
    assert job_state(after(report(failed[0])), WASM)["status"] == "failed"
