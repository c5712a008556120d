"""What pages do for one job once a benchmark has ended: one thing at a time, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.reports import JOB, PROFILE, ROW, done, task, task_report
from tests.bench.test_session import Page
from tfjs_magic.bench.protocol import ProtocolError
from tfjs_magic.bench.session import HEARTBEAT_TIMEOUT_S
from tfjs_magic.bench.state import MAX_PROFILE_ROWS

CPU: Any = {**JOB, "backend": "cpu"}


def finished(**options: Any) -> Page:
    page = Page(**options)
    page.claim()
    page.report(*done(1, 2)["jobs"], status="finished")
    return page


def tell(page: Page, status: str = "running", *, by: str = "p", **fields: Any) -> Any:
    return page.ask("report_task", page=by, **task_report(status, **fields))[0]


def shown(page: Page) -> Any:
    return page.session.snapshot["task"]


def test_what_python_wants_is_published_and_the_first_page_runs_it() -> None:
    page = finished()
    ticket = page.session.want("profile", JOB)  # type: ignore[arg-type]
    assert (page.published[-1]["task"]["status"], ticket.status) == ("wanted", "wanted")
    assert [page.claim(by, task=task())["granted"] for by in ("q", "p", "q")] == [True, False, True]
    assert (shown(page)["page"], shown(page)["status"], ticket.status) == ("q", "running", "running")
    tell(page, by="q", done=3, total=30)
    assert (shown(page)["done"], shown(page)["total"]) == (3, 30)
    tell(page, "done", by="q", profile=PROFILE)
    assert page.published[-1]["jobs"][0]["profile"] == PROFILE
    assert (shown(page)["status"], ticket.status, ticket.error) == ("done", "done", None)


def test_a_claim_names_the_job_that_is_meant() -> None:
    page = finished(backends=("wasm", "cpu"))
    assert page.claim(task=task(job=CPU))["jobs"] == [CPU]
    assert "no job" in page.claim(task=task(job={**JOB, "model": 3}))["error"]["message"]


def test_a_button_needs_no_python() -> None:
    page = finished()
    assert page.claim(task=task())["granted"] is True
    assert tell(page, "done", profile=PROFILE)["kind"] == "ack"
    assert page.session.snapshot["jobs"][0]["profile"] == PROFILE


def test_the_benchmarks_numbers_stay_while_a_task_runs_and_fails() -> None:
    page = finished()
    before = page.session.snapshot
    page.claim("q", task=task())
    tell(page, by="q", done=1)
    error = {"name": "Error", "message": "no timer", "stack": ""}
    tell(page, "failed", by="q", error=error)
    after = page.session.snapshot
    assert {**after, "task": None} == before
    assert (shown(page)["status"], shown(page)["error"]) == ("failed", error)


def test_one_after_the_other() -> None:
    page = finished(backends=("wasm", "cpu"))
    first, second = (page.session.want("profile", job) for job in (JOB, CPU))  # type: ignore[arg-type]
    assert page.session.want("profile", CPU) is second
    page.claim(task=task())
    assert page.claim(again=True)["granted"] is False
    tell(page, "failed", error={"name": "E", "message": "m", "stack": ""})
    assert (first.status, second.status) == ("failed", "wanted")
    assert (shown(page)["job"], shown(page)["status"]) == (CPU, "wanted")
    page.claim(task=task(job=CPU))
    tell(page, "done", name=task(job=CPU), profile=PROFILE)
    assert second.status == "done"


def test_a_benchmark_that_runs_again_goes_first_and_what_is_wanted_stays_wanted() -> None:
    page = finished()
    ticket = page.session.want("profile", JOB)  # type: ignore[arg-type]
    assert page.claim(again=True)["granted"] is True
    assert page.claim(task=task())["granted"] is False
    page.report(*done(3)["jobs"], status="finished")
    assert (shown(page)["status"], ticket.status) == ("wanted", "wanted")
    assert page.claim(task=task())["granted"] is True


def test_what_was_asked_for_up_front_comes_by_itself_and_is_not_asked_twice() -> None:
    page = finished(backends=("wasm", "cpu"), profile=True)
    assert (page.status, shown(page)["kind"], shown(page)["status"]) == ("finished", "profile", "wanted")
    page.claim(task=task())
    tell(page, "done", profile=PROFILE)
    assert page.session.want("profile", JOB).status == "done"  # type: ignore[arg-type]
    assert shown(page)["status"] == "done", "the other job did not run"


def test_a_new_run_forgets_profile_and_task() -> None:
    page = finished()
    page.claim(task=task())
    tell(page, "done", profile=PROFILE)
    page.claim(again=True)
    assert (shown(page), page.session.snapshot["jobs"][0]["profile"]) == (None, None)


def test_a_page_that_goes_away_in_mid_task_leaves_a_sentence_and_room_for_the_next() -> None:
    page = finished()
    ticket = page.session.want("profile", JOB)  # type: ignore[arg-type]
    page.claim("q", task=task())
    page.now += HEARTBEAT_TIMEOUT_S + 0.1
    page.session.tick()
    sentence = "The profile did not end: the page that ran it was closed or reloaded."
    assert page.published[-1]["task"]["error"]["message"] == sentence
    assert (page.status, ticket.status, ticket.error["message"]) == ("finished", "failed", sentence)  # type: ignore[index]
    assert tell(page, "done", by="q", profile=PROFILE)["kind"] == "ack"
    assert page.session.snapshot["jobs"][0]["profile"] is None
    assert page.claim("p", task=task())["granted"] is True


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        pytest.param({"by": "other"}, "does not run the profile", id="page"),
        pytest.param({"name": task("divergence")}, "does not run the search for the layer", id="kind"),
        pytest.param({"profile": {**PROFILE, "rows": [ROW] * (MAX_PROFILE_ROWS + 1)}}, "201 rows", id="rows"),
        pytest.param({"profile": {**PROFILE, "rows": [{**ROW, "node": "x" * 1001}]}}, "1000 characters", id="name"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], complaint: str) -> None:
    page = finished()
    page.claim(task=task())
    before = page.session.snapshot
    reply = tell(page, **fields)
    assert complaint in reply["error"]["message"]
    assert page.session.snapshot == before


def test_nothing_is_wanted_of_a_job_that_is_not_there_or_of_a_closed_benchmark() -> None:
    page = finished()
    with pytest.raises(ProtocolError, match="no job"):
        page.session.want("profile", CPU)
    ticket = page.session.want("profile", JOB)  # type: ignore[arg-type]
    page.session.close()
    assert (ticket.status, shown(page)) == ("failed", None)
    assert page.claim(task=task())["granted"] is False
