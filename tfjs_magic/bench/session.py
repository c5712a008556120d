"""The kernel's side of the conversation with the pages that show one benchmark.

Knows no widget: it is given a way to send and a way to publish. Every public method is safe from any thread, because
ipykernel 7 hands messages to threads that differ from one to the next.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from tfjs_magic.artifacts import Array
from tfjs_magic.bench import protocol as wire
from tfjs_magic.bench import snapshot as states
from tfjs_magic.bench.assets import Asset
from tfjs_magic.bench.contender import Contender, NotComparedError
from tfjs_magic.bench.guards import parse
from tfjs_magic.bench.layer_search import LayerSearch, NoLayersError
from tfjs_magic.bench.node_layers import with_layers
from tfjs_magic.bench.outputs import WIRE_DTYPES, OutputStore
from tfjs_magic.bench.protocol import MAX_PIECE_BYTES
from tfjs_magic.bench.result import BenchmarkResult
from tfjs_magic.bench.state import (
    CONCLUDED,
    ENDED,
    Job,
    ModelCard,
    Parity,
    Series,
    Snapshot,
    TaskKind,
    TaskName,
    WireError,
)
from tfjs_magic.bench.static_output import checked_picture
from tfjs_magic.bench.tasks import TITLES, TaskDesk, Ticket
from tfjs_magic.bench.trial import Trial
from tfjs_magic.bench.verify import bound_of, worst_feed
from tfjs_magic.errors import OptionError
from tfjs_magic.options import Backend, BenchmarkOptions

#: A page that missed three reports is taken for gone.
HEARTBEAT_TIMEOUT_S = 3 * wire.HEARTBEAT_MS / 1000
#: At most four updates of the synced state a second …
PUBLISH_INTERVAL_S = 0.25
#: … and at most this share of the time: after 100,000 runs one takes 30 ms of the machine that is being measured.
PUBLISH_SHARE = 0.05

Buffers = Sequence[bytes | memoryview]
Answer = tuple[wire.FromKernel, list[bytes]]
_Comparison = TypeVar("_Comparison", wire.Verify, wire.CompareLayers)

_log = logging.getLogger(__name__)


class Session:
    """Answers the pages of one benchmark and keeps its state.

    Args:
        contenders: The models.
        options: Backends, runs, warm-up, tolerance.
        assets: The files that a page may pull.
        send: Takes an answer and its buffers to the page.
        publish: Told the state whenever it changed: at most four times a second, and always at the end.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        contenders: Sequence[Contender],
        *,
        options: BenchmarkOptions,
        assets: Mapping[str, Asset],
        send: Callable[[wire.FromKernel, list[bytes]], None],
        publish: Callable[[Snapshot], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._contenders = tuple(contenders)
        self._options = options
        self._assets = assets
        self._send = send
        self._publish = publish
        self._clock = clock
        self._lock = threading.RLock()
        self._outputs = OutputStore()
        self._worst_feeds: dict[tuple[int, str | None, int], int] = {}
        self._compared: tuple[tuple[str, int], Answer] | None = None
        self._search: LayerSearch | None = None
        self._last_report = self._next_publish = self._last_message = -float("inf")
        self._unpublished = False
        self._desk = TaskDesk()
        self._last_report_id = -1
        self._picture: str | None = None
        cards: list[ModelCard] = [
            {"label": c.label, "format": c.model.format, "nbytes": c.model.nbytes} for c in contenders
        ]
        self._chosen = options
        self._snapshot = states.new_snapshot(cards, *self._jobs(options))

    def _jobs(self, options: BenchmarkOptions) -> tuple[list[Job], list[Series]]:
        backends: Sequence[Backend | None] = options.backends or (None,)
        jobs: dict[tuple[int, Backend | None, int], Series] = {
            (i, b, timed.feed): {"label": timed.label, "examples": timed.examples}
            for i, contender in enumerate(self._contenders)
            for b in backends
            for timed in contender.timed
        }
        return [{"model": i, "backend": b, "feed": feed} for i, b, feed in jobs], [*jobs.values()]

    @property
    def snapshot(self) -> Snapshot:
        """The state now."""
        with self._lock:
            return self._snapshot

    @property
    def picture(self) -> str | None:
        """The finished plot as SVG that was checked, if the page has sent it."""
        with self._lock:
            return self._picture

    @property
    def seconds_since_message(self) -> float:
        """How long no page has said anything; infinite if none ever did."""
        with self._lock:
            return self._clock() - self._last_message

    def receive(self, content: object, buffers: Buffers) -> None:
        """Answer one message. Never raises: whatever goes wrong becomes the answer ``failed``."""
        try:
            answer = self._dispatch(parse(content), buffers)
        except (wire.ProtocolError, NoLayersError) as error:
            answer = _failed(content, error)
        except Exception as error:  # noqa: BLE001 - see below; it is logged
            # The page must get an answer, or it would wait for one.
            _log.exception("a message from the page could not be answered")
            answer = _failed(content, error)
        self._send(*answer)

    def want(self, kind: TaskKind, job: Job) -> Ticket:
        """Ask the pages for more about a job; the first that can runs it.

        Raises:
            ProtocolError: The job does not exist.
        """
        with self._lock:
            ticket, snapshot = self._desk.want(self._snapshot, {"kind": kind, "job": job})
            if snapshot is not self._snapshot:
                self._set_state(snapshot, at_once=True)
        return ticket

    def tick(self, *, kernel_was_busy: bool = False) -> None:
        """Notice that the page went away, and publish what the throttle held back. To be called every second.

        Args:
            kernel_was_busy: Messages may have waited since the last tick, so that silence proves nothing.
        """
        with self._lock:
            if kernel_was_busy:
                self._last_report = self._clock()
            self._notice_silence()
            if self._unpublished:
                self._set_state(self._snapshot)

    def lose_page(self, why: str) -> None:
        """Note that the page is gone and will not come back; what it had measured stays.

        Args:
            why: A sentence.
        """
        error: WireError = {"name": "Error", "message": why, "stack": ""}
        with self._lock:
            snapshot = self._desk.lose(self._snapshot, why)
            if snapshot["status"] not in CONCLUDED:
                snapshot = states.lose(snapshot, error)
            self._set_state(snapshot, at_once=True)

    def close(self) -> None:
        """Let go of models, feeds and outputs; the state and its numbers stay."""
        with self._lock:
            self._contenders = ()
            self._search = None
            self._outputs.clear()
            snapshot = self._desk.close(self._snapshot)
            if snapshot["status"] == "running":
                snapshot = states.interrupt(snapshot)
            if snapshot is not self._snapshot:
                self._set_state(snapshot, at_once=True)

    def _dispatch(self, message: wire.ToKernel, buffers: Buffers) -> Answer:  # noqa: C901, PLR0911, PLR0912 - as many kinds
        with self._lock:
            self._last_message = self._clock()
        match message["kind"]:
            case "get_asset":
                return self._get_asset(message)
            case "claim":
                return self._claim(message)
            case "get_model":
                return self._get_model(message)
            case "get_weights":
                return self._get_weights(message)
            case "get_feed":
                return self._get_feed(message)
            case "put_output":
                return self._put_output(message, buffers)
            case "verify":
                return self._once(message, self._verify)
            case "get_layers":
                return self._get_layers(message)
            case "compare_layers":
                return self._once(message, self._compare_layers)
            case "report":
                return self._report(message)
            case "report_task":
                return self._report_task(message)
            case "picture":
                return self._keep_picture(message)
            case "get_result":
                text = BenchmarkResult.from_snapshot(self.snapshot).to_json(indent=2)
                return {"kind": "result", "id": message["id"]}, [text.encode()]

    def _once(self, message: _Comparison, answer: Callable[[_Comparison], Answer]) -> Answer:
        """Answer a message that was answered before likewise: the answer got lost, and the outputs are forgotten."""
        key = message["page"], message["id"]
        with self._lock:
            if self._compared is not None and self._compared[0] == key:
                return self._compared[1]
        answered = answer(message)
        with self._lock:
            self._compared = key, answered
        return answered

    def _get_asset(self, message: wire.GetAsset) -> Answer:
        asset = self._assets.get(message["name"])
        if asset is None:
            raise wire.ProtocolError(f"there is no file '{message['name']:.80}'; expected one of {[*self._assets]}.")
        reply: wire.AssetReply = {
            "kind": "asset",
            "id": message["id"],
            "encoding": asset.encoding,
        }
        return reply, [asset.path.read_bytes()]

    def _claim(self, message: wire.Claim) -> Answer:
        with self._lock:
            self._notice_silence()
            page, task = message["page"], message["task"]
            granted = bool(self._contenders) and (
                self._start(page, again=message["again"], choice=message["choice"])
                if task is None
                else self._start_task(page, task)
            )
            if granted:
                self._last_report = self._clock()
                self._outputs.clear()
                self._compared = None
            reply: wire.ClaimReply = {
                "kind": "claim",
                "id": message["id"],
                "granted": granted,
                "jobs": [state["job"] for state in self._snapshot["jobs"]] if task is None else [task["job"]],
                "runs": self._chosen.runs,
                "min_time_ms": 1000 * self._chosen.min_time,
                "warmup": self._chosen.warmup,
                "seed": self._chosen.seed,
            }
        return reply, []

    def _start(self, page: str, *, again: bool, choice: wire.RunChoice | None) -> bool:
        status = self._snapshot["status"]
        # A page that did not hear that it was granted stays silent meanwhile.
        unheard = status == "interrupted" and not again
        repeated = page == self._snapshot["page"] and (status == "running" or unheard)
        may_run_again = again and status in ENDED and not states.runs_task(self._snapshot)
        if not (status == "pending" or repeated or may_run_again):
            return False
        if not repeated:
            self._chosen = self._options_for(choice)
        self._last_report_id = -1
        self._picture = None
        self._set_state(states.start(self._snapshot, page, *self._jobs(self._chosen)), at_once=True)
        return True

    def _start_task(self, page: str, name: TaskName) -> bool:
        snapshot = self._desk.claim(self._snapshot, page, name)
        if snapshot is None:
            return False
        self._set_state(snapshot, at_once=True)
        return True

    def _options_for(self, choice: wire.RunChoice | None) -> BenchmarkOptions:
        """Return the cell's options with what the reader chose instead.

        Raises:
            ProtocolError: A number is out of bounds.
        """
        backends, runs = (choice["backends"], choice["runs"]) if choice else (None, None)
        try:
            return dataclasses.replace(
                self._options,
                backends=self._options.backends if backends is None else backends or None,
                runs=self._options.runs if runs is None else runs,
            )
        except OptionError as error:
            raise wire.ProtocolError(str(error)) from error

    def _get_model(self, message: wire.GetModel) -> Answer:
        contender = self._contender(message["model"])
        model = contender.model
        # Outside the lock: Python runs the model, to see whether the samples tell right from wrong.
        feeds, inside = contender.what_runs()
        reply: wire.ModelReply = {
            "kind": "model",
            "id": message["id"],
            "format": model.format,
            "weight_nbytes": model.nbytes,
            "feeds": len(feeds),
            "compared": [{"feed": timed.feed, "feeds": [*timed.compared]} for timed in contender.timed],
            "inputs": [info.name for info in model.inputs],
            "outputs": [info.name for info in model.outputs],
            "inside": "" if inside is None else inside.tensor,
            "compare": model.reference is not None,
        }
        return reply, [json.dumps(model.model_json).encode()]

    def _get_weights(self, message: wire.GetWeights) -> Answer:
        offset, length = message["offset"], message["length"]
        model = self._contender(message["model"]).model
        if not (0 <= offset <= model.nbytes and 0 < length <= MAX_PIECE_BYTES):
            raise wire.ProtocolError(
                f"{length} bytes from {offset} were asked for; expected 1 to {MAX_PIECE_BYTES} of {model.nbytes} bytes."
            )
        content = model.read_weights(offset, length)
        return {"kind": "weights", "id": message["id"], "offset": offset, "crc32": zlib.crc32(content)}, [content]

    def _get_feed(self, message: wire.GetFeed) -> Answer:
        feeds, _ = self._contender(message["model"]).what_runs()
        if not 0 <= message["feed"] < len(feeds):
            raise wire.ProtocolError(f"there is no feed {message['feed']}; expected 0 to {len(feeds) - 1}.")
        packed = [_pack(name, array) for name, array in feeds[message["feed"]].items()]
        tensors = [tensor for tensor, _ in packed]
        buffers = [content for _, content in packed if content is not None]
        return {"kind": "feed", "id": message["id"], "tensors": tensors}, buffers

    def _put_output(self, message: wire.PutOutput, buffers: Buffers) -> Answer:
        with self._lock:
            contender = self._contender_of(message["job"])
            name, dtype = message["tensor"]["name"], message["tensor"]["dtype"]
            if self._runs_search(message["page"], message["job"]):
                self._last_report = self._clock()
                self._check_inside(name, self._search)
            else:
                self._note_alive(message["page"])
                contender.check_output(name, dtype)
            if not 0 <= message["feed"] < len(contender.feeds):
                raise wire.ProtocolError(f"there is no feed {message['feed']}.")
            key = (message["job"]["model"], message["job"]["backend"], message["feed"], name)
            self._outputs.put(key, message["tensor"], offset=message["offset"], total=message["total"], buffers=buffers)
        return {"kind": "ack", "id": message["id"]}, []

    def _verify(self, message: wire.Verify) -> Answer:
        page, job = message["page"], message["job"]
        with self._lock:
            self._note_alive(page)
            contender = self._contender_of(job)
        try:
            # Outside the lock: the source may need seconds, and the page goes on reporting meanwhile.
            parity = self._compare(job, contender, contender.trial, actual_backend=message["actual"])
        except NotComparedError as why:
            parity = {"status": why.status, "note": why.note, "outputs": []}
        with self._lock:
            self._note_alive(page)
            self._set_state(states.with_parity(self._snapshot, job, parity))
        return {"kind": "verified", "id": message["id"], "parity": parity}, []

    def _compare(self, job: Job, contender: Contender, trial: Trial, *, actual_backend: Backend | None) -> Parity:
        model, backend = job["model"], job["backend"]
        feeds = next(timed.compared for timed in contender.timed if timed.feed == job["feed"])
        contender.check_reference(feeds)
        tensors = contender.compared_tensors(trial)
        with self._lock:
            arrived = [self._outputs.take([(model, backend, feed, ref) for ref in tensors.values()]) for feed in feeds]
            actual = [dict(zip(tensors, arrays, strict=True)) for arrays in arrived]
            wanted = [trial.expected[feed] for feed in feeds]
            self._worst_feeds[job["model"], job["backend"], job["feed"]] = feeds[worst_feed(wanted, actual)]
            backend = backend or actual_backend
        return contender.judge(trial, feeds, actual, backend=backend, tolerance=self._options.tolerance)

    def _get_layers(self, message: wire.GetLayers) -> Answer:
        page, job = message["page"], message["job"]
        with self._lock:
            self._require_search(page, job)
            contender = self._contender_of(job)
            backend = job["backend"] or states.job_state(self._snapshot, job)["actual"]
            feed = self._worst_feeds.get((job["model"], job["backend"], job["feed"]), job["feed"])
        # Outside the lock: Python runs the model.
        search = LayerSearch(
            contender.model,
            contender.what_runs()[0][feed],
            feed_index=feed,
            bound=bound_of(backend, self._options.tolerance),
            quantized=contender.quantized and self._options.tolerance is None,
        )
        with self._lock:
            self._require_search(page, job)
            self._search = search
        return {"kind": "layers", "id": message["id"], "feed": feed, "groups": search.groups}, []

    def _compare_layers(self, message: wire.CompareLayers) -> Answer:
        page, job, group = message["page"], message["job"], message["group"]
        with self._lock:
            self._require_search(page, job)
            search = self._search
            if search is None or not 0 <= group < len(search.groups):
                raise wire.ProtocolError(f"there is no group {group} of layers.")
            keys = [(job["model"], job["backend"], search.feed_index, name) for name in search.groups[group]]
            outputs = self._outputs.take(keys)
        # Likewise.
        divergence = search.compare(group, outputs)
        with self._lock:
            self._require_search(page, job)
            self._set_state(states.with_divergence(self._snapshot, job, divergence), at_once=divergence["complete"])
        return {"kind": "layers_compared", "id": message["id"], "divergence": divergence}, []

    def _runs_search(self, page: str, job: Job) -> bool:
        task = self._snapshot["task"]
        name = None if task is None else (task["kind"], task["status"], task["page"], task["job"])
        return name == ("divergence", "running", page, job)

    def _require_search(self, page: str, job: Job) -> None:
        if not self._runs_search(page, job):
            raise wire.ProtocolError(f"this page does not run {TITLES['divergence']}.")
        self._last_report = self._clock()

    def _check_inside(self, name: str, search: LayerSearch | None) -> None:
        if search is None or not any(name in group for group in search.groups):
            raise wire.ProtocolError(f"the tensor '{name:.80}' was not asked for.")

    def _report(self, message: wire.Report) -> Answer:
        with self._lock:
            self._require_owner(message["page"])
            # A page sends a report again when the answer is late: it may arrive after the next one.
            if message["id"] > self._last_report_id:
                self._note_alive(message["page"])
                self._set_state(states.with_report(self._snapshot, message))
                self._last_report_id = message["id"]
                if message["status"] == "finished" and self._options.profile:
                    self._want_profiles()
        return {"kind": "ack", "id": message["id"]}, []

    def _want_profiles(self) -> None:
        for state in self._snapshot["jobs"]:
            if state["status"] == "done":
                self.want("profile", state["job"])

    def _report_task(self, message: wire.ReportTask) -> Answer:
        with self._lock:
            if (found := message["profile"]) is not None:
                contender = self._contender_of(message["task"]["job"])
                message = {**message, "profile": with_layers(found, contender.model)}
            snapshot = self._desk.report(self._snapshot, message)
            self._last_report = self._clock()
            self._set_state(snapshot, at_once=message["status"] != "running")
        return {"kind": "ack", "id": message["id"]}, []

    def _keep_picture(self, message: wire.Picture) -> Answer:
        with self._lock:
            self._require_owner(message["page"])
            self._picture = checked_picture(message["svg"])
            self._set_state(self._snapshot, at_once=True)
        return {"kind": "ack", "id": message["id"]}, []

    def _contender(self, index: int) -> Contender:
        contenders = self._contenders
        if not contenders:
            raise wire.ProtocolError("this benchmark was closed; run the cell again.")
        if not 0 <= index < len(contenders):
            raise wire.ProtocolError(f"there is no model {index}; expected 0 to {len(contenders) - 1}.")
        return contenders[index]

    def _contender_of(self, job: Job) -> Contender:
        return self._contender(states.job_state(self._snapshot, job)["job"]["model"])

    def _require_owner(self, page: str) -> None:
        if self._snapshot["status"] == "pending" or page != self._snapshot["page"]:
            raise wire.ProtocolError("this page does not run the benchmark; another one does.")

    def _note_alive(self, page: str) -> None:
        """Refuse every page but the one that runs it; that one lives, though it may have been thought gone.

        Once it has said how the run ended, the numbers are final.
        """
        self._require_owner(page)
        if self._snapshot["status"] in CONCLUDED:
            raise wire.ProtocolError("the benchmark has ended.")
        self._last_report = self._clock()
        if self._snapshot["status"] == "interrupted":
            self._set_state(states.resume(self._snapshot))

    def _notice_silence(self) -> None:
        if self._clock() - self._last_report <= HEARTBEAT_TIMEOUT_S:
            return
        if self._snapshot["status"] == "running":
            self._set_state(states.interrupt(self._snapshot))
        elif states.runs_task(self._snapshot):
            why = "the page that ran it was closed or reloaded."
            self._set_state(self._desk.lose(self._snapshot, why), at_once=True)

    def _set_state(self, snapshot: Snapshot, *, at_once: bool = False) -> None:
        at_once = at_once or snapshot["status"] != self._snapshot["status"]
        self._snapshot = snapshot
        now = self._clock()
        self._unpublished = not at_once and now < self._next_publish
        if not self._unpublished:
            self._publish(snapshot)
            self._next_publish = now + max(PUBLISH_INTERVAL_S, (self._clock() - now) / PUBLISH_SHARE)


def _failed(content: object, error: Exception) -> Answer:
    request_id = content.get("id") if isinstance(content, Mapping) else None
    reply: wire.FailedReply = {
        "kind": "failed",
        "id": request_id if type(request_id) is int else -1,
        "error": {"name": type(error).__name__, "message": str(error), "stack": ""},
    }
    return reply, []


def _pack(name: str, array: Array) -> tuple[wire.WireTensor, bytes | None]:
    if array.dtype.kind == "O":
        texts = [text.decode(errors="replace") if isinstance(text, bytes) else text for text in array.flat]
        return {"name": name, "dtype": "string", "shape": list(array.shape), "values": texts}, None
    dtype = next(label for label, layout in WIRE_DTYPES.items() if layout == array.dtype)
    tensor: wire.WireTensor = {"name": name, "dtype": dtype, "shape": list(array.shape), "values": None}
    return tensor, array.astype(WIRE_DTYPES[dtype], copy=False).tobytes()
