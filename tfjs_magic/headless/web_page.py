"""The page of a browser, to which WebDriver scripts carry the messages."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from tfjs_magic.bench.assets import load_headless

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver
    from selenium.webdriver.remote.webelement import WebElement

#: Pages that every browser has: a file's is secure, which WebGPU needs; where none may be opened, an empty one.
_PAGES = ("file:///", "about:blank")
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
_ADD_INPUT = (
    "const input = document.createElement('input'); input.type = 'file'; input.hidden = true;"
    " document.body.append(input); return input;"
)
#: A file of another length is one that the browser could not read.
_TAKE_FILE = (
    "const done = arguments[arguments.length - 1]; const [input, length] = arguments;"
    " if (input.files[0]?.size !== length) done(false);"
    " else window.tfjsMagic.takeFile(input).then(() => done(true), () => done(false));"
)
_TEXT = "return document.body.innerText"
_LONGEST_TEXT = 300
_SHOW = "window.tfjsMagic.show();"


class PageError(OSError):
    """The page is not what it was."""


class WebPage:
    """An empty page with ``headless.js`` in it.

    Args:
        driver: The browser.
        local: Whether it runs on this machine, so that it can read what this process holds.
    """

    def __init__(self, driver: WebDriver, *, local: bool) -> None:
        from selenium.common.exceptions import WebDriverException  # noqa: PLC0415 - an extra

        self._driver = driver
        self._shares_memory = local and hasattr(os, "memfd_create")
        self._input: WebElement | None = None
        script = load_headless()
        for page in _PAGES:
            last = page == _PAGES[-1]
            with contextlib.nullcontext() if last else contextlib.suppress(WebDriverException):
                driver.get(page)
                if driver.execute_script(_INSTALL, script) or last:
                    return

    def put(self, base64: str, *, last: bool) -> None:
        """Hand over a piece of a buffer."""
        self._driver.execute_script(_PUT, base64, last)

    def put_whole(self, buffer: memoryview) -> bool:
        """Let the page read a buffer as a file that lies in memory, through a file input; Linux has such files."""
        from selenium.common.exceptions import WebDriverException  # noqa: PLC0415 - an extra

        if not self._shares_memory:
            return False
        self._input = self._input or self._driver.execute_script(_ADD_INPUT)
        descriptor = os.memfd_create("tfjs_magic")
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(buffer)
            with contextlib.suppress(WebDriverException):
                self._input.send_keys(f"/proc/{os.getpid()}/fd/{descriptor}")
                if self._driver.execute_async_script(_TAKE_FILE, self._input, len(buffer)):
                    return True
        finally:
            os.close(descriptor)
        self._shares_memory = False
        return False

    def exchange(self, brought: str, wait_ms: int) -> str:
        """Hand over traits and answers, and return what the page has sent.

        Raises:
            PageError: The page was left.
        """
        text, problem = self._driver.execute_async_script(_EXCHANGE, brought, wait_ms)
        if problem:
            raise PageError(problem)
        return str(text)

    def show(self) -> None:
        """Show the widget."""
        self._driver.execute_script(_SHOW)

    def text(self) -> str:
        """Return what a reader of the page would see."""
        return str(self._driver.execute_script(_TEXT))[:_LONGEST_TEXT]
