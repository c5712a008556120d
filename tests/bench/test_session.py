"""The kernel's side of the conversation, with recorded answers and a clock that the test moves."""

from __future__ import annotations

import dataclasses
import itertools
import json
import threading
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tests.models
import tfjs_magic
from tests.bench.reports import JOB, done, job_report, report
from tests.bench.tiny import BIAS, KERNEL, dense, tiny_model
from tfjs_magic.artifacts import Quantization
from tfjs_magic.bench.assets import Asset
from tfjs_magic.bench.contender import Contender
from tfjs_magic.bench.feeds import Feed, seeded_feeds, timed_feeds
from tfjs_magic.bench.result import BenchmarkResult
from tfjs_magic.bench.session import HEARTBEAT_TIMEOUT_S, Session
from tfjs_magic.model import TfjsModel
from tfjs_magic.options import BenchmarkOptions

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><rect width="1" height="1"/></svg>'


class Page:
    """A page that talks to a session and keeps what it hears."""

    def __init__(
        self,
        model: TfjsModel | None = None,
        assets: dict[str, Asset] | None = None,
        publishing_s: float = 0.0,
        **options: Any,
    ) -> None:
        self.now = 0.0
        self.publishing_s = publishing_s
        self.replies: list[tuple[Any, list[bytes]]] = []
        self.published: list[Any] = []
        model = tiny_model() if model is None else model
        self.feeds = seeded_feeds(model.inputs, seed=0)
        self.session = Session(
            [Contender("tiny", model, self.feeds)],
            options=BenchmarkOptions(**{"backends": ("wasm",), "runs": 3, **options}),
            assets=assets or {},
            send=lambda reply, buffers: self.replies.append((reply, buffers)),
            publish=self.publish,
            clock=lambda: self.now,
        )

    def publish(self, snapshot: Any) -> None:
        self.published.append(snapshot)
        self.now += self.publishing_s

    def ask(self, kind: str, *buffers: bytes | memoryview, **fields: Any) -> tuple[Any, list[bytes]]:
        message = {"kind": kind, "id": len(self.replies), **fields}
        self.session.receive(message, buffers)
        reply, out = self.replies[-1]
        assert reply["id"] == message["id"]
        json.dumps(reply, allow_nan=False)
        return reply, out

    def claim(self, page: str = "p", *, again: bool = False, choice: Any = None, task: Any = None) -> Any:
        return self.ask("claim", page=page, again=again, choice=choice, task=task)[0]

    def report(self, *jobs: Any, page: str = "p", **fields: Any) -> Any:
        return self.ask("report", page=page, **report(*jobs, **fields))[0]

    def put(self, array: Any, *, feed: int = 0, offset: int = 0, total: int | None = None, **tensor: Any) -> Any:
        content = array.tobytes()
        wire = {"name": "y", "dtype": "float32", "shape": list(array.shape), "values": None, **tensor}
        total = len(content) if total is None else total
        return self.ask("put_output", content, page="p", job=JOB, feed=feed, tensor=wire, offset=offset, total=total)[0]

    @property
    def status(self) -> str:
        return str(self.session.snapshot["status"])


# ---------------------------------------------------------------- who runs it


def test_the_first_page_runs_it_and_the_second_mirrors() -> None:
    page = Page()
    first = page.claim("a")
    assert (first["granted"], first["jobs"], first["runs"], first["warmup"]) == (True, [JOB], 3, "auto")
    assert page.claim("b")["granted"] is False
    assert page.session.snapshot["page"] == "a"


def test_a_claim_that_is_sent_twice_is_granted_twice() -> None:
    page = Page()
    assert [page.claim("a")["granted"], page.claim("a")["granted"]] == [True, True]


def test_a_claim_whose_answer_got_lost_is_granted_after_the_silence_too() -> None:
    page = Page()
    page.claim("a")
    page.now = HEARTBEAT_TIMEOUT_S + 1
    page.session.tick()
    assert page.claim("b")["granted"] is False
    assert page.claim("a")["granted"] is True
    assert page.status == "running"


def test_a_finished_benchmark_runs_again_only_when_the_user_says_so() -> None:
    page = Page()
    page.claim("a")
    page.report(*done(1, 2)["jobs"], status="finished", page="a")
    assert page.claim("b")["granted"] is False
    assert page.session.snapshot["jobs"][0]["run_ms"] == [1, 2]
    assert page.claim("b", again=True)["granted"] is True
    assert (page.status, page.session.snapshot["jobs"][0]["run_ms"]) == ("running", [])


