"""A benchmark that runs when its numbers are wanted, in a browser that it opens and closes itself."""

from __future__ import annotations

import asyncio
import contextlib
import html
import threading
import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, TypeVar

from IPython.display import publish_display_data

from tfjs_magic.artifacts import Artifacts
from tfjs_magic.bench.assets import load_assets
from tfjs_magic.bench.contender import Contender, contenders_of
from tfjs_magic.bench.pending import Pending
from tfjs_magic.bench.protocol import FromKernel
from tfjs_magic.bench.result import BenchmarkResult
from tfjs_magic.bench.session import Answer, Session
from tfjs_magic.bench.snapshot import all_failed
from tfjs_magic.bench.state import CONCLUDED, Job, Snapshot, TaskKind
from tfjs_magic.bench.static_output import difference_bundle, static_html, unfinished
from tfjs_magic.bench.tasks import TITLES, Ticket
from tfjs_magic.errors import RunError, TfjsMagicError, printable
from tfjs_magic.headless.channel import WAIT_MS, Channel
from tfjs_magic.headless.driver import BrowserLostError, opened
from tfjs_magic.headless.target import Node, Target
from tfjs_magic.options import BenchmarkOptions

#: A page that works says so every two seconds; after so many times without a word it never will.
_SILENT_EXCHANGES = 60_000 // WAIT_MS
#: The plot comes right behind the last number; a result without it is one, too.
_PICTURE_TIMEOUT_S = 5.0

T = TypeVar("T")


