"""Who may use this machine: many processes convert at a time, one measures, and then nobody converts."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import importlib.util
import tempfile  # noqa: TID251 - the one place that all processes of a user know
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tfjs_magic.errors import RunError
from tfjs_magic.options import BROWSERS

if TYPE_CHECKING:
    from filelock import ReadWriteLock


@contextlib.contextmanager
def converting(browser: str | None) -> Iterator[None]:
    """Convert while nobody measures here; a browser elsewhere is not disturbed by it."""
    if browser not in BROWSERS:
        yield
        return
    with contextlib.closing(_lock(browser)) as lock, lock.read_lock():
        yield


@contextlib.contextmanager
def measuring(browser: str) -> Iterator[None]:
    """Measure while nobody else does with this browser, or with another one of this machine."""
    with contextlib.closing(_lock(browser)) as lock, lock.write_lock():
        yield


def check_turns() -> None:
    """Raise RunError unless what keeps the turns is installed."""
    if importlib.util.find_spec("filelock") is None:
        raise RunError("browser= in a sweep needs filelock: pip install 'tfjs-magic[headless]'.")


def _lock(browser: str) -> ReadWriteLock:
    from filelock import ReadWriteLock  # noqa: PLC0415 - an extra

    where = "here" if browser in BROWSERS else browser
    digest = hashlib.sha256(f"{getpass.getuser()} {where}".encode()).hexdigest()[:16]
    # Not a singleton: threads keep turns among each other, too.
    return ReadWriteLock(Path(tempfile.gettempdir()) / f"tfjs-magic-{digest}.lock", is_singleton=False)