def test_a_silent_page_is_interrupted_and_another_may_take_over() -> None:
    page = Page()
    page.claim("a")
    page.now = HEARTBEAT_TIMEOUT_S - 0.1
    page.session.tick()
    assert page.status == "running"
    page.now += 0.2
    page.session.tick()
    assert page.status == page.published[-1]["status"] == "interrupted"
    assert page.claim("b", again=True)["granted"] is True


def test_a_reloaded_page_finds_out_without_a_timer() -> None:
    page = Page()
    page.claim("a")
    page.now = HEARTBEAT_TIMEOUT_S + 1
    assert page.claim("reloaded")["granted"] is False
    assert page.status == "interrupted"


def test_silence_proves_nothing_while_the_kernel_was_busy() -> None:
    page = Page()
    page.claim("p")
    page.now = 100
    page.session.tick(kernel_was_busy=True)
    assert page.status == "running"


def test_a_page_that_was_thought_gone_goes_on() -> None:
    page = Page()
    page.claim("p")
    page.now = 100
    page.session.tick()
    assert page.status == "interrupted"
    assert page.report(job_report(1))["kind"] == "ack"
    assert (page.status, page.session.snapshot["jobs"][0]["run_ms"]) == ("running", [1])


def test_a_page_that_is_lost_leaves_what_it_measured_and_may_not_come_back() -> None:
    page = Page()
    page.claim()
    page.report(job_report(1, 2))
    page.session.lose_page("Chrome was lost.")
    (job,) = page.session.snapshot["jobs"]
    assert (page.session.snapshot["status"], job["status"], job["run_ms"]) == ("failed", "failed", [1, 2])
    assert job["error"] == {"name": "Error", "message": "Chrome was lost.", "stack": ""}
    assert page.published[-1] is page.session.snapshot
    assert page.report(job_report(3, first_index=2))["kind"] == "failed"


def test_a_page_that_is_lost_after_the_end_changes_no_number() -> None:
    page = Page()
    page.claim()
    page.report(*done(1, 2)["jobs"], status="finished")
    before = page.session.snapshot
    page.session.lose_page("Chrome was lost.")
    assert page.session.snapshot == before


class TestChoice:
    """The reader runs something else again than what the cell asked for."""

    def ended(self) -> Page:
        page = Page()
        page.claim()
        page.report(status="finished")
        return page

    def test_makes_new_jobs(self) -> None:
        page = self.ended()
        reply = page.claim(again=True, choice={"backends": ["cpu", "webgl"], "runs": 7})
        assert reply["jobs"] == [{"model": 0, "backend": "cpu", "feed": 0}, {"model": 0, "backend": "webgl", "feed": 0}]
        assert reply["runs"] == 7
        assert [state["job"] for state in page.session.snapshot["jobs"]] == reply["jobs"]

    def test_of_no_backend_means_the_fastest(self) -> None:
        reply = self.ended().claim(again=True, choice={"backends": [], "runs": None})
        assert reply["jobs"] == [{"model": 0, "backend": None, "feed": 0}]
        assert reply["runs"] == 3

    def test_holds_for_one_run(self) -> None:
        page = self.ended()
        page.claim(again=True, choice={"backends": ["cpu"], "runs": 7})
        assert page.claim(choice=None)["jobs"] == [{"model": 0, "backend": "cpu", "feed": 0}], (  # sent twice
            "the same claim, sent twice"
        )
        page.report(status="stopped")
        reply = page.claim(again=True)
        assert (reply["jobs"], reply["runs"]) == ([JOB], 3)

    def test_out_of_bounds_is_refused_and_changes_nothing(self) -> None:
        page = self.ended()
        before = page.session.snapshot
        reply = page.claim(again=True, choice={"backends": None, "runs": 0})
        assert "runs is 0" in reply["error"]["message"]
        assert page.session.snapshot is before


def test_gives_the_result_as_a_file() -> None:
    page = Page()
    page.claim()
    page.report(job_report(1.5, status="done", stage=None), status="finished")
    _, (content,) = page.ask("get_result")
    assert json.loads(content) == json.loads(BenchmarkResult.from_snapshot(page.session.snapshot).to_json())


