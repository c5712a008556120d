"""Carries the messages of a :class:`~tfjs_magic.bench.session.Session` to a page and back, as text."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from tfjs_magic.bench.session import Answer

#: Bytes in one script.
_PIECE_BYTES = 4 * 2**20
#: From here on a faster way is tried.
_LARGE_BYTES = 2**18
#: The page answers at the latest after this time.
WAIT_MS = 500

#: A message of the page and its buffers.
Received = tuple[object, list[bytes]]


class Page(Protocol):
    """What can be said to a page; ``js/src/headless/`` is the other side."""

    def put(self, base64: str, *, last: bool) -> None:
        """Hand over a piece of a buffer of the next answers; the last one ends the buffer."""

    def put_whole(self, buffer: memoryview) -> bool:
        """Hand over a large buffer in a faster way; False if there is none, and nothing was handed over."""

    def exchange(self, brought: str, wait_ms: int) -> str:
        """Hand over traits and answers as JSON, and return what the page has sent."""

    def show(self) -> None:
        """Let the page begin."""

    def text(self) -> str:
        """Return what a reader of the page would see."""


class Channel:
    """The way to one page.

    Args:
        page: What runs the benchmark.
        traits: What the page's model holds at first.
    """

    def __init__(self, page: Page, traits: Mapping[str, object]) -> None:
        self._page = page
        self._call(traits, [], wait_ms=0)
        page.show()

    def exchange(self, traits: Mapping[str, object], answers: Sequence[Answer]) -> list[Received]:
        """Hand over traits and answers, and return what the page has sent; wait ``WAIT_MS`` for it at most."""
        for _, buffers in answers:
            for buffer in buffers:
                self._put(buffer)
        return self._call(traits, answers, wait_ms=WAIT_MS)

    def _put(self, buffer: bytes) -> None:
        view = memoryview(buffer).cast("B")
        if len(view) >= _LARGE_BYTES and self._page.put_whole(view):
            return
        for piece, last in _pieces(view):
            self._page.put(base64.b64encode(piece).decode("ascii"), last=last)

    def _call(self, traits: Mapping[str, object], answers: Sequence[Answer], *, wait_ms: int) -> list[Received]:
        replies = [{"content": content, "buffers": len(buffers)} for content, buffers in answers]
        brought = json.dumps({"traits": traits, "replies": replies})
        sent: list[dict[str, Any]] = json.loads(self._page.exchange(brought, wait_ms))
        return [(one["content"], [base64.b64decode(buffer) for buffer in one["buffers"]]) for one in sent]


def _pieces(view: memoryview) -> Iterator[tuple[memoryview, bool]]:
    for offset in range(0, max(len(view), 1), _PIECE_BYTES):
        yield view[offset : offset + _PIECE_BYTES], offset + _PIECE_BYTES >= len(view)
