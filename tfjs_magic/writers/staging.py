"""Writing whole or not at all: beside the target first, then in its place.

What a process that is killed leaves behind is a hidden directory that ends in ``.partial``; the next one to write the
same target removes it. Who writes holds a lock, which dies with the process, so that nobody removes what is in use.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import hashlib
import json
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
#: What a directory is called that made room for a new one, until that has its place.
_OLD = ".old"
_MODEL = "model"
_LONGEST_PREFIX = 200
#: What is moved out of a staging directory, for the case that the process is killed.
_MOVED = "moved.json"
#: Source: Linux ``rename(2)``.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def writable(path: str | Path) -> Path:
    """Return the absolute path, links followed, if something may be written there.

    Raises:
        SaveError: It is empty or no possible name, a link to nothing, or its parent cannot be written to.
    """
    if isinstance(path, str) and not path.strip():
        raise SaveError("the path is empty; name the place, or '.' for the current directory.")
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
            place = staging / f"{_MODEL}{suffix}"
            yield place
            _sync_all(place)
            if replace:
                _move(place, target)
            else:
                place.rename(target)
            synced(target.parent)
    except OSError as error:
        raise SaveError(f"'{target}' cannot be created: {error.strerror}. Choose another path.") from error
    finally:
        if not target.exists():
            _remove_empty(new_parents)


@contextlib.contextmanager
def staged_within(target: Path, last: str) -> Iterator[Path]:
    """Yield the path of a directory to make, whose entries then go into one that is there and empty.

    Args:
        target: The directory: of a mount or of a shell, neither of which can make room.
        last: The entry that makes a model of the others.

    Raises:
        SaveError: The disk fails.
    """
    with disk_failures(target), partial(target, last, functools.partial(undo_moves, last=last)) as staging:
        place = staging / _MODEL
        yield place
        _sync_all(place)
        names = sorted((path.name for path in place.iterdir()), key=lambda name: (name == last, name))
        (staging / _MOVED).write_text(json.dumps(names), encoding="utf-8")
        try:
            for name in names:
                if os.path.lexists(target / name):
                    raise FileExistsError(errno.EEXIST, f"'{name}' is there by now")
                (place / name).rename(target / name)
        except BaseException:
            undo_moves(staging, last=last)
            raise
        synced(target)


def undo_moves(staging: Path, *, last: str) -> None:
    """Remove what was moved out of a staging directory, unless all of it was."""
    target, place = staging.parent, staging / _MODEL
    with contextlib.suppress(OSError, ValueError):
        names = json.loads((staging / _MOVED).read_bytes())
        if os.path.lexists(place / last):
            for name in names:
                if not os.path.lexists(place / name):
                    _remove(target / name)


@contextlib.contextmanager
def partial(directory: Path, name: str, take_back: Callable[[Path], None] = lambda _: None) -> Iterator[Path]:
    """Yield a new hidden directory for what will be called ``name``; it is removed at the end.

    Before, what killed processes left is removed; ``take_back`` undoes what they did outside of their directory.
    """
    remove_leftovers(directory, name, take_back)
    with contextlib.ExitStack() as stack:
        while True:
            made = Path(tempfile.mkdtemp(prefix=_prefix(name), suffix=_PARTIAL, dir=directory))
            stack.callback(shutil.rmtree, made, ignore_errors=True)
            stack.enter_context(locked(made, wait=True))
            if made.is_dir():  # else another process took it for a leftover before the lock was held
                break
        yield made


def remove_leftovers(directory: Path, name: str, take_back: Callable[[Path], None] = lambda _: None) -> None:
    """Remove what processes that were killed left where they would have made ``name``; see :func:`partial`."""
    try:
        found = [
            path for path in directory.iterdir() if path.name.startswith(_prefix(name)) and path.suffix == _PARTIAL
        ]
    except OSError:
        return  # a directory that may be written and not be listed
    for left in found:
        with locked(left, wait=False) as mine:
            if mine:
                take_back(left)
                old = left.with_suffix(_OLD)
                if old.is_dir() and not os.path.lexists(directory / name):
                    old.rename(directory / name)
                shutil.rmtree(old, ignore_errors=True)
                shutil.rmtree(left, ignore_errors=True)


def _prefix(name: str) -> str:
    """Return how staging directories for a name begin: it may be as long as the system takes any."""
    data = os.fsencode(name)
    return f".{name}." if len(data) <= _LONGEST_PREFIX else f".{hashlib.sha256(data).hexdigest()}."


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


def _sync_all(place: Path) -> None:
    for path in (place, *place.rglob("*")):
        synced(path)


def _move(place: Path, target: Path) -> None:
    if target.exists():
        shutil.copymode(target, place)
    if not target.is_dir():
        place.replace(target)
        return
    if _exchanged(place, target):
        return  # the old one goes with the staging directory
    # The old one steps aside, and comes back if the new one fails, or when the next process comes.
    aside = place.parent.with_suffix(_OLD)
    target.rename(aside)
    try:
        place.rename(target)
    except OSError as error:
        try:
            aside.rename(target)
        except OSError:
            msg = f"'{target}' was not written: {error.strerror}. What was there before is now '{aside}'."
            raise SaveError(msg) from error
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _exchanged(one: Path, other: Path) -> bool:
    """Let two directories change places in one step; False where the system cannot."""
    rename = None if os.name == "nt" else getattr(ctypes.CDLL(None), "renameat2", None)
    return rename is not None and not rename(
        _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE
    )


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _remove_empty(directories: list[Path]) -> None:
    """Remove directories, innermost first, up to the first that something has been put into."""
    with contextlib.suppress(OSError):
        for directory in directories:
            directory.rmdir()
