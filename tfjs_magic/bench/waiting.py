"""Waiting for what a page does, in a coroutine or in a cell that blocks."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable

from tfjs_magic.bench.protocol import HEARTBEAT_MS
from tfjs_magic.bench.state import WireError
from tfjs_magic.errors import RunError

POLL_S = 0.05
#: ``await`` gives up when the kernel could answer but no page has taken on the work for so long.
NOT_TAKEN_TIMEOUT_S = 30.0
#: A cell that blocks looks this long for a sign that messages arrive meanwhile (they do on ipykernel 7.0 to 7.3).
#: Longer than a page that is busy may stay silent.
BLOCKED_TIMEOUT_S = 1.5 * HEARTBEAT_MS / 1000


def block_until(has_ended: Callable[[], bool], seconds_since_message: Callable[[], float]) -> None:
    """Sleep until it has ended, or as long as messages arrive while the cell blocks."""
    began = time.monotonic()
    while not has_ended() and min(time.monotonic() - began, seconds_since_message()) < BLOCKED_TIMEOUT_S:
        time.sleep(POLL_S)


async def wait_until(has_ended: Callable[[], bool], *, is_idle: Callable[[], bool], nobody: str) -> None:
    """Let the kernel handle messages until it has ended.

    Args:
        has_ended: Whether nothing more will come.
        is_idle: Whether it is not begun though a page could: only that time is limited.
        nobody: What is wrong then.

    Raises:
        RunError: ``nobody``; or the kernel hands on no messages while a cell waits.
    """
    if has_ended():
        return
    if ipykernel_major() == 6:
        raise RunError(
            "ipykernel 6 hands on no browser messages while a cell waits. "
            "Read result in the next cell once the widget has answered, or install ipykernel 7."
        )
    idle_s = 0.0
    while not has_ended():
        await asyncio.sleep(POLL_S)
        # Sums up sleep, not wall-clock time: what another task blocks does not count against the browser.
        idle_s = idle_s + POLL_S if is_idle() else 0.0
        if idle_s > NOT_TAKEN_TIMEOUT_S:
            raise RunError(nobody)


def ipykernel_major() -> int | None:
    """The kernel's version if this is one; looked up, not imported: without ipykernel loaded this is no kernel."""
    ipykernel = sys.modules.get("ipykernel")
    return ipykernel.version_info[0] if ipykernel is not None else None


def run_error(error: WireError) -> RunError:
    """Return what the page said went wrong."""
    return RunError(error["message"], js_name=error["name"], js_stack=error["stack"])
