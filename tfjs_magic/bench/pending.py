"""What a page was asked for and will answer: to be awaited, read or shown."""

from __future__ import annotations

import html
import uuid
from collections.abc import Callable, Generator
from typing import Any, Generic, Protocol, TypeVar

from IPython.display import publish_display_data

from tfjs_magic.bench.state import Job, Snapshot, TaskKind
from tfjs_magic.bench.tasks import TITLES, Ticket
from tfjs_magic.bench.waiting import NOT_TAKEN_TIMEOUT_S, block_until, run_error, wait_until
from tfjs_magic.errors import RunError, printable

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

    def __init__(
        self,
        ticket: Ticket,
        read: Callable[[], T],
        seconds_since_message: Callable[[], float],
        *,
        pages_are_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._ticket = ticket
        self._read = read
        self._seconds_since_message = seconds_since_message
        self._pages_are_busy = pages_are_busy
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
        block_until(lambda: self.ended, self._seconds_since_message)
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

    async def _wait(self) -> T:
        nobody = (
            f"no page took {self._title} within {NOT_TAKEN_TIMEOUT_S:.0f} s: it runs where the benchmark's "
            "widget is shown. Open the notebook there, or run the benchmark's cell again."
        )
        await wait_until(
            lambda: self.ended,
            is_idle=lambda: self.status == "wanted" and not self._pages_are_busy(),
            nobody=nobody,
        )
        return self._outcome()

    def _outcome(self) -> T:
        if (error := self._ticket.error) is not None:
            raise run_error(error)
        return self._read()

    def _bundle(self) -> dict[str, str]:
        answer = self._read() if self.status == "done" else None
        as_html = getattr(answer, "_repr_html_", None)
        text = repr(self)
        return {"text/plain": text, "text/html": as_html() if as_html else f"<p>{html.escape(text)}</p>"}
