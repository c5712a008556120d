"""The kernel's side of the conversation, with recorded answers and a clock that the test moves."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.bench.tiny import BIAS, KERNEL, dense, tiny_model
from tfjs_magic.artifacts import Quantization
from tfjs_magic.bench.assets import Asset, load_assets, load_esm
from tfjs_magic.bench.feeds import seeded_feeds
from tfjs_magic.bench.outputs import MAX_WAITING_BYTES
from tfjs_magic.bench.session import HEARTBEAT_TIMEOUT_S, Contender, Session
from tfjs_magic.errors import RunError
from tfjs_magic.model import TfjsModel
from tfjs_magic.options import BenchmarkOptions

JOB = {"model": 0, "backend": "wasm"}
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><rect width="1" height="1"/></svg>'


class Page:
    """A page that talks to a session and keeps what it hears."""

    def __init__(self, model: TfjsModel | None = None, assets: dict[str, Asset] | None = None, **options: Any) -> None:
        self.now = 0.0
        self.replies: list[tuple[Any, list[bytes]]] = []
        self.published: list[Any] = []
        model = tiny_model() if model is None else model
        self.feeds = seeded_feeds(model.inputs, seed=0)
        self.session = Session(
            [Contender("tiny", model, self.feeds)],
            options=BenchmarkOptions(**{"backends": ("wasm",), "runs": 3, **options}),
            assets=assets or {},
            send=lambda reply, buffers: self.replies.append((reply, buffers)),
            publish=self.published.append,
            clock=lambda: self.now,
        )

    def ask(self, kind: str, *buffers: bytes | memoryview, **fields: Any) -> tuple[Any, list[bytes]]:
        self.session.receive({"kind": kind, "id": 7, **fields}, buffers)
        reply, out = self.replies[-1]
        assert reply["id"] == 7
        json.dumps(reply, allow_nan=False)
        return reply, out

    def claim(self, page: str = "p", *, again: bool = False) -> Any:
        return self.ask("claim", page=page, again=again)[0]

    def report(self, *events: Any, page: str = "p") -> Any:
        return self.ask("report", page=page, events=list(events))[0]

    def put(self, array: Any, *, feed: int = 0, offset: int = 0, total: int | None = None, **tensor: Any) -> Any:
        content = array.tobytes()
        wire = {"name": "y", "dtype": "float32", "shape": list(array.shape), "values": None, **tensor}
        total = len(content) if total is None else total
        return self.ask("put_output", content, page="p", job=JOB, feed=feed, tensor=wire, offset=offset, total=total)[0]

    @property
    def status(self) -> str:
        return str(self.session.snapshot["status"])


def _samples(first_index: int, *latencies: float, phase: str = "run") -> dict[str, Any]:
    fields = {"phase": phase, "first_index": first_index, "latency_ms": list(latencies), "batch": 1}
    return {"kind": "samples", "job": JOB, **fields}


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


def test_a_finished_benchmark_runs_again_only_when_the_user_says_so() -> None:
    page = Page()
    page.claim("a")
    page.report(_samples(0, 1, 2), {"kind": "finished"}, page="a")
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
    assert page.report(_samples(0, 1))["kind"] == "ack"
    assert (page.status, page.session.snapshot["jobs"][0]["run_ms"]) == ("running", [1])


@pytest.mark.parametrize("kind", ["report", "verify", "picture", "put_output"])
def test_a_page_without_the_claim_changes_nothing(kind: str) -> None:
    page = Page()
    page.claim("p")
    before = page.session.snapshot
    wire = {"name": "y", "dtype": "float32", "shape": [1, 3], "values": None}
    fields = {
        "report": {"events": [{"kind": "finished"}]},
        "verify": {"job": JOB},
        "picture": {"svg": SVG},
        "put_output": {"job": JOB, "feed": 0, "tensor": wire, "offset": 0, "total": 12},
    }
    reply, _ = page.ask(kind, bytes(12), page="other", **fields[kind])
    assert (reply["kind"], page.session.snapshot, page.session.picture) == ("failed", before, None)


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


def test_assets_come_packed_with_the_hash_of_the_plain_bytes(tmp_path: Path) -> None:
    plain = b"export const a = 1;"
    (tmp_path / "page.js.gz").write_bytes(gzip.compress(plain))
    index = {"page.js": {"sha256": hashlib.sha256(plain).hexdigest(), "nbytes": len(plain)}}
    (tmp_path / "assets.json").write_text(json.dumps(index))
    reply, (content,) = Page(assets=load_assets(tmp_path)).ask("get_asset", name="page.js")
    assert (reply["encoding"], reply["sha256"]) == ("gzip", index["page.js"]["sha256"])
    assert gzip.decompress(content) == plain


def test_missing_bundles_are_named(tmp_path: Path) -> None:
    for load in (load_assets, load_esm):
        with pytest.raises(RunError, match=r"browser files are not built: .*make build"):
            load(tmp_path)


# ---------------------------------------------------------------- what it is told


def test_outputs_in_pieces_and_out_of_order_are_compared_with_python() -> None:
    page = Page()
    page.claim()
    for index, feed in enumerate(page.feeds):
        y = dense(feed)["y"]
        flat = y.ravel()
        page.put(flat[2:], feed=index, offset=8, total=12, shape=[1, 3])
        assert page.put(flat[:2], feed=index, total=12, shape=[1, 3])["kind"] == "ack"
        page.put(flat[:2], feed=index, total=12, shape=[1, 3])  # sent again
    parity = page.ask("verify", page="p", job=JOB)[0]["parity"]
    assert (parity["status"], parity["outputs"][0]["max_abs_error"]) == ("passed", 0)


def test_wrong_outputs_fail_and_are_compared_only_once() -> None:
    page = Page()
    page.claim()
    for index, feed in enumerate(page.feeds):
        page.put(dense(feed)["y"] + np.float32(0.5), feed=index)
    assert page.ask("verify", page="p", job=JOB)[0]["parity"]["status"] == "failed"
    reply, _ = page.ask("verify", page="p", job=JOB)
    assert "has not arrived in full" in reply["error"]["message"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param({"total": 16}, "says it has 16 bytes", id="total"),
        pytest.param({"offset": 4}, "leave its 12 bytes", id="beyond"),
        pytest.param({"offset": -4}, "leave its 12 bytes", id="before"),
        pytest.param({"shape": [-1, 3]}, "no negative side", id="negative"),
        pytest.param({"dtype": "float64"}, "dtype 'float64'", id="dtype"),
        pytest.param({"name": "z"}, "no output 'z'", id="name"),
        pytest.param({"feed": 9}, "no feed 9", id="feed"),
        pytest.param({"shape": [MAX_WAITING_BYTES, 3], "total": 12 * MAX_WAITING_BYTES}, "exceed", id="too-large"),
        pytest.param({"dtype": "string", "shape": [2], "values": ["a"]}, "lacks its values", id="text"),
    ],
)
def test_outputs_that_do_not_add_up_are_refused(changes: dict[str, Any], complaint: str) -> None:
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
        pytest.param(tiny_model(call=_broken), "no_reference", "RuntimeError: no such layer", id="broken"),
    ],
)
def test_without_a_usable_reference_it_says_why(model: TfjsModel, status: str, note: str) -> None:
    page = Page(model)
    page.claim()
    parity = page.ask("verify", page="p", job=JOB)[0]["parity"]
    assert parity["status"] == status
    assert note in parity["note"]


def test_a_quantized_model_is_reported() -> None:
    page = Page(tiny_model(quantization=Quantization("uint8", 0.1, 0.0)))
    page.claim()
    for index, feed in enumerate(page.feeds):
        page.put(dense(feed)["y"], feed=index)
    assert page.ask("verify", page="p", job=JOB)[0]["parity"]["status"] == "reported"


def test_the_state_is_published_at_most_four_times_a_second_and_always_at_the_end() -> None:
    page = Page()
    page.claim()
    before = len(page.published)
    for index in range(100):
        page.now += 0.02
        page.report(_samples(index, 1.0))
    assert len(page.published) - before <= 8
    page.report(_samples(100, 1.0))
    page.now += 1
    page.session.tick()
    assert len(page.published[-1]["jobs"][0]["run_ms"]) == 101
    page.report(_samples(101, 1.0), {"kind": "finished"})
    assert page.published[-1] == page.session.snapshot
    assert page.published[-1]["status"] == "finished"


def test_a_report_that_is_half_nonsense_changes_nothing() -> None:
    page = Page()
    page.claim()
    before = page.session.snapshot
    assert "index 5" in page.report(_samples(0, 1.0), _samples(5, 1.0))["error"]["message"]
    assert "no job" in page.report({"kind": "job_done", "job": {"model": 3, "backend": None}})["error"]["message"]
    assert page.session.snapshot == before


def test_events_become_state() -> None:
    page = Page()
    page.claim()
    error = {"name": "Error", "message": "<b>", "stack": ""}
    ready = {"actual": "wasm", "device": "SIMD", "software": False, "backend_ms": 1, "load_ms": 2}
    page.report({"kind": "progress", "job": JOB, "stage": "weights", "done": 1, "total": 2})
    assert page.session.snapshot["jobs"][0]["stage"] == "weights"
    page.report(
        {"kind": "ready", "job": JOB, **ready},
        _samples(0, 9.00004, phase="first"),
        _samples(0, 5, 4, phase="warmup"),
        _samples(0, 1, 2),
        _samples(1, 3),
    )
    state: Any = page.session.snapshot["jobs"][0]
    assert (state["first_ms"], state["warmup_ms"], state["run_ms"]) == (9.0, [5, 4], [1, 3])
    assert {key: state[key] for key in ready} == ready
    page.report({"kind": "job_failed", "job": JOB, "error": error})
    assert (page.session.snapshot["jobs"][0]["status"], page.session.snapshot["jobs"][0]["error"]) == ("failed", error)
    page.report({"kind": "run_failed", "error": error})
    assert (page.status, page.session.snapshot["error"]) == ("failed", error)


def test_stop_leaves_the_runs_so_far() -> None:
    page = Page()
    page.claim()
    page.report(_samples(0, 1, 2), {"kind": "stopped"})
    state = page.session.snapshot["jobs"][0]
    assert (page.status, state["status"], state["run_ms"]) == ("stopped", "stopped", [1, 2])


def test_a_closed_session_lets_the_model_go_and_keeps_the_numbers() -> None:
    page = Page()
    page.claim()
    page.report(_samples(0, 1, 2), {"kind": "finished"})
    page.session.close()
    assert page.session.snapshot["jobs"][0]["run_ms"] == [1, 2]
    assert "closed; run the cell again" in page.ask("get_model", model=0)[0]["error"]["message"]
    assert page.claim(again=True)["granted"] is False


def test_many_threads_lose_nothing() -> None:
    """The kernel (ipykernel 7) hands messages to threads that differ from one to the next."""
    page = Page()
    page.claim()

    def work(action: Callable[[], Any]) -> None:
        for _ in range(100):
            action()

    def pull() -> None:
        page.session.receive({"kind": "get_weights", "id": 1, "model": 0, "offset": 0, "length": 60}, [])

    def heartbeat() -> None:
        page.session.receive({"kind": "report", "id": 2, "page": "p", "events": [_samples(0, 1.0)]}, [])

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
    page.report(_samples(0, *np.random.default_rng(0).uniform(1, 100, 1000).tolist()))
    assert len(json.dumps(page.session.snapshot)) < 20_000
