"""Puts the browser's outputs together from the pieces in which they arrive."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.bench.protocol import MAX_PIECE_BYTES, ProtocolError, WireTensor

#: All outputs of one benchmark that wait to be compared; bounds what a page can make the kernel hold.
MAX_WAITING_BYTES = 2**28

#: TF.js dtype → how its bytes are laid out in memory.
WIRE_DTYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype("<f4"),
    "int32": np.dtype("<i4"),
    "bool": np.dtype("?"),
    "complex64": np.dtype("<c8"),
}

#: Model index, backend, feed index, output name.
OutputKey = tuple[int, str | None, int, str]


@dataclasses.dataclass(eq=False)
class _Waiting:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    content: bytearray
    missing: set[int]


class OutputStore:
    """Outputs by key until they are taken; a piece that is sent again replaces itself."""

    def __init__(self) -> None:
        self._waiting: dict[OutputKey, _Waiting] = {}
        self._done: dict[OutputKey, Array] = {}

    def put(self, key: OutputKey, tensor: WireTensor, *, offset: int, total: int, buffers: Sequence[Any]) -> None:
        """Keep the piece at ``offset`` of an output that has ``total`` bytes, or all values of a text output.

        An output is cut every ``MAX_PIECE_BYTES``.

        Raises:
            ProtocolError: Shape, offset, length and total do not agree, or there is too much.
        """
        shape = tuple(tensor["shape"])
        if any(side < 0 for side in shape):
            raise ProtocolError(f"output '{key[3]}' has shape {shape}; expected no negative side.")
        if tensor["dtype"] == "string":
            self._done[key] = _texts(tensor, shape)
            return
        if tensor["dtype"] not in WIRE_DTYPES:
            raise ProtocolError(f"output '{key[3]}' has dtype '{tensor['dtype']}'; expected one of {[*WIRE_DTYPES]}.")
        dtype = WIRE_DTYPES[tensor["dtype"]]
        if total != math.prod(shape) * dtype.itemsize:
            raise ProtocolError(f"output '{key[3]}' of shape {shape} says it has {total} bytes.")
        piece = _only_buffer(buffers)
        if offset not in _offsets(total) or len(piece) != min(MAX_PIECE_BYTES, total - offset):
            raise ProtocolError(
                f"bytes {offset} to {offset + len(piece)} of output '{key[3]}' are no piece of its {total} bytes; "
                f"expected it cut every {MAX_PIECE_BYTES}."
            )
        waiting = self._open(key, dtype, shape, total)
        waiting.content[offset : offset + len(piece)] = piece
        waiting.missing.discard(offset)
        if not waiting.missing:
            self._done[key] = np.frombuffer(waiting.content, dtype).reshape(shape)

    def take(self, keys: Sequence[OutputKey]) -> list[Array]:
        """Return outputs and forget them.

        Raises:
            ProtocolError: One has not arrived in full.
        """
        if missing := [key for key in keys if key not in self._done]:
            raise ProtocolError(f"output '{missing[0][3]}' of feed {missing[0][2]} has not arrived in full.")
        for key in keys:
            self._waiting.pop(key, None)
        return [self._done.pop(key) for key in keys]

    def clear(self) -> None:
        """Forget everything."""
        self._waiting.clear()
        self._done.clear()

    def _open(self, key: OutputKey, dtype: np.dtype[Any], shape: tuple[int, ...], total: int) -> _Waiting:
        known = self._waiting.get(key)
        if known is not None and (known.dtype, known.shape) == (dtype, shape):
            return known
        held = sum(len(waiting.content) for other, waiting in self._waiting.items() if other != key)
        if held + total > MAX_WAITING_BYTES:
            raise ProtocolError(f"the outputs to compare exceed {MAX_WAITING_BYTES} bytes; pass fewer samples.")
        self._waiting[key] = _Waiting(dtype, shape, bytearray(total), {*_offsets(total)})
        return self._waiting[key]


def _offsets(total: int) -> range:
    """Return where the pieces begin; an empty output has one, which is empty."""
    return range(0, max(total, 1), MAX_PIECE_BYTES)


def _only_buffer(buffers: Sequence[Any]) -> memoryview:
    if len(buffers) != 1:
        raise ProtocolError(f"the message has {len(buffers)} buffers; expected 1.")
    # Jupyter hands over memoryviews of any format, marimo bytes.
    return memoryview(buffers[0]).cast("B")


def _texts(tensor: WireTensor, shape: tuple[int, ...]) -> Array:
    values = tensor["values"]
    if values is None or len(values) != math.prod(shape):
        raise ProtocolError(f"text output '{tensor['name']}' of shape {shape} lacks its values.")
    if sum(map(len, values)) > MAX_PIECE_BYTES:
        raise ProtocolError(f"text output '{tensor['name']}' exceeds {MAX_PIECE_BYTES} characters; pass fewer samples.")
    return np.array(values, object).reshape(shape)