@pytest.mark.parametrize("kind", ["report", "verify", "picture", "put_output"])
def test_a_page_without_the_claim_changes_nothing(kind: str) -> None:
    page = Page()
    page.claim("p")
    before = page.session.snapshot
    wire = {"name": "y", "dtype": "float32", "shape": [1, 3], "values": None}
    fields = {
        "report": done(1),
        "verify": {"job": JOB, "actual": None},
        "picture": {"svg": SVG},
        "put_output": {"job": JOB, "feed": 0, "tensor": wire, "offset": 0, "total": 12},
    }
    reply, _ = page.ask(kind, bytes(12), page="other", **fields[kind])
    assert (reply["kind"], page.session.snapshot, page.session.picture) == ("failed", before, None)


@pytest.mark.parametrize("page", ["", "p"])
def test_nothing_is_told_before_a_claim(page: str) -> None:
    told = Page()
    assert told.report(*done(1)["jobs"], status="finished", page=page)["kind"] == "failed"
    assert told.status == "pending"


def test_nothing_more_is_told_after_the_end() -> None:
    page = Page()
    page.claim()
    page.report(*done(1, 2)["jobs"], status="finished")
    ended = page.session.snapshot
    assert "has ended" in page.report(*done(9)["jobs"], status="failed")["error"]["message"]
    assert page.ask("verify", page="p", job=JOB, actual=None)[0]["kind"] == "failed"
    assert page.put(dense(page.feeds[0])["y"])["kind"] == "failed"
    assert page.session.snapshot == ended
    assert page.ask("picture", page="p", svg=SVG)[0]["kind"] == "ack"


# ---------------------------------------------------------------- what it gives


def test_model_weights_and_feed_arrive_as_they_are() -> None:
    model = tiny_model()
    page = Page(model)
    reply, (document,) = page.ask("get_model", model=0)
    assert json.loads(document) == model.model_json
    assert (reply["weight_nbytes"], reply["feeds"], reply["compare"]) == (60, 2, True)
    assert (reply["inputs"], reply["outputs"]) == (["x"], ["y"])
    chunks = [page.ask("get_weights", model=0, offset=offset, length=40) for offset in (0, 40)]
    assert b"".join(out[0] for _, out in chunks) == KERNEL.tobytes() + BIAS.tobytes()
    assert all(reply["crc32"] == zlib.crc32(out[0]) for reply, out in chunks)
    reply, (content,) = page.ask("get_feed", model=0, feed=1)
    assert reply["tensors"] == [{"name": "x", "dtype": "float32", "shape": [1, 4], "values": None}]
    assert content == page.feeds[1]["x"].tobytes()


@pytest.mark.parametrize(
    ("kind", "fields", "complaint"),
    [
        ("get_model", {"model": 1}, "there is no model 1"),
        ("get_model", {"model": -1}, "there is no model -1"),
        ("get_weights", {"model": 0, "offset": -1, "length": 4}, "4 bytes from -1"),
        ("get_weights", {"model": 0, "offset": 0, "length": 2**22 + 1}, "expected 1 to 4194304"),
        ("get_feed", {"model": 0, "feed": 2}, "no feed 2"),
        ("get_asset", {"name": "../errors.py"}, "no file '../errors.py'"),
    ],
)
def test_what_is_not_there_is_a_failed_reply(kind: str, fields: dict[str, Any], complaint: str) -> None:
    reply, _ = Page().ask(kind, **fields)
    assert reply["kind"] == "failed"
    assert complaint in reply["error"]["message"]


def test_nonsense_is_answered_too() -> None:
    page = Page()
    for content in (None, [], "x", {"kind": "claim"}, {"id": "seven"}):
        page.session.receive(content, [])
    assert [(reply["kind"], reply["id"]) for reply, _ in page.replies] == [("failed", -1)] * 5


def test_a_file_comes_as_it_lies_there(tmp_path: Path) -> None:
    (tmp_path / "page.js.gz").write_bytes(b"packed")
    reply, (content,) = Page(assets={"page.js": Asset(tmp_path / "page.js.gz", "hash")}).ask(
        "get_asset", name="page.js"
    )
    assert (reply["kind"], reply["encoding"], content) == ("asset", "gzip", b"packed")


# ---------------------------------------------------------------- what it is told


