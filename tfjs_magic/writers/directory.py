"""Write a model as a directory that ``tf.loadLayersModel`` and ``tf.loadGraphModel`` read: whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from pathlib import Path

from tfjs_magic.artifacts import TfjsModel
from tfjs_magic.errors import SaveError, quoted_list

_MODEL_JSON = "model.json"


def check_target(directory: str | Path, *, overwrite: bool = False) -> Path:
    """Return the absolute target if it can be written: absent, empty, or a TF.js model that may be overwritten.

    Raises:
        SaveError: It is a file, holds other things, or its parent cannot be written to.
    """
    target = Path(os.path.abspath(Path(directory).expanduser()))  # noqa: PTH100 - resolve() would follow the last link
    try:
        target.lstat()
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:  # a name that is too long, holds a NUL, or goes through a file
        reason = error.strerror if isinstance(error, OSError) else error
        raise SaveError(f"'{str(target)[:100]}' cannot be written: {reason}. Choose another directory.") from error
    if target.is_symlink() and not target.exists():
        raise SaveError(f"'{target}' is a link to nothing. Choose another directory.")
    target = target.resolve()
    if target.exists() and not target.is_dir():
        raise SaveError(f"'{target}' is a file; expected a directory, which gets model.json and the weights.")
    parent = next(p for p in (target if target.exists() else target.parent, *target.parents) if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise SaveError(f"'{target}' cannot be written: no permission in '{parent}'. Choose another directory.")
    if target.exists():
        _check_content(target, overwrite=overwrite)
    return target


def write_directory(model: TfjsModel, directory: str | Path, *, overwrite: bool = False) -> Path:
    """Write ``model.json`` and the shards; return the directory's absolute path.

    Everything is written beside the target first and then moved there, so a failure leaves the target as it was.

    Raises:
        SaveError: See :func:`check_target`; or the disk is full.
    """
    target = check_target(directory, overwrite=overwrite)
    new_parents = [parent for parent in target.parents if not parent.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    except OSError as error:
        raise SaveError(f"'{target}' cannot be created: {error.strerror}. Choose another directory.") from error
    try:
        _write_files(model, staging)
        staging.chmod(0o777 & ~_umask())
        move_into_place(staging, target)
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        reason = f"the disk is full, the model needs {model.nbytes / 1e6:.1f} MB" if full else error.strerror
        raise SaveError(f"'{target}' was not written: {reason}. What was there before is unchanged.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if not target.exists():
            _remove_empty(new_parents)
    return target


def _remove_empty(directories: list[Path]) -> None:
    """Remove directories, innermost first, up to the first that something has been put into."""
    with contextlib.suppress(OSError):
        for directory in directories:
            directory.rmdir()


def _check_content(target: Path, *, overwrite: bool) -> None:
    found = {entry.name for entry in target.iterdir()}
    if not found:
        return
    if not overwrite:
        raise SaveError(
            f"'{target}' exists and is not empty. Choose another directory, or pass overwrite=True (--overwrite)."
        )
    if strangers := found - _files_of_model(target):
        raise SaveError(
            f"'{target}' holds {quoted_list(strangers)}, which is no part of a TF.js model and would be lost. Move it "
            "away or choose another directory."
        )


def _files_of_model(target: Path) -> set[str]:
    """Return the names that the model.json in ``target`` accounts for."""
    try:
        manifest = json.loads((target / _MODEL_JSON).read_bytes())["weightsManifest"]
        return {_MODEL_JSON, *(path for group in manifest for path in group["paths"])}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _write_files(model: TfjsModel, directory: Path) -> None:
    for group in model.groups:
        for name, pieces in group.shards():
            with (directory / name).open("wb") as file:
                for piece in pieces:
                    file.write(piece)
    with (directory / _MODEL_JSON).open("w", encoding="utf-8") as file:
        json.dump(model.model_json, file, separators=(",", ":"))
        file.flush()
        os.fsync(file.fileno())


def move_into_place(staging: Path, target: Path) -> None:
    """Move a directory into its place; one that is there survives a failure."""
    if not target.exists():
        staging.rename(target)
        return
    # A directory cannot be replaced by rename: the old one steps aside, and comes back if the new one fails.
    aside = staging.with_suffix(".old")
    target.rename(aside)
    try:
        staging.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
