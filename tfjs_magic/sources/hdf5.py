"""What an HDF5 file holds is in that file: checked before any library reads a weight from it.

HDF5 lets a link, a dataset's bytes or a virtual dataset lie in another file, which may be any file of this machine; and
a dataset of any size may be described and never written. Keras does none of it.

Source: the HDF5 file format, 2.0; ``keras/src/saving/saving_lib.py`` (``safe_get_h5_dataset``), 3.15.
"""

from __future__ import annotations

import io
import itertools
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfjs_magic.errors import UnsupportedModelError

#: Compression makes more of a byte only where numbers repeat: deflate up to 1,032.
_MOST_PER_STORED_BYTE = 200
_UNCHECKED_BYTES = 64 * 2**20
#: Names of groups and datasets; the largest models have a tenth.
_MOST_OBJECTS = 50_000
_MOST_MEMBERS = 10_000


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
    length = _length(file)
    with h5py.File(file, "r") as opened:
        for name, dataset in _datasets(h5py, opened, what):
            elements += dataset.size or 0
            described += (dataset.size or 0) * dataset.dtype.itemsize
            stored += dataset.id.get_storage_size()
            if dataset.external or dataset.is_virtual:
                raise UnsupportedModelError(
                    f"'{what}' keeps the bytes of '{name}' in another file; expected weights in the file itself."
                )
            stored = min(stored, length)
            if described > _UNCHECKED_BYTES + _MOST_PER_STORED_BYTE * stored:
                raise UnsupportedModelError(
                    f"'{what}' is damaged: '{name}' and what is before it have {described} bytes, of which the file "
                    f"holds {stored}."
                )
    return elements


def _length(file: Any) -> int:
    """Return how long a file is: what lies in it may be said to be longer, or counted twice."""
    if isinstance(file, (str, os.PathLike)):
        return Path(file).stat().st_size
    length: int = file.seek(0, io.SEEK_END)
    file.seek(0)
    return length


def _datasets(h5py: Any, root: Any, what: str) -> Iterator[tuple[str, Any]]:
    seen = set()
    names = itertools.count(1)
    stack = [root]
    while stack:
        group = stack.pop()
        for key in group:
            if next(names) > _MOST_OBJECTS:
                raise UnsupportedModelError(f"'{what}' holds over {_MOST_OBJECTS} groups and datasets; no model has.")
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
        if len(members) > _MOST_MEMBERS:
            raise UnsupportedModelError(f"'{path}' has {len(members)} members; expected at most {_MOST_MEMBERS}.")
        if length > _UNCHECKED_BYTES + _MOST_PER_STORED_BYTE * path.stat().st_size:
            raise UnsupportedModelError(f"'{path}' unpacks to {length} bytes; no model can be compressed that far.")
        for member in members:
            if member.compress_type not in _METHODS:
                raise UnsupportedModelError(f"'{path}' packs '{member.filename}' as Keras does not.")
            if member.filename.endswith(".npz"):
                raise UnsupportedModelError(
                    f"'{path}' keeps weights in '{member.filename}', which may hold code; expected an .h5 file in it."
                )
            if member.filename.endswith(".h5"):
                with _opened(path, member) as file:
                    elements += check_hdf5(file, f"{path}/{member.filename}")
    return elements


def read_member(path: Path, member: zipfile.ZipInfo, *, most: int | None = None) -> bytes:
    """Return the bytes of a member, which are as many as the archive says: zipfile would unpack any number first.

    Raises:
        UnsupportedModelError: They are more than ``most``, or others than it says, or packed as no Keras does.
    """
    size = member.file_size
    if most is not None and size > most:
        raise UnsupportedModelError(f"'{path}/{member.filename}' has {size} bytes; expected at most {most}.")
    with _Window(path, _start(path, member), member.compress_size) as window:
        data: bytes = window.read(min(member.compress_size, path.stat().st_size))
    if member.compress_type == zipfile.ZIP_DEFLATED:
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        data = unpacker.decompress(data, size + 1)
    if len(data) != size or member.compress_type not in _METHODS or zlib.crc32(data) != member.CRC:
        raise UnsupportedModelError(
            f"'{path}/{member.filename}' is damaged, or packed in an odd way: it is no file of {size} bytes."
        )
    return data


_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


def _opened(path: Path, member: zipfile.ZipInfo) -> Any:
    """Open a member to be read anywhere in it, without copying it where it is stored as it is."""
    if member.compress_type != zipfile.ZIP_STORED:
        return io.BytesIO(read_member(path, member))
    return io.BufferedReader(_Window(path, _start(path, member), member.file_size))


def _start(path: Path, member: zipfile.ZipInfo) -> int:
    with path.open("rb") as file:
        file.seek(member.header_offset + _LOCAL_HEADER_BYTES - 4)
        name_length, extra_length = struct.unpack("<HH", file.read(4))
        return file.tell() + int(name_length) + int(extra_length)


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