def test_outputs_in_pieces_are_compared_with_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfjs_magic.bench.outputs.MAX_PIECE_BYTES", 8)
    page = Page()
    page.claim()
    for index, feed in enumerate(page.feeds):
        flat = dense(feed)["y"].ravel()
        page.put(flat[2:], feed=index, offset=8, total=12, shape=[1, 3])
        assert page.put(flat[:2], feed=index, total=12, shape=[1, 3])["kind"] == "ack"
    parity = page.ask("verify", page="p", job=JOB, actual=None)[0]["parity"]
    assert (parity["status"], parity["outputs"][0]["max_abs_error"]) == ("passed", 0)


@pytest.mark.parametrize(("actual", "tolerance"), [("wasm", 1e-4), ("webgpu", 1e-3), (None, 1e-3)])
def test_the_fastest_backend_is_held_to_its_own_tolerance(actual: str | None, tolerance: float) -> None:
    """Which one it is comes with the outputs: the report that names it may come later."""
    job = {"model": 0, "backend": None, "feed": 0}
    page = Page(backends=None)
    page.claim()
    for index, feed in enumerate(page.feeds):
        content = dense(feed)["y"]
        tensor = {"name": "y", "dtype": "float32", "shape": [1, 3], "values": None}
        fields = {"page": "p", "job": job, "feed": index, "tensor": tensor, "offset": 0, "total": content.nbytes}
        page.ask("put_output", content.tobytes(), **fields)
    parity = page.ask("verify", page="p", job=job, actual=actual)[0]["parity"]
    assert (parity["status"], parity["outputs"][0]["tolerance"]) == ("passed", tolerance)


def test_the_verdict_is_the_kernels_own() -> None:
    """It stands in the state at once, and no report touches it."""
    page = Page()
    page.claim()
    for index, feed in enumerate(page.feeds):
        page.put(dense(feed)["y"], feed=index)
    parity = page.ask("verify", page="p", job=JOB, actual=None)[0]["parity"]
    assert page.session.snapshot["jobs"][0]["parity"] == parity
    page.report({**job_report(1), "parity": {"status": "failed"}})
    assert page.session.snapshot["jobs"][0]["parity"] == parity


def test_a_comparison_that_outlives_the_claim_counts_for_nobody() -> None:
    """Another page may take over while Python computes its outputs."""
    page = Page(tiny_model(call=lambda inputs: page.claim("q", again=True) and dense(inputs)))
    page.claim()
    for index, feed in enumerate(page.feeds):
        page.put(dense(feed)["y"], feed=index)
    page.report(status="stopped")
    page.session.receive({"kind": "verify", "id": 99, "page": "p", "job": JOB, "actual": None}, [])
    assert (page.replies[-1][0]["kind"], page.replies[-1][0]["id"]) == ("failed", 99)
    assert page.session.snapshot["jobs"][0]["parity"] is None


def test_wrong_outputs_fail_and_are_compared_only_once() -> None:
    page = Page()
    page.claim()
    for index, feed in enumerate(page.feeds):
        page.put(dense(feed)["y"] + np.float32(0.5), feed=index)
    assert page.ask("verify", page="p", job=JOB, actual=None)[0]["parity"]["status"] == "failed"
    reply, _ = page.ask("verify", page="p", job=JOB, actual=None)
    assert "has not arrived in full" in reply["error"]["message"]


def test_a_verdict_that_got_lost_is_told_again_until_the_next_claim() -> None:
    page = Page()
    page.claim()
    for index, feed in enumerate(page.feeds):
        page.put(dense(feed)["y"], feed=index)
    message = {"kind": "verify", "id": 99, "page": "p", "job": JOB, "actual": None}
    for _ in range(2):
        page.session.receive(message, [])
    assert page.replies[-1] == page.replies[-2]
    assert page.replies[-1][0]["parity"]["status"] == "passed"
    page.report(status="stopped")
    page.claim(again=True)
    page.session.receive(message, [])
    assert "has not arrived in full" in page.replies[-1][0]["error"]["message"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param({"total": 16}, "says it has 16 bytes", id="store"),
        pytest.param({"name": "z"}, "no output 'z'", id="name"),
        pytest.param({"feed": 9}, "no feed 9", id="feed"),
        pytest.param({"dtype": "string", "values": ["a"] * 3}, "'y' is string; expected float32", id="text"),
    ],
)
def test_outputs_that_the_model_has_not_are_refused(changes: dict[str, Any], complaint: str) -> None:
    page = Page()
    page.claim()
    reply = page.put(np.zeros((1, 3), np.float32), **changes)
    assert reply["kind"] == "failed"
    assert complaint in reply["error"]["message"]


