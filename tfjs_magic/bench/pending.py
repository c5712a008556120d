"""What a page was asked for and will answer: to be awaited, read or shown."""

from __future__ import annotations

import asyncio
import html
import sys
import time
import uuid
from collections.abc import Callable, Generator
from typing import Any, Generic, Protocol, TypeVar

from IPython.display import publish_display_data

from tfjs_magic.bench.protocol import HEARTBEAT_MS, Job, Snapshot, TaskKind
from tfjs_magic.bench.tasks import TITLES, Ticket
from tfjs_magic.errors import RunError, printable

POLL_S = 0.05
#: ``await`` gives up when the kernel could answer but no page has taken the task for so long.
NOT_TAKEN_TIMEOUT_S = 30.0
#: ``result`` looks this long for a sign that messages arrive while the cell blocks.
BLOCKED_TIMEOUT_S = 1.5 * HEARTBEAT_MS / 1000

T = TypeVar("T")


class Live(Protocol):
    """A benchmark that a page may show."""

    @property
    def state(self) -> Snapshot:
        """All that is known now."""

    def ask(self, kind: TaskKind, job: Job, read: Callable[[Snapshot], T]) -> Pending[T]:
        """Ask the page for more about a job."""


class Pending(Generic[T]):
    """More about one job of a benchmark, on its way from the page that shows the widget.

    ``await`` waits for it (ipykernel 7); ``result`` in a later cell gives it without waiting. As the last value of a
    cell it shows itself, and fills in when the page has answered.
    """

    def __init__(self, ticket: Ticket, read: Callable[[], T], seconds_since_message: Callable[[], float]) -> None:
        self._ticket = ticket
        self._seconds_since_message = seconds_since_message
        self._read = read
        self._display_id: str | None = None

    @property
    def status(self) -> str:
        """One of "wanted", "running", "done", "failed"."""
        return self._ticket.status

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.status in {"done", "failed"}

    @property
    def result(self) -> T:
        """The answer.

        Where the kernel handles the page's messages while a cell blocks (ipykernel 7.0 to 7.3), this waits for it.

        Raises:
            RunError: It is not there yet, or will not come.
        """
        deadline = time.monotonic() + BLOCKED_TIMEOUT_S
        while not self.ended and time.monotonic() < max(deadline, self._last_sign + BLOCKED_TIMEOUT_S):
            time.sleep(POLL_S)
        if not self.ended:
            raise RunError(
                f"{self._title} is {self.status}: `await` it (ipykernel 7), or read result in a later cell, while the "
                "page shows the benchmark's widget."
            )
        return self._outcome()

    def __await__(self) -> Generator[Any, None, T]:
        return self._wait().__await__()

    def refresh(self) -> None:
        """Show what is known now, where this is shown."""
        if self._display_id is not None:
            publish_display_data(self._bundle(), transient={"display_id": self._display_id}, update=True)

    def __repr__(self) -> str:
        if self.status == "done":
            return repr(self._read())
        if self._ticket.error is not None:
            return printable(self._ticket.error["message"])
        return f"{self._title.capitalize()} is {self.status}."

    def _ipython_display_(self, **_: Any) -> None:
        self._display_id = uuid.uuid4().hex
        publish_display_data(self._bundle(), transient={"display_id": self._display_id})

    @property
    def _title(self) -> str:
        return TITLES[self._ticket.name["kind"]]

    @property
    def _last_sign(self) -> float:
        return time.monotonic() - self._seconds_since_message()

    async def _wait(self) -> T:
        if not self.ended and ipykernel_major() == 6:
            raise RunError(
                "ipykernel 6 hands on no browser messages while a cell waits. "
                "Read its result in the next cell once the widget has answered, or install ipykernel 7."
            )
        awake = 0.0
        while not self.ended:
            await asyncio.sleep(POLL_S)
            awake = awake + POLL_S if self.status == "wanted" else 0.0
            if awake > NOT_TAKEN_TIMEOUT_S:
                raise RunError(
                    f"no page took {self._title} within {NOT_TAKEN_TIMEOUT_S:.0f} s: it runs where the benchmark's "
                    "widget is shown. Open the notebook there, or run the benchmark's cell again."
                )
        return self._outcome()

    def _outcome(self) -> T:
        if (error := self._ticket.error) is not None:
            raise RunError(error["message"], js_name=error["name"], js_stack=error["stack"])
        return self._read()

    def _bundle(self) -> dict[str, str]:
        answer = self._read() if self.status == "done" else None
        as_html = getattr(answer, "_repr_html_", None)
        text = repr(self)
        return {"text/plain": text, "text/html": as_html() if as_html else f"<p>{html.escape(text)}</p>"}


def ipykernel_major() -> int | None:
    """The kernel's version if this is one; looked up, not imported: without ipykernel loaded this is no kernel."""
    ipykernel = sys.modules.get("ipykernel")
    return ipykernel.version_info[0] if ipykernel is not None else None
