"""Write a model as a directory that ``tf.loadLayersModel`` and ``tf.loadGraphModel`` read: whole or not at all.

A new directory appears by one rename. In one that is there, the shards come first, under names that nothing there has;
then ``model.json`` takes its place by one rename; then the shards of the model that it replaces go. So at no moment a
``model.json`` lists bytes that are missing or another model's, and what others put there is never touched.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from tfjs_magic.artifacts import Artifacts
from tfjs_magic.errors import SaveError
from tfjs_magic.writers.staging import disk_failures, locked, partial, remove_leftovers, staged, synced, writable

_MODEL_JSON = "model.json"
#: No model.json is longer; a pipe or a device is none at all.
_MOST_JSON_BYTES = 2**28
#: How shards are called: by us, and by the official converter, whose older versions leave the suffix out.
_SHARD = re.compile(r"group\d+-shard\d+of\d+(_\d+)?(\.bin)?")
#: The shards of the new model and of the one that it replaces, for the case that the process is killed.
_NAMES = "names.json"


def check_target(directory: str | Path, *, overwrite: bool = False) -> Path:
    """Return the absolute target if it can be written: absent, or a directory without a model, or with one to replace.

    Raises:
        SaveError: It is a file, holds a model, or its parent cannot be written to.
    """
    target = writable(directory)
    if target.exists() and not target.is_dir():
        raise SaveError(f"'{target}' is a file; expected a directory, which gets model.json and the weights.")
    _check_model_json(target / _MODEL_JSON, overwrite=overwrite)
    return target


def write_directory(model: Artifacts, directory: str | Path, *, overwrite: bool = False) -> Path:
    """Write ``model.json`` and the shards; return the directory's absolute path.

    Args:
        model: What is written.
        directory: Made where it is missing; what else it holds stays as it is.
        overwrite: Replace the model that is there: its model.json, and the shards that this lists.

    Raises:
        SaveError: See :func:`check_target`; or the disk is full; or JSON has not all its numbers.
    """
    target = check_target(directory, overwrite=overwrite)
    if not target.exists():
        try:
            with staged(target, nbytes=model.nbytes, replace=False) as staging:
                staging.mkdir()
                _write_files(model, staging, {})
        except SaveError:
            if not target.exists():  # else another process was faster, and this one goes into its directory
                raise
        else:
            return target
    remove_leftovers(target.parent, target.name)
    with (
        disk_failures(target, model.nbytes),
        locked(target, wait=True),
        partial(target, _MODEL_JSON, _remove_unlisted) as staging,
    ):
        _check_model_json(target / _MODEL_JSON, overwrite=overwrite)
        _write_into(model, target, staging)
    return target


def _check_model_json(path: Path, *, overwrite: bool) -> None:
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise SaveError(
            f"'{path.parent}' holds a model.json. Choose another directory, or pass overwrite=True (--overwrite)."
        )
    if _listed(path) is None:
        raise SaveError(f"'{path}' is no TF.js model and would be lost. Move it away or choose another directory.")


def _listed(path: Path) -> list[str] | None:
    """Return the files that a model.json lists; None if it is none of TF.js."""
    try:
        if not path.is_file() or path.stat().st_size > _MOST_JSON_BYTES:
            return None
        manifest = json.loads(path.read_bytes())["weightsManifest"]
        names = [name for group in manifest for name in group["paths"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return names if all(isinstance(name, str) for name in names) else None


def _write_into(model: Artifacts, target: Path, staging: Path) -> None:
    old = target / _MODEL_JSON
    replaced = _listed(old) or []
    names = dict(_free_names(model, target))
    (staging / _NAMES).write_text(json.dumps([*names.values(), *replaced]), encoding="utf-8")
    _write_files(model, staging, names)
    if old.exists():
        for path in staging.iterdir():
            shutil.copymode(old, path)
    try:
        for name in names.values():
            (target / name).touch(exist_ok=False)  # so that nobody else's is replaced
            (staging / name).replace(target / name)
        synced(target)
        (staging / _MODEL_JSON).replace(old)
        synced(target)
    finally:
        _remove_unlisted(staging)


def _free_names(model: Artifacts, target: Path) -> Iterator[tuple[str, str]]:
    """Yield the usual name of each shard, and a name that nothing in the directory has."""
    for group in model.groups:
        for name in group.shard_names:
            others = (name.replace(".bin", f"_{n}.bin") for n in itertools.count(2))
            yield name, next(free for free in itertools.chain([name], others) if not os.path.lexists(target / free))


def _remove_unlisted(staging: Path) -> None:
    """Remove the shards of the old and the new model that no model.json lists; beside a SavedModel nothing.

    They are the old model's, or, where a process did not come to an end, the new one's.
    """
    target = staging.parent
    if any((target / name).exists() for name in ("saved_model.pb", "saved_model.pbtxt")):
        return
    with contextlib.suppress(OSError, ValueError):
        listed = _listed(target / _MODEL_JSON) or []
        for name in json.loads((staging / _NAMES).read_bytes()):
            path = target / name
            if _SHARD.fullmatch(name) and name not in listed and path.is_file() and not path.is_symlink():
                path.unlink()


def _write_files(model: Artifacts, directory: Path, names: Mapping[str, str]) -> None:
    """Write the shards and model.json, under other names than the usual where there are."""
    text = json_text(model, names)
    for group in model.groups:
        for name, pieces in group.shards():
            with (directory / names.get(name, name)).open("wb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
    with (directory / _MODEL_JSON).open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    synced(directory)


def json_text(model: Artifacts, names: Mapping[str, str]) -> str:
    """Return the content of model.json, with other names of shards than the usual where ``names`` has them.

    Raises:
        SaveError: It would hold a number that JSON does not have.
    """
    document = model.model_json
    manifest = [
        {**row, "paths": [names.get(name, name) for name in row["paths"]]} for row in document["weightsManifest"]
    ]
    try:
        return json.dumps({**document, "weightsManifest": manifest}, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise SaveError(
            "The model.json would hold a number that is infinite or none, which no browser reads. Take it out of the "
            "topology or the metadata."
        ) from error
