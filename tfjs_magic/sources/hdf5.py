"""What an HDF5 file holds is in that file: checked before any library reads a weight from it.

HDF5 lets a link, a dataset's bytes or a virtual dataset lie in another file, which may be any file of this machine; and
a dataset of any size may be described and never written. Keras does none of it.

Source: the HDF5 file format, 2.0; ``keras/src/saving/saving_lib.py`` (``safe_get_h5_dataset``), 3.15.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfjs_magic.errors import UnsupportedModelError

#: Compression makes more of a byte only where numbers repeat: deflate up to 1,032.
_MOST_PER_STORED_BYTE = 200
_UNCHECKED_BYTES = 64 * 2**20
_MOST_OBJECTS = 1_000_000


def check_hdf5(file: Any, what: str) -> int:
    """Refuse links that lead out of the file or in circles, datasets kept elsewhere, and sizes that it does not hold.

    Args:
        file: A path or a binary file.
        what: Its name, for messages.

    Returns:
        How many numbers its datasets have.

    Raises:
        UnsupportedModelError: Names the object.
    """
    import h5py  # type: ignore[import-untyped]  # noqa: PLC0415 - Keras brings it along

    elements = described = stored = 0
    with h5py.File(file, "r") as opened:
        for name, dataset in _datasets(h5py, opened, what):
            elements += dataset.size or 0
            described += (dataset.size or 0) * dataset.dtype.itemsize
            stored += dataset.id.get_storage_size()
            if dataset.external or dataset.is_virtual:
                raise UnsupportedModelError(
                    f"'{what}' keeps the bytes of '{name}' in another file; expected weights in the file itself."
                )
            if described > _UNCHECKED_BYTES + _MOST_PER_STORED_BYTE * stored:
                raise UnsupportedModelError(
                    f"'{what}' is damaged: '{name}' and what is before it have {described} bytes, of which the file "
                    f"holds {stored}."
                )
    return elements


def _datasets(h5py: Any, root: Any, what: str) -> Iterator[tuple[str, Any]]:
    seen = set()
    stack = [root]
    while stack:
        group = stack.pop()
        for key in group:
            link = group.get(key, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise UnsupportedModelError(
                    f"'{what}' has a link '{group.name.rstrip('/')}/{key}' that leads elsewhere; expected its own "
                    "groups and datasets."
                )
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > _MOST_OBJECTS:
                raise UnsupportedModelError(f"'{what}' holds over {_MOST_OBJECTS} groups and datasets; no model has.")
            if isinstance(item, h5py.Dataset):
                yield item.name, item
            elif isinstance(item, h5py.Group):
                stack.append(item)


def check_archive(path: Path) -> int:
    """Likewise for a ``.keras`` archive: its weights, and that it unpacks to what it may hold.

    Returns:
        How many numbers its weights have.

    Raises:
        UnsupportedModelError: Names the member.
    """
    elements = 0
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        length = sum(member.file_size for member in members)
        if length > _UNCHECKED_BYTES + _MOST_PER_STORED_BYTE * path.stat().st_size:
            raise UnsupportedModelError(f"'{path}' unpacks to {length} bytes; no model can be compressed that far.")
        for member in members:
            if member.filename.endswith(".npz"):
                raise UnsupportedModelError(
                    f"'{path}' keeps weights in '{member.filename}', which may hold code; expected an .h5 file in it."
                )
            if member.filename.endswith(".h5"):
                with _opened(path, archive, member) as file:
                    elements += check_hdf5(file, f"{path}/{member.filename}")
    return elements


def _opened(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Any:
    """Open a member to be read anywhere in it, without copying it where it is stored as it is."""
    if member.compress_type != zipfile.ZIP_STORED:
        return io.BytesIO(archive.read(member))
    with path.open("rb") as file:
        file.seek(member.header_offset + _LOCAL_HEADER_BYTES - 4)
        start = file.tell() + 4 + sum(struct.unpack("<HH", file.read(4)))
    return io.BufferedReader(_Window(path, start, member.file_size))


#: Source: APPNOTE.TXT 6.3.10, 4.3.7; the last four are the lengths of the name and of the extra field.
_LOCAL_HEADER_BYTES = 30


class _Window(io.RawIOBase):
    """A part of a file."""

    def __init__(self, path: Path, start: int, length: int) -> None:
        self._file, self._start, self._length, self._at = path.open("rb"), start, length, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._start + self._at)
        data = self._file.read(min(len(buffer), max(0, self._length - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
