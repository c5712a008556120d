"""Writing whole or not at all: beside the target first, then in its place.

What a process that is killed leaves behind is a hidden directory that ends in ``.partial``; the next one to write the
same target removes it. Who writes holds a lock, which dies with the process, so that nobody removes what is in use.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tfjs_magic.errors import SaveError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_PARTIAL = ".partial"


def writable(path: str | Path) -> Path:
    """Return the absolute path, links followed, if something may be written there.

    Raises:
        SaveError: It is no possible name, a link to nothing, or its parent cannot be written to.
    """
    try:
        target = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - resolve() would follow the last link
    except FileNotFoundError as error:
        raise SaveError(f"'{path}' is no place: the current directory is gone. Give an absolute path.") from error
    except RuntimeError as error:
        raise SaveError(f"'{path}' cannot be written: {error}. Choose another path.") from error
    try:
        target.lstat()
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:  # a name that is too long, holds a NUL, or goes through a file
        reason = error.strerror if isinstance(error, OSError) else error
        raise SaveError(f"'{str(target)[:100]}' cannot be written: {reason}. Choose another path.") from error
    if target.is_symlink() and not target.exists():
        raise SaveError(f"'{target}' is a link to nothing. Choose another path.")
    target = target.resolve()
    parent = next(p for p in (target if target.is_dir() else target.parent, *target.parents) if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise SaveError(f"'{target}' cannot be written: no permission in '{parent}'. Choose another path.")
    return target


@contextlib.contextmanager
def staged(target: Path, *, suffix: str = "", nbytes: int | None = None, replace: bool = True) -> Iterator[Path]:
    """Yield the path of a file or a directory to make, which then gets its place; what was there survives a failure.

    Args:
        target: From :func:`writable`; its parents are made, and removed again if nothing is written.
        suffix: What the name of the path ends in, for those who go by it.
        nbytes: How much is written, for the message that the disk is full.
        replace: Whether a directory that is there by then makes room.

    Raises:
        SaveError: It cannot be created, or the disk fails.
    """
    new_parents = [parent for parent in target.parents if not parent.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with disk_failures(target, nbytes), partial(target.parent, target.name) as staging:
            place = staging / f"model{suffix}"
            yield place
            if replace:
                _move(place, target)
            else:
                place.rename(target)
    except PermissionError as error:
        raise SaveError(f"'{target}' cannot be created: {error.strerror}. Choose another path.") from error
    finally:
        if not target.exists():
            _remove_empty(new_parents)


@contextlib.contextmanager
def partial(directory: Path, name: str, take_back: Callable[[Path], None] = lambda _: None) -> Iterator[Path]:
    """Yield a new hidden directory for what will be called ``name``; it is removed at the end.

    Before, what killed processes left is removed; ``take_back`` undoes what they did outside of their directory.
    """
    remove_leftovers(directory, name, take_back)
    with contextlib.ExitStack() as stack:
        while True:
            made = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=_PARTIAL, dir=directory))
            stack.callback(shutil.rmtree, made, ignore_errors=True)
            stack.enter_context(locked(made, wait=True))
            if made.is_dir():  # else another process took it for a leftover before the lock was held
                break
        yield made


def remove_leftovers(directory: Path, name: str, take_back: Callable[[Path], None] = lambda _: None) -> None:
    """Remove what processes that were killed left where they would have made ``name``; see :func:`partial`."""
    try:
        found = [path for path in directory.iterdir() if path.name.startswith(f".{name}.") and path.suffix == _PARTIAL]
    except OSError:
        return  # a directory that may be written and not be listed
    for left in found:
        with locked(left, wait=False) as mine:
            if mine:
                take_back(left)
                shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def locked(directory: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a lock on a directory; yield whether it could be had. Where the system has none, nobody gets any."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        held = True
    except (AttributeError, OSError):
        held = False
    try:
        yield held
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def disk_failures(target: Path, nbytes: int | None = None) -> Iterator[None]:
    """Say in one sentence that the disk fails."""
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        needed = "" if nbytes is None else f", the model needs {nbytes / 1e6:.1f} MB"
        reason = f"the disk is full{needed}" if full else error.strerror
        raise SaveError(f"'{target}' was not written: {reason}. What was there before is unchanged.") from error


def synced(path: Path) -> None:
    """Let a file, or what a directory lists, reach the disk."""
    with contextlib.suppress(PermissionError, IsADirectoryError):  # Windows opens no directory
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _move(place: Path, target: Path) -> None:
    if not target.is_dir():
        place.replace(target)
        return
    # A directory cannot be replaced by rename: the old one steps aside, and comes back if the new one fails.
    aside = place.parent.with_suffix(".old")
    target.rename(aside)
    try:
        place.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _remove_empty(directories: list[Path]) -> None:
    """Remove directories, innermost first, up to the first that something has been put into."""
    with contextlib.suppress(OSError):
        for directory in directories:
            directory.rmdir()
