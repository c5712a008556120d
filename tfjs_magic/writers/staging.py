"""Writing whole or not at all: beside the target first, then in its place."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tfjs_magic.errors import SaveError


def writable(path: str | Path) -> Path:
    """Return the absolute path, links followed, if something may be written there.

    Raises:
        SaveError: It is no possible name, a link to nothing, or its parent cannot be written to.
    """
    target = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - resolve() would follow the last link
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
def staged(target: Path, *, suffix: str = "", nbytes: int | None = None) -> Iterator[Path]:
    """Yield the path of a file or a directory to make, which then gets its place; what was there survives a failure.

    Args:
        target: From :func:`writable`; its parents are made, and removed again if nothing is written.
        suffix: What the name of the path ends in, for those who go by it.
        nbytes: How much is written, for the message that the disk is full.

    Raises:
        SaveError: It cannot be created, or the disk fails.
    """
    new_parents = [parent for parent in target.parents if not parent.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    except OSError as error:
        raise SaveError(f"'{target}' cannot be created: {error.strerror}. Choose another path.") from error
    try:
        place = staging / f"model{suffix}"
        yield place
        _move(place, target)
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        needed = "" if nbytes is None else f", the model needs {nbytes / 1e6:.1f} MB"
        reason = f"the disk is full{needed}" if full else error.strerror
        raise SaveError(f"'{target}' was not written: {reason}. What was there before is unchanged.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if not target.exists():
            _remove_empty(new_parents)


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
