"""Sizes before bytes: nothing is read whole before it is known how much it is, and none waits for a pipe."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from tfjs_magic.errors import UnsupportedModelError

#: Text that describes a model, not its weights. The largest graphs of published models have a tenth of it.
MOST_TEXT_BYTES = 64 * 2**20
#: Each object or list of JSON takes some 60 to 250 bytes in Python.
_MOST_OBJECTS = 2_000_000
_MOST_FILES = 10_000
_MOST_HOLE_BYTES = 256 * 2**20
#: Protobuf reads no larger message.
MOST_PROTO_BYTES = 2**31 - 1


def read_bytes(path: Path, *, most: int = MOST_TEXT_BYTES) -> bytes:
    """Return a file's bytes.

    Raises:
        UnsupportedModelError: It is no regular file, or longer than ``most`` bytes.
    """
    if (length := length_of(path)) > most:
        raise UnsupportedModelError(f"'{path}' has {length} bytes; expected at most {most} of what describes a model.")
    with path.open("rb") as file:
        data = file.read(length + 1)
    if len(data) > length:
        raise UnsupportedModelError(f"'{path}' grew while it was read; convert it once it is written.")
    return data


def length_of(path: Path) -> int:
    """Return the number of a file's bytes.

    Raises:
        UnsupportedModelError: It is no regular file, or most of it was never written: a hole, which reads as zeros.
    """
    if not path.is_file():
        raise UnsupportedModelError(f"'{path}' is no file; expected one that a model was written to.")
    length = path.stat().st_size
    if length > _MOST_HOLE_BYTES and (hole := length - _written_bytes(path, length)) > _MOST_HOLE_BYTES:
        raise UnsupportedModelError(f"'{path}' has {length} bytes, of which {hole} were never written; it is damaged.")
    return length


def _written_bytes(path: Path, length: int) -> int:
    """Count what is no hole; the whole length where the system does not tell."""
    if not hasattr(os, "SEEK_DATA"):
        return length
    written = at = 0
    with path.open("rb") as file:
        while at < length:
            try:
                start = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # a hole up to the end
                break
            at = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            written += at - start
    return written


def parse_json(data: bytes | str, what: str, *, kind: str = "JSON", numbers_only: bool = False) -> Any:
    """Read JSON.

    Args:
        data: UTF-8, if bytes.
        what: The file, for messages.
        kind: What it should be, for messages.
        numbers_only: Refuse NaN and Infinity, which are no JSON; Python's own writer makes them.

    Raises:
        UnsupportedModelError: It is none, is too large, or nested too deeply.
    """
    opening = (data.count(b"{") + data.count(b"[")) if isinstance(data, bytes) else (data.count("{") + data.count("["))
    if len(data) > MOST_TEXT_BYTES or opening > _MOST_OBJECTS:
        raise UnsupportedModelError(
            f"'{what}' has {len(data)} bytes with {opening} objects; expected at most {MOST_TEXT_BYTES} and "
            f"{_MOST_OBJECTS} of what describes a model."
        )
    refuse: Callable[[str], Any] | None = _no_number if numbers_only else None
    try:
        return json.loads(data, parse_constant=refuse)
    except RecursionError as error:
        raise UnsupportedModelError(f"'{what}' is damaged or no {kind}: it is nested too deeply.") from error
    except ValueError as error:
        reason = re.sub(r"^Expecting", "expecting", str(error))
        raise UnsupportedModelError(f"'{what}' is damaged or no {kind}: {reason}.") from error


def _no_number(token: str) -> NoReturn:
    msg = f"{token} is no number of JSON"
    raise ValueError(msg)


def regular_files(directory: Path) -> None:
    """Refuse what is no file in a SavedModel: a pipe would be waited for, and a hole is read as zeros.

    Raises:
        UnsupportedModelError: Names it; or there are too many.
    """
    found = itertools.chain(
        directory.iterdir(), *((directory / name).rglob("*") for name in ("assets", "debug", "variables"))
    )
    for count, path in enumerate(found):
        if count > _MOST_FILES:
            raise UnsupportedModelError(f"'{directory}' holds over {_MOST_FILES} files; expected a SavedModel.")
        if not path.is_dir():
            length_of(path)
