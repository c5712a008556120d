"""Models from TF Hub: archives of a SavedModel, and handles that the tensorflow_hub package resolves."""

from __future__ import annotations

import shutil
import tarfile
import tempfile  # noqa: TID251 - TensorFlow loads a SavedModel from a directory only; it is removed at once
import zlib
from pathlib import Path, PurePosixPath

from tfjs_magic.errors import UnsupportedModelError, reason_of
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.paths import ARCHIVE_SUFFIXES, saved_model_in
from tfjs_magic.sources.saved_model import saved_model_source
from tfjs_magic.sources.source import FunctionSource, KerasSource

#: A file that unpacks to more is no model: the largest on TF Hub have a few GB.
_LARGEST_BYTES = 16 * 2**30
_MOST_MEMBERS = 10_000


def hub_source(source: Path | str, options: ConvertOptions) -> FunctionSource | KerasSource:
    """Take an archive, which is a path, or a handle, which is text.

    Raises:
        UnsupportedModelError: It cannot be unpacked or fetched, or holds no SavedModel.
    """
    return _of_handle(source, options) if isinstance(source, str) else _of_archive(source, options)


def _of_archive(path: Path, options: ConvertOptions) -> FunctionSource | KerasSource:
    """Unpack a ``.tar.gz`` into a temporary directory, load the SavedModel in it, and remove the directory."""
    name = path.name
    for suffix in ARCHIVE_SUFFIXES:
        name = name.removesuffix(suffix)
    with tempfile.TemporaryDirectory(prefix="tfjs_magic_") as temporary:
        directory = Path(temporary) / (name or "model")
        _unpack(path, directory)
        try:
            return saved_model_source(_saved_model_in(path, directory), options)
        except UnsupportedModelError as error:
            message = str(error).replace(str(directory), str(path))
            raise UnsupportedModelError(message, stage=error.stage, node=error.node) from error


def _of_handle(handle: str, options: ConvertOptions) -> FunctionSource | KerasSource:
    """Let tensorflow_hub fetch an ``https://`` handle into its own cache, and load what it got."""
    try:
        import tensorflow_hub  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UnsupportedModelError(
            f"'{handle}' is a TF Hub handle, and fetching it needs tensorflow_hub: pip install 'tfjs-magic[hub]'."
        ) from error
    try:
        directory = Path(tensorflow_hub.resolve(handle))
    except Exception as error:  # tensorflow_hub raises whatever the network provokes
        reason = reason_of(error)
        raise UnsupportedModelError(f"tensorflow_hub cannot fetch '{handle}': {reason}.") from error
    return saved_model_source(_saved_model_in(handle, directory), options)


def _saved_model_in(source: Path | str, directory: Path) -> Path:
    """Return the directory with the SavedModel: this one, or the only one in it."""
    for candidate in (directory, *sorted(path for path in directory.iterdir() if path.is_dir())):
        if (found := saved_model_in(candidate)) is not None:
            return found
    raise UnsupportedModelError(f"'{source}' holds no saved_model.pb; expected a SavedModel in it.")


def _unpack(path: Path, directory: Path) -> None:
    """Write regular files only, below ``directory``; links, devices and paths that lead elsewhere are refused."""
    size = 0
    try:
        with tarfile.open(path, "r:gz") as archive:
            for count, member in enumerate(archive, start=1):
                size += member.size
                target = _target(path, directory, member)
                if size > _LARGEST_BYTES or count > _MOST_MEMBERS:
                    raise UnsupportedModelError(
                        f"The archive '{path}' unpacks to over {_LARGEST_BYTES // 2**30} GB or {_MOST_MEMBERS} files; "
                        "expected a model. Unpack it yourself and pass the directory."
                    )
                if member.isdir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                data = archive.extractfile(member)
                assert data is not None
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    shutil.copyfileobj(data, file)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        reason = reason_of(error)
        raise UnsupportedModelError(
            f"The archive '{path}' cannot be unpacked: {reason}; expected a .tar.gz with a SavedModel."
        ) from error


def _target(path: Path, directory: Path, member: tarfile.TarInfo) -> Path:
    name = PurePosixPath(member.name)
    outside = name.is_absolute() or ".." in name.parts or "\\" in member.name or ":" in member.name
    if outside or "\0" in member.name or not (member.isfile() or member.isdir()):
        what = "leads outside" if outside else "is neither a file nor a directory"
        raise UnsupportedModelError(
            f"The archive '{path}' has the member '{member.name}', which {what}; expected the files of a SavedModel."
        )
    return directory / name
