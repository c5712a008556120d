"""The benchmark in the notebook: an anywidget over a :class:`~tfjs_magic.bench.session.Session`."""

from __future__ import annotations

import asyncio
import uuid
import weakref
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import anywidget
import traitlets
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display, publish_display_data

from tfjs_magic.artifacts import Artifacts
from tfjs_magic.bench.assets import load_assets, load_esm
from tfjs_magic.bench.contender import Contender, contenders_of
from tfjs_magic.bench.pending import Pending
from tfjs_magic.bench.pictures import picture_input
from tfjs_magic.bench.protocol import FromKernel
from tfjs_magic.bench.result import BenchmarkResult
from tfjs_magic.bench.session import Buffers, Session
from tfjs_magic.bench.snapshot import all_failed, is_busy
from tfjs_magic.bench.state import CONCLUDED, ENDED, Job, Snapshot, TaskKind
from tfjs_magic.bench.static_output import difference_bundle, static_html, unfinished
from tfjs_magic.bench.waiting import NOT_TAKEN_TIMEOUT_S, block_until, run_error, wait_until
from tfjs_magic.errors import RunError, printable
from tfjs_magic.options import BenchmarkOptions

_TICK_S = 1.0

T = TypeVar("T")


class Benchmark(anywidget.AnyWidget):  # type: ignore[misc]
    """A benchmark that runs when its view appears in a browser.

    ``await bench`` shows it, if no cell has yet, and waits for the end (ipykernel 7); ``bench.result`` in a later cell
    gives the same without waiting.
    Both give a :class:`BenchmarkResult`.

    Attributes:
        snapshot: Synced: the state that every view shows and the saved notebook keeps.
        assets: Synced: file name → sha256 of what the page may pull.
        ended: Synced, set by a page: how often one has told an end or an answer; marimo runs cells again for it.
        pictures: Synced: for each model that takes one picture, what the page must know to try one.
        widget_id: Synced: names the static output that a live view hides.
        earlier: What is shown below it as the result before, with the difference, once there is one of its own.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    snapshot = traitlets.Dict().tag(sync=True)
    assets = traitlets.Dict().tag(sync=True)
    widget_id = traitlets.Unicode().tag(sync=True)
    ended = traitlets.Int().tag(sync=True)
    pictures = traitlets.List().tag(sync=True)

    #: A page that shows several runs them one after the other.
    _open: ClassVar[weakref.WeakSet[Benchmark]] = weakref.WeakSet()

    def __init__(self, contenders: Sequence[Contender], options: BenchmarkOptions) -> None:
        assets = load_assets()
        self._session = Session(contenders, options=options, assets=assets, send=self._send_reply, publish=self._show)
        self.earlier: BenchmarkResult | None = None
        self._closed = False
        self._static_id: str | None = None
        self._asked: list[Pending[Any]] = []
        self._difference_id: str | None = None
        super().__init__(
            _esm=load_esm(),
            snapshot=self._session.snapshot,
            assets={name: asset.sha256 for name, asset in assets.items()},
            widget_id=uuid.uuid4().hex,
            pictures=[picture_input(contender, options) for contender in contenders],
        )
        self.on_msg(self._receive)
        self._open.add(self)
        self._tick_on_kernel_loop()

    @classmethod
    def of(cls, models: Mapping[str, Artifacts], options: BenchmarkOptions) -> Benchmark:
        """Make a benchmark of models by label.

        Raises:
            ValueError: The samples do not fit a model, or none can be drawn for it.
        """
        return cls(contenders_of(models, options), options)

    @property
    def status(self) -> str:
        """One of "pending", "running", "finished", "stopped", "failed", "interrupted"."""
        return self._session.snapshot["status"]

    @property
    def state(self) -> Snapshot:
        """All that is known now, as plain data."""
        return self._session.snapshot

    @property
    def result(self) -> BenchmarkResult:
        """The numbers, if the run has ended.

        Where the kernel handles the page's messages while a cell blocks (ipykernel 7.0 to 7.3), this waits for the
        end. Elsewhere it raises within seconds: ``await bench`` waits on ipykernel 7, reading it in a cell that is
        run once the widget has finished works everywhere.

        Raises:
            RunError: The run has not ended, or ended without numbers.
        """
        if self._static_id is not None:
            block_until(lambda: self._ended, lambda: self._session.seconds_since_message)
        if not self._ended:
            raise RunError(f"the benchmark is {self.status}: {_what_to_do(self.status, closed=False)}")
        return self._outcome()

    def ask(self, kind: TaskKind, job: Job, read: Callable[[Snapshot], T]) -> Pending[T]:
        """Ask the page that shows this widget for more about a job; ``read`` takes the answer out of the state."""
        ticket = self._session.want(kind, job)
        pending = Pending(
            ticket,
            lambda: read(self.state),
            lambda: self._session.seconds_since_message,
            pages_are_busy=self._pages_are_busy,
        )
        self._asked.append(pending)
        return pending

    @property
    def measured(self) -> BenchmarkResult | None:
        """The numbers, if the run has ended and there are any; never waits."""
        snapshot = self._session.snapshot
        if snapshot["status"] in CONCLUDED and any(state["run_ms"] for state in snapshot["jobs"]):
            return BenchmarkResult.from_snapshot(snapshot)
        return None

    def __await__(self) -> Generator[Any, None, BenchmarkResult]:
        return self._wait().__await__()

    def close(self) -> None:
        """Take the widget away and free the models; numbers that were measured stay."""
        self._closed = True
        self._open.discard(self)
        self._session.close()
        if self.layout is not None:  # a model of its own, which ipywidgets would keep
            self.layout.close()
        super().close()

    def __repr__(self) -> str:
        labels = ", ".join(card["label"] for card in self._session.snapshot["models"])
        return f"Benchmark({printable(labels)})"

    def _ipython_display_(self, **_: Any) -> None:
        """Show the live view, and below it the output that stays readable without a kernel: once per widget."""
        bundle = self._repr_mimebundle_()
        if bundle is not None:
            display(bundle[0], metadata=bundle[1], raw=True)
        for shown in filter(None, (self._static_id, self._difference_id)):
            publish_display_data({}, transient={"display_id": shown}, update=True)
        self._static_id = uuid.uuid4().hex
        publish_display_data(self._static_bundle(), transient={"display_id": self._static_id})
        if self.earlier is not None:
            self._difference_id = uuid.uuid4().hex
            publish_display_data(self._difference_bundle(), transient={"display_id": self._difference_id})

    @property
    def _ended(self) -> bool:
        return self._closed or self.status in ENDED

    @classmethod
    def _pages_are_busy(cls) -> bool:
        """Whether a page runs one of this kernel's benchmarks, or a task of one: others may be behind it."""
        return any(is_busy(bench.state) for bench in [*cls._open])

    async def _wait(self) -> BenchmarkResult:
        if not self._ended and self._static_id is None and InteractiveShell.initialized():
            self._ipython_display_()
        nobody = (
            f"no browser opened the widget within {NOT_TAKEN_TIMEOUT_S:.0f} s. It runs in the page that shows "
            "the notebook (JupyterLab, Notebook 7, VS Code), not under nbconvert or papermill: there, "
            "browser='chrome' (--browser chrome) opens one."
        )
        await wait_until(
            lambda: self._ended,
            is_idle=lambda: self.status == "pending" and not self._pages_are_busy(),
            nobody=nobody,
        )
        return self._outcome()

    def _outcome(self) -> BenchmarkResult:
        snapshot = self._session.snapshot
        if snapshot["status"] not in CONCLUDED:
            raise RunError(
                f"the benchmark is {snapshot['status']}: {_what_to_do(snapshot['status'], closed=self._closed)}"
            )
        if (error := snapshot["error"] or all_failed(snapshot)) is not None:
            raise run_error(error)
        return BenchmarkResult.from_snapshot(snapshot, live=self)

    def _receive(self, _: Any, content: object, buffers: Buffers) -> None:
        self._session.receive(content, buffers)

    def _send_reply(self, reply: FromKernel, buffers: list[bytes]) -> None:
        self.send(reply, buffers)

    def _show(self, snapshot: Snapshot) -> None:
        if self._closed:
            return
        begun = self.snapshot["status"] == "pending" and snapshot["status"] == "running"
        self.snapshot = snapshot
        for pending in [*self._asked]:
            if pending.ended:
                self._asked.remove(pending)
                pending.refresh()
        if begun:
            self._update(self._static_id, self._static_bundle)
        if snapshot["status"] in ENDED:
            self._update(self._static_id, self._static_bundle)
            self._update(self._difference_id, self._difference_bundle)

    @staticmethod
    def _update(display_id: str | None, bundle: Callable[[], dict[str, str]]) -> None:
        if display_id is not None:
            publish_display_data(bundle(), transient={"display_id": display_id}, update=True)

    def _static_bundle(self) -> dict[str, str]:
        snapshot = self._session.snapshot
        text = unfinished(snapshot) or repr(BenchmarkResult.from_snapshot(snapshot))
        return {"text/html": static_html(self.widget_id, snapshot, self._session.picture), "text/plain": text}

    def _difference_bundle(self) -> dict[str, str]:
        return difference_bundle(self.measured, self.earlier)

    def _tick_on_kernel_loop(self) -> None:
        """Tick once a second on the kernel's loop, whose lateness tells that a cell kept messages waiting."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # plain Python: there is no page either
            return

        def tick(due: float) -> None:
            if not self._closed:
                self._session.tick(kernel_was_busy=loop.time() > due + _TICK_S)
                loop.call_later(_TICK_S, tick, loop.time() + _TICK_S)

        loop.call_later(_TICK_S, tick, loop.time() + _TICK_S)


def _what_to_do(status: str, *, closed: bool) -> str:
    if closed:
        return "it was closed before it ended; run its cell again."
    if status == "pending":
        return (
            "no browser has opened the widget yet. Display it, then `await` it or read result once it has finished; "
            "without a notebook's page, browser='chrome' (--browser chrome) opens one."
        )
    if status == "running":
        return "`await` it (ipykernel 7), or read result in a later cell once the widget has finished."
    return "the page that ran it was closed or reloaded; press Run again in the widget."