def _broken(_: Any) -> Any:
    raise RuntimeError("no such layer")


@pytest.mark.parametrize(
    ("model", "status", "note"),
    [
        pytest.param(tiny_model(call=None), "no_reference", "no Python model", id="none"),
        pytest.param(tiny_model(changed=True), "source_changed", "changed after the conversion", id="trained"),
        pytest.param(tiny_model(call=_broken), "source_failed", "(RuntimeError: no such layer). The", id="broken"),
    ],
)
def test_without_a_usable_reference_it_says_why(model: TfjsModel, status: str, note: str) -> None:
    page = Page(model)
    page.claim()
    parity = page.ask("verify", page="p", job=JOB, actual=None)[0]["parity"]
    assert parity["status"] == status
    assert note in parity["note"]


def test_a_quantized_model_is_reported() -> None:
    page = Page(tiny_model(quantization=Quantization("uint8", 0.1, 0.0)))
    page.claim()
    for index, feed in enumerate(page.feeds):
        page.put(dense(feed)["y"], feed=index)
    assert page.ask("verify", page="p", job=JOB, actual=None)[0]["parity"]["status"] == "reported"


def test_the_state_is_published_at_most_four_times_a_second_and_always_at_the_end() -> None:
    page = Page()
    page.claim()
    before = len(page.published)
    for index in range(100):
        page.now += 0.02
        page.report(job_report(1.0, first_index=index))
    assert len(page.published) - before <= 8
    page.report(job_report(1.0, first_index=100))
    page.now += 1
    page.session.tick()
    assert len(page.published[-1]["jobs"][0]["run_ms"]) == 101
    page.report(job_report(1.0, first_index=101), status="finished")
    assert page.published[-1] == page.session.snapshot
    assert page.published[-1]["status"] == "finished"


def test_a_state_that_takes_long_to_publish_is_published_less_often() -> None:
    page = Page(publishing_s=0.1)
    page.claim()
    page.now += 1.85
    page.report(job_report(1.0))
    assert len(page.published) == 1
    page.now += 0.1
    page.report(job_report(1.0, first_index=1))
    assert len(page.published) == 2


def test_a_report_that_is_half_nonsense_changes_nothing() -> None:
    page = Page()
    page.claim()
    before = page.session.snapshot
    answer = page.report(job_report(1.0), job_report(job={"model": 3, "backend": None, "feed": 0}), status="finished")
    assert "no job" in answer["error"]["message"]
    assert page.session.snapshot == before


def test_a_report_that_comes_again_after_the_next_one_changes_nothing() -> None:
    """A page sends a report again when the answer is late."""
    page = Page()
    page.claim()
    first = {"kind": "report", "id": 10, "page": "p", **report(job_report(1.0))}
    for message in (first, {**first, "id": 11, **done(1, 2)}, first):
        page.session.receive(message, [])
        assert page.replies[-1][0] == {"kind": "ack", "id": message["id"]}
    assert (page.status, page.session.snapshot["jobs"][0]["run_ms"]) == ("finished", [1, 2])


def test_a_backend_that_is_named_twice_runs_once() -> None:
    assert Page(backends=("wasm", "cpu", "wasm")).claim()["jobs"] == [JOB, {**JOB, "backend": "cpu"}]


def test_a_closed_session_lets_the_model_go_and_keeps_the_numbers() -> None:
    page = Page()
    page.claim()
    page.report(*done(1, 2)["jobs"], status="finished")
    page.session.close()
    assert page.session.snapshot["jobs"][0]["run_ms"] == [1, 2]
    assert "closed; run the cell again" in page.ask("get_model", model=0)[0]["error"]["message"]
    assert page.claim(again=True)["granted"] is False


