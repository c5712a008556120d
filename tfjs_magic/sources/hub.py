"""Models from TF Hub: archives of a SavedModel, and handles that the tensorflow_hub package resolves."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import tempfile  # noqa: TID251 - TensorFlow loads a SavedModel from a directory only; it is removed at once
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from tfjs_magic.errors import UnsupportedModelError, reason_of
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.paths import ARCHIVE_SUFFIXES, saved_model_in
from tfjs_magic.sources.saved_model import saved_model_source
from tfjs_magic.sources.sizes import length_of
from tfjs_magic.sources.source import FunctionSource, KerasSource

#: A file that unpacks to more is no model: the largest on TF Hub have a few GB.
_LARGEST_BYTES = 16 * 2**30
_MOST_MEMBERS = 10_000
#: Compression makes more of a byte only where numbers repeat: deflate up to 1,032.
_MOST_PER_STORED_BYTE = 200
_SPARE_BYTES = 64 * 2**20
_MOST_AT_ONCE_BYTES = 2**18


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
    most = min(_LARGEST_BYTES, _SPARE_BYTES + _MOST_PER_STORED_BYTE * length_of(path))
    size = 0
    try:
        with gzip.open(path) as plain, tarfile.open(fileobj=_short_reads(plain), mode="r:") as archive:
            for count, member in enumerate(archive, start=1):
                size += member.size
                target = _target(path, directory, member)
                if member.size < 0 or size > most or count > _MOST_MEMBERS:
                    raise UnsupportedModelError(
                        f"The archive '{path}' unpacks to over {most} bytes or {_MOST_MEMBERS} files; expected a "
                        "model. Unpack it yourself and pass the directory."
                    )
                if member.isdir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                data = archive.extractfile(member)
                assert data is not None
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    shutil.copyfileobj(data, file, _MOST_AT_ONCE_BYTES)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        reason = reason_of(error)
        raise UnsupportedModelError(
            f"The archive '{path}' cannot be unpacked: {reason}; expected a .tar.gz with a SavedModel."
        ) from error


class _ShortReads:
    """A file of which no header is read that is longer than names are: tarfile takes its length from the archive."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MOST_AT_ONCE_BYTES:  # a size below 0 would be all that is left
            msg = f"a header in it has {size} bytes"
            raise tarfile.ReadError(msg)
        return self._file.read(size)


def _short_reads(file: gzip.GzipFile) -> Any:
    return _ShortReads(file)  # read, seek and tell are all that tarfile needs


def _target(path: Path, directory: Path, member: tarfile.TarInfo) -> Path:
    name = PurePosixPath(member.name)
    outside = name.is_absolute() or ".." in name.parts or "\\" in member.name or ":" in member.name
    is_plain = (member.isfile() or member.isdir()) and not member.issparse()
    if outside or "\0" in member.name or not is_plain:
        what = "leads outside" if outside else "is neither a file nor a directory"
        raise UnsupportedModelError(
            f"The archive '{path}' has the member '{member.name}', which {what}; expected the files of a SavedModel."
        )
    return directory / name
