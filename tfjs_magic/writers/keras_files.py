"""Write a Keras model, built from a TF.js layers model, as the files that Keras reads: whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from tfjs_magic.errors import SaveError, reason_of
from tfjs_magic.writers.staging import staged, writable

KerasFormat = Literal["keras", "keras_keras", "keras_saved_model"]
_SUFFIXES = {"keras": ".h5", "keras_keras": ".keras", "keras_saved_model": ""}


def check_keras_target(path: str | Path, *, overwrite: bool = False) -> Path:
    """Return the absolute target if it can be written.

    Raises:
        SaveError: It exists, and may not be overwritten or is a directory with other things than a SavedModel.
    """
    target = writable(path)
    if not target.exists():
        return target
    if not overwrite:
        raise SaveError(f"'{target}' exists. Choose another path, or pass --overwrite.")
    if target.is_dir() and any(target.iterdir()) and not (target / "saved_model.pb").is_file():
        raise SaveError(f"'{target}' is a directory that holds no SavedModel and would be lost. Choose another path.")
    return target


def write_keras(model: Any, path: str | Path, keras_format: KerasFormat, *, overwrite: bool = False) -> Path:
    """Write a Keras 3 model; return the absolute path.

    Args:
        model: What ``to_keras`` gave.
        path: The file, or the directory of a SavedModel.
        keras_format: "keras" for legacy HDF5, "keras_keras" for ``.keras``, "keras_saved_model" for a SavedModel to
            serve (``model.export``).
        overwrite: Replace what is there.

    Raises:
        SaveError: See :func:`check_keras_target`; or Keras cannot write it.
    """
    target = check_keras_target(path, overwrite=overwrite)
    with staged(target, suffix=_SUFFIXES[keras_format]) as place:
        try:
            if keras_format == "keras_saved_model":
                model.export(str(place), verbose=False)
            else:
                model.save(place)
        except OSError:
            raise
        except Exception as error:  # whatever Keras says
            msg = f"'{target}' was not written: {reason_of(error)}. What was there before is unchanged."
            raise SaveError(msg) from error
    return target