class HeadlessBenchmark:
    """A benchmark in a browser of its own: the page, the runtime and the session of the notebook's widget.

    ``bench.result`` runs it and waits; ``await bench`` waits in a thread beside the event loop. Both give a
    :class:`BenchmarkResult`. As the last value of a cell it runs and shows table and plot.

    Attributes:
        earlier: What is shown below it as the result before, with the difference.
    """

    def __init__(self, contenders: Sequence[Contender], options: BenchmarkOptions, target: Target) -> None:
        self._contenders = contenders
        self._options = options
        self._target = target
        self._assets = load_assets()
        self._running = threading.Lock()
        self._answers: list[Answer] = []
        self._unseen: Snapshot | None = None
        self._told: object = None
        self._session = self._new_session()
        self.earlier: BenchmarkResult | None = None

    @classmethod
    def of(cls, models: Mapping[str, Artifacts], options: BenchmarkOptions, target: Target) -> HeadlessBenchmark:
        """Make a benchmark of models by label.

        Raises:
            ValueError: The samples do not fit a model, or none can be drawn for it.
        """
        return cls(contenders_of(models, options), options, target)

    @property
    def target(self) -> Target:
        """Where it runs."""
        return self._target

    @property
    def status(self) -> str:
        """One of "pending", "running", "finished", "stopped", "failed"."""
        return self._session.snapshot["status"]

    @property
    def state(self) -> Snapshot:
        """All that is known now, as plain data."""
        return self._session.snapshot

    @property
    def result(self) -> BenchmarkResult:
        """The numbers; runs the benchmark if nothing has yet.

        Where the browser is lost in the middle, what was measured stays, and the rows say so.

        Raises:
            RunError: The browser does not start, or brought no numbers.
        """
        self.run()
        return self._outcome()

    @property
    def measured(self) -> BenchmarkResult | None:
        """The numbers, if the run has ended and there are any; runs nothing."""
        snapshot = self.state
        ended = snapshot["status"] in CONCLUDED and any(state["run_ms"] for state in snapshot["jobs"])
        return BenchmarkResult.from_snapshot(snapshot) if ended else None

    def run(self, stop: threading.Event | None = None) -> None:
        """Run it, if nothing has yet.

        Args:
            stop: Once it is set, the browser is closed and nothing was measured.

        Raises:
            RunError: The browser does not start.
        """
        with self._running:
            if self.status in CONCLUDED:
                return
            try:
                self._drive(self._is_complete(), stop)
            except BaseException:
                self._session = self._new_session()
                raise

    def ask(self, kind: TaskKind, job: Job, read: Callable[[Snapshot], T]) -> Pending[T]:
        """Ask for more about a job: the browser is opened again for it; ``read`` takes the answer out of the state."""
        if isinstance(self._target, Node):
            raise RunError(f"{TITLES[kind]} needs a browser; Node only verifies.")
        if not self._contenders:
            raise RunError("the benchmark was closed; run its cell again.")
        ticket = self._session.want(kind, job)

        def run(stop: threading.Event | None) -> None:
            with self._running:
                lost = self._drive(lambda: ticket.status in {"done", "failed"}, stop)
                if lost is not None and ticket.status == "wanted":
                    raise lost

        return _HeadlessPending(ticket, lambda: read(self.state), run)

    def __await__(self) -> Generator[Any, None, BenchmarkResult]:
        return self._wait().__await__()

    def close(self) -> None:
        """Free the models; numbers that were measured stay."""
        self._contenders = ()
        self._session.close()

    def __repr__(self) -> str:
        labels = ", ".join(card["label"] for card in self.state["models"])
        return f"HeadlessBenchmark({printable(labels)}; {self._target.title})"

    def _ipython_display_(self, **_: Any) -> None:
        shown = {"display_id": uuid.uuid4().hex}
        text = f"Running in {self._target.title} …"
        publish_display_data({"text/plain": text, "text/html": f"<p>{html.escape(text)}</p>"}, transient=shown)
        try:
            self.run()
            bundle = self._bundle()
        except TfjsMagicError as error:
            bundle = {"text/plain": str(error), "text/html": f"<p>{html.escape(str(error))}</p>"}
        publish_display_data(bundle, transient=shown, update=True)
        if self.earlier is not None:
            publish_display_data(difference_bundle(self.measured, self.earlier))

    async def _wait(self) -> BenchmarkResult:
        await _beside_the_loop(self.run)
        return self._outcome()

    def _outcome(self) -> BenchmarkResult:
        snapshot = self.state
        nothing = not any(state["run_ms"] for state in snapshot["jobs"])
        error = snapshot["error"] or all_failed(snapshot)
        if error is not None and (nothing or snapshot["error"]):
            raise RunError(error["message"], js_name=error["name"], js_stack=error["stack"])
        return BenchmarkResult.from_snapshot(snapshot, live=self)

    def _new_session(self) -> Session:
        return Session(
            self._contenders, options=self._options, assets=self._assets, send=self._keep_answer, publish=self._keep
        )

    def _keep_answer(self, reply: FromKernel, buffers: list[bytes]) -> None:
        self._answers.append((reply, buffers))

    def _keep(self, snapshot: Snapshot) -> None:
        """Keep what the page must know: its own numbers, which may be 100,000, it has."""
        if _turn(snapshot) != self._told:
            self._told = _turn(snapshot)
            self._unseen = snapshot

    def _drive(self, ended: Callable[[], bool], stop: threading.Event | None) -> BrowserLostError | None:
        """Open the browser and answer its page until nothing more is wanted; return how it was lost, if it was."""
        if ended():
            return None
        session = self._session
        self._answers.clear()
        self._unseen, self._told = None, _turn(session.snapshot)
        assets = {name: asset.sha256 for name, asset in self._assets.items()}
        traits = {"assets": assets, "snapshot": session.snapshot, "widget_id": ""}
        try:
            with opened(self._target) as page:
                channel = Channel(page, traits)
                silent = 0
                while not ended():
                    if silent > _SILENT_EXCHANGES:
                        raise BrowserLostError(f"{self._target.title} does not run the page. {page.text()}".strip())
                    if stop is not None and stop.is_set():
                        raise RunError("the benchmark was stopped.")
                    # A page that is gone is noticed by WebDriver: silence proves nothing.
                    session.tick(kernel_was_busy=True)
                    answers, self._answers = self._answers, []
                    received = channel.exchange(self._fresh_traits(), answers)
                    silent = 0 if received else silent + 1
                    for content, buffers in received:
                        session.receive(content, buffers)
        except BrowserLostError as error:
            session.lose_page(str(error))
            return error
        return None

    def _fresh_traits(self) -> dict[str, object]:
        snapshot, self._unseen = self._unseen, None
        return {} if snapshot is None else {"snapshot": snapshot}

    def _is_complete(self) -> Callable[[], bool]:
        """Return what tells whether the run has ended, its profiles are there and its plot has come."""
        since: list[float] = []

        def complete() -> bool:
            snapshot = self.state
            task = snapshot["task"]
            if snapshot["status"] not in CONCLUDED or (task is not None and task["status"] in {"wanted", "running"}):
                return False
            since.append(time.monotonic())
            measured = any(state["run_ms"] for state in snapshot["jobs"])
            late = since[-1] - since[0] > _PICTURE_TIMEOUT_S
            return not measured or isinstance(self._target, Node) or self._session.picture is not None or late

        return complete

    def _bundle(self) -> dict[str, str]:
        snapshot = self.state
        text = unfinished(snapshot) or repr(BenchmarkResult.from_snapshot(snapshot))
        return {"text/html": static_html("", snapshot, self._session.picture), "text/plain": text}


class _HeadlessPending(Pending[T]):
    """More about one job, for which the browser is opened when it is wanted."""

    def __init__(self, ticket: Ticket, read: Callable[[], T], run: Callable[[threading.Event | None], None]) -> None:
        super().__init__(ticket, read, lambda: 0.0)
        self._run = run

    @property
    def result(self) -> T:
        """The answer; runs what finds it.

        Raises:
            RunError: The browser does not start, or could not find it.
        """
        self._run(None)
        return self._outcome()

    async def _wait(self) -> T:
        await _beside_the_loop(self._run)
        return self._outcome()

    def _ipython_display_(self, **options: Any) -> None:
        with contextlib.suppress(RunError):
            self._run(None)
        super()._ipython_display_(**options)


def _turn(snapshot: Snapshot) -> object:
    """Return what tells a page that something else is to be done."""
    task = snapshot["task"]
    return snapshot["status"], task and (task["kind"], task["job"], task["status"])


async def _beside_the_loop(run: Callable[[threading.Event], None]) -> None:
    """Run in a thread; who cancels the wait ends it, and the browser is gone when this is over."""
    stop = threading.Event()
    work = asyncio.ensure_future(asyncio.to_thread(run, stop))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        with contextlib.suppress(RunError):
            await work
        raise
