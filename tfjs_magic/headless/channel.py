"""Carries the messages of a :class:`~tfjs_magic.bench.session.Session` to a page and back, as WebDriver scripts."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfjs_magic.bench.assets import load_headless
from tfjs_magic.bench.session import Answer

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver

#: Pages that every browser has: a file's is secure, which WebGPU needs; where none may be opened, an empty one.
_PAGES = ("file:///", "about:blank")
#: Bytes in one script.
_PIECE_BYTES = 4 * 2**20
#: The page answers at the latest after this time.
WAIT_MS = 500

_INSTALL = (
    "const script = document.createElement('script'); script.textContent = arguments[0];"
    " document.documentElement.append(script); return window.tfjsMagic !== undefined && window.isSecureContext;"
)
_PUT = "window.tfjsMagic.put(arguments[0], arguments[1]);"
_EXCHANGE = (
    "const done = arguments[arguments.length - 1];"
    " if (!window.tfjsMagic) done(['', 'the page was left or reloaded']);"
    " else window.tfjsMagic.exchange(arguments[0], arguments[1])"
    ".then(text => done([text, '']), error => done(['', String(error)]));"
)
_SHOW = "window.tfjsMagic.show();"

#: A message of the page and its buffers.
Received = tuple[object, list[bytes]]


class PageError(OSError):
    """The page is not what it was."""


class Channel:
    """The way to one page.

    Args:
        driver: The browser.
        traits: What the page's model holds at first.
    """

    def __init__(self, driver: WebDriver, traits: Mapping[str, object]) -> None:
        self._driver = driver
        self._open_page()
        self._call(traits, [], wait_ms=0)
        driver.execute_script(_SHOW)

    def exchange(self, traits: Mapping[str, object], answers: Sequence[Answer]) -> list[Received]:
        """Hand over traits and answers, and return what the page has sent; wait ``WAIT_MS`` for it at most.

        Raises:
            PageError: The page is gone.
        """
        for _, buffers in answers:
            for buffer in buffers:
                self._put(buffer)
        return self._call(traits, answers, wait_ms=WAIT_MS)

    def _open_page(self) -> None:
        from selenium.common.exceptions import WebDriverException  # noqa: PLC0415 - an extra

        script = load_headless()
        for page in _PAGES:
            last = page == _PAGES[-1]
            with contextlib.nullcontext() if last else contextlib.suppress(WebDriverException):
                self._driver.get(page)
                if self._driver.execute_script(_INSTALL, script) or last:
                    return

    def _put(self, buffer: bytes) -> None:
        for piece, last in _pieces(buffer):
            self._driver.execute_script(_PUT, base64.b64encode(piece).decode("ascii"), last)

    def _call(self, traits: Mapping[str, object], answers: Sequence[Answer], *, wait_ms: int) -> list[Received]:
        replies = [{"content": content, "buffers": len(buffers)} for content, buffers in answers]
        brought = json.dumps({"traits": traits, "replies": replies})
        text, problem = self._driver.execute_async_script(_EXCHANGE, brought, wait_ms)
        if problem:
            raise PageError(problem)
        sent: list[dict[str, Any]] = json.loads(text)
        return [(one["content"], [base64.b64decode(buffer) for buffer in one["buffers"]]) for one in sent]


def _pieces(buffer: bytes) -> Iterator[tuple[memoryview, bool]]:
    view = memoryview(buffer).cast("B")
    for offset in range(0, max(len(view), 1), _PIECE_BYTES):
        yield view[offset : offset + _PIECE_BYTES], offset + _PIECE_BYTES >= len(view)
