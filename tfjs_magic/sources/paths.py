"""What a path or a handle holds, told by its name and by what lies there; no file is read."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tfjs_magic.errors import UnsupportedModelError, reason_of

Kind = Literal["Keras file", "SavedModel", "TF Hub module", "frozen graph", "TensorFlow.js model"]

#: Beside the graph of a SavedModel that Keras 2 wrote: what its layers are.
KERAS_METADATA = "keras_metadata.pb"
ARCHIVE_SUFFIXES = (".tar.gz", ".tgz")
_SUFFIXES: dict[str, Kind] = {
    ".keras": "Keras file",
    ".h5": "Keras file",
    ".hdf5": "Keras file",
    ".pb": "frozen graph",
    ".json": "TensorFlow.js model",
}
_LONGEST_SHOWN = 200
#: A TF Hub handle. Without encryption only from this very machine.
_HANDLE = re.compile(r"https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/]")


def kind_of(path: str | os.PathLike[str]) -> Kind | None:
    """Return what there is to convert; None where there is nothing, or nothing of any known kind.

    Raises:
        UnsupportedModelError: The system takes no such path, or lets nobody look there.
    """
    if is_handle(path):
        return "TF Hub module"
    with _said_of(path):
        return _kind_at(Path(path).expanduser())


def place_of(path: str | os.PathLike[str]) -> Path:
    """Return the path with the home directory in the place of "~".

    Raises:
        UnsupportedModelError: There is no such user, or the system takes no such path.
    """
    if not os.fspath(path):
        raise UnsupportedModelError("'' is no path; a variable of a script may be empty.")
    with _said_of(path):
        place = Path(path).expanduser()
        place.exists()  # raises where the name is too long, or its directory may not be looked into
        return place


@contextlib.contextmanager
def _said_of(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        text = str(path)
        shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
        reason = error.strerror if isinstance(error, OSError) and error.strerror else reason_of(error)
        raise UnsupportedModelError(f"'{shown}' cannot be opened: {reason}.") from error


def _kind_at(place: Path) -> Kind | None:
    if place.is_dir():
        if (place / "model.json").is_file():
            return "TensorFlow.js model"
        return None if saved_model_in(place) is None else "SavedModel"
    if not place.is_file():
        return None
    return "TF Hub module" if place.name.endswith(ARCHIVE_SUFFIXES) else _SUFFIXES.get(place.suffix)


def is_handle(path: str | os.PathLike[str]) -> bool:
    """Whether it is a TF Hub handle, not a path."""
    return isinstance(path, str) and _HANDLE.match(path) is not None


def lies_in(file: Path, directory: Path) -> bool:
    """Whether a file, links followed, lies in a directory, or where the Hugging Face cache keeps the files of it.

    There a snapshot, ``models--NAME/snapshots/REVISION``, is made of links to ``models--NAME/blobs``.
    """
    real, home = file.resolve(), directory.resolve()
    if real.is_relative_to(home):
        return True
    kept = (one.parent for one in (home, *home.parents) if one.name == "snapshots")
    return any(one.name.startswith("models--") and real.is_relative_to(one / "blobs") for one in kept)


def saved_model_in(directory: Path) -> Path | None:
    """Return the directory itself, or the newest of its version folders, as TensorFlow Serving lays them out."""
    numbered = (folder for folder in directory.iterdir() if folder.name.isdecimal())
    versions = sorted(numbered, key=lambda folder: int(folder.name), reverse=True)
    return next((folder for folder in (directory, *versions) if _is_saved_model(folder)), None)


def holds_layers(directory: str | os.PathLike[str]) -> bool:
    """Whether a SavedModel says what its layers are: those of Keras 2 do."""
    return ((saved_model_in(Path(directory)) or Path(directory)) / KERAS_METADATA).is_file()


def _is_saved_model(path: Path) -> bool:
    return any((path / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt"))
