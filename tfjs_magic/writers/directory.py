"""Write a model as a directory that ``tf.loadLayersModel`` and ``tf.loadGraphModel`` read: whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tfjs_magic.artifacts import Artifacts
from tfjs_magic.errors import SaveError, quoted_list
from tfjs_magic.writers.staging import staged, writable

_MODEL_JSON = "model.json"


def check_target(directory: str | Path, *, overwrite: bool = False) -> Path:
    """Return the absolute target if it can be written: absent, empty, or a TF.js model that may be overwritten.

    Raises:
        SaveError: It is a file, holds other things, or its parent cannot be written to.
    """
    target = writable(directory)
    if target.exists() and not target.is_dir():
        raise SaveError(f"'{target}' is a file; expected a directory, which gets model.json and the weights.")
    if target.exists():
        _check_content(target, overwrite=overwrite)
    return target


def write_directory(model: Artifacts, directory: str | Path, *, overwrite: bool = False) -> Path:
    """Write ``model.json`` and the shards; return the directory's absolute path.

    Everything is written beside the target first and then moved there, so a failure leaves the target as it was.

    Raises:
        SaveError: See :func:`check_target`; or the disk is full; or JSON has not all its numbers.
    """
    target = check_target(directory, overwrite=overwrite)
    with staged(target, nbytes=model.nbytes) as staging:
        staging.mkdir()
        _write_files(model, staging)
    return target


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


def _json_text(model: Artifacts) -> str:
    try:
        return json.dumps(model.model_json, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise SaveError(
            "The model.json would hold a number that is infinite or none, which no browser reads. Take it out of the "
            "topology or the metadata."
        ) from error


def _write_files(model: Artifacts, directory: Path) -> None:
    text = _json_text(model)
    for group in model.groups:
        for name, pieces in group.shards():
            with (directory / name).open("wb") as file:
                for piece in pieces:
                    file.write(piece)
    with (directory / _MODEL_JSON).open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