def test_many_threads_lose_nothing() -> None:
    """The kernel (ipykernel 7) hands messages to threads that differ from one to the next."""
    page = Page()
    page.claim()

    ids = itertools.count(2)

    def work(action: Callable[[], Any]) -> None:
        for _ in range(100):
            action()

    def pull() -> None:
        page.session.receive({"kind": "get_weights", "id": 1, "model": 0, "offset": 0, "length": 60}, [])

    def heartbeat() -> None:
        page.session.receive({"kind": "report", "id": next(ids), "page": "p", **report(job_report(1.0))}, [])

    threads = [threading.Thread(target=work, args=(action,)) for action in (pull, heartbeat) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wrong = [reply for reply, _ in page.replies if reply["kind"] == "failed"]
    assert wrong == []
    assert len(page.replies) == 801


def test_a_long_run_stays_small_in_the_saved_notebook() -> None:
    page = Page()
    page.claim()
    page.report(job_report(*np.random.default_rng(0).uniform(1, 100, 1000).round(4).tolist()))
    assert len(json.dumps(page.session.snapshot)) < 20_000


def _batched(model: TfjsModel) -> tuple[Page, Sequence[Feed]]:
    """Return a page that runs a model with batches of 1 and 4, and the feeds."""
    feeds, timed = timed_feeds(model.inputs, None, seed=0, batches=(1, 4))
    page = Page(model)
    page.session = Session(
        [Contender("tiny", model, feeds, timed)],
        options=BenchmarkOptions(backends=("wasm",), runs=3),
        assets={},
        send=lambda reply, buffers: page.replies.append((reply, buffers)),
        publish=page.publish,
    )
    return page, feeds


def test_each_batch_size_is_a_job_that_is_compared_by_its_own_feed_and_the_samples() -> None:
    page, feeds = _batched(tiny_model())
    small, large = page.claim()["jobs"]
    assert [state["series"] for state in page.session.snapshot["jobs"]] == [
        {"label": "batch 1", "examples": 1},
        {"label": "batch 4", "examples": 4},
    ]
    reply, _ = page.ask("get_model", model=0)
    assert reply["feeds"] == 3
    assert reply["compared"] == [{"feed": small["feed"], "feeds": [0, 1]}, {"feed": large["feed"], "feeds": [2, 0, 1]}]
    for index, feed in enumerate(feeds):
        page.put(dense(feed)["y"], feed=index)
    assert page.ask("verify", page="p", job=large, actual=None)[0]["parity"]["status"] == "passed"
    assert [state["parity"] is None for state in page.session.snapshot["jobs"]] == [True, False]


def test_a_batch_that_python_cannot_run_leaves_the_others_their_verdict() -> None:
    def at_most_three(feed: Any) -> Any:
        if len(feed["x"]) > 3:
            raise RuntimeError("too many rows")
        return dense(feed)

    page, feeds = _batched(tiny_model(call=at_most_three))
    small, large = page.claim()["jobs"]
    for index, feed in enumerate(feeds):
        page.put(dense(feed)["y"], feed=index)
    assert page.ask("verify", page="p", job=small, actual=None)[0]["parity"]["status"] == "passed"
    for index, feed in enumerate(feeds):
        page.put(dense(feed)["y"], feed=index)
    parity = page.ask("verify", page="p", job=large, actual=None)[0]["parity"]
    assert (parity["status"], "(RuntimeError: too many rows)" in parity["note"]) == ("source_failed", True)


# ---------------------------------------------------------------- oneDNN


@pytest.mark.parametrize(
    ("by_xla", "status", "note"),
    [
        pytest.param(lambda outputs: outputs["y"], "passed", "oneDNN kernels are the side that is off", id="off"),
        pytest.param(lambda outputs: outputs["y"] * 1.001, "failed", "again by XLA's kernels", id="not-off"),
        pytest.param(lambda _: 1 / 0, "failed", "can be the side that is off", id="xla-cannot"),
        pytest.param(None, "failed", "can be the side that is off", id="no-xla"),
    ],
)
def test_onednn_is_blamed_once_other_kernels_have_shown_it(
    by_xla: Any, status: str, note: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    tiny = tiny_model(call=lambda feed: {"y": dense(feed)["y"] * np.float32(1.001)})
    assert tiny.reference is not None
    again = None if by_xla is None else lambda feed: {"y": by_xla(dense(feed))}
    page = Page(dataclasses.replace(tiny, reference=dataclasses.replace(tiny.reference, by_xla=again)))
    page.claim()
    for feed, samples in enumerate(page.feeds):
        page.put(dense(samples)["y"], feed=feed)
    parity = page.ask("verify", page="p", job=JOB, actual=None)[0]["parity"]
    assert parity["status"] == status
    assert note in parity["note"]


def test_xla_gives_what_keras_gives() -> None:
    model = tfjs_magic.convert(tests.models.small_cnn(), format="graph")
    assert model.reference is not None
    assert model.reference.by_xla is not None
    feed = tests.models.samples_of(model.inputs)
    for name, value in model.reference(feed).items():
        np.testing.assert_allclose(model.reference.by_xla(feed)[name], value, atol=1e-5)
