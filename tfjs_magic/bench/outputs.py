"""Puts the browser's outputs together from the pieces in which they arrive."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.bench.protocol import ProtocolError, WireTensor

#: All outputs of one benchmark that wait to be compared; bounds what a page can make the kernel hold.
MAX_WAITING_BYTES = 2**28
#: The protocol's bound on one piece: Jupyter loses messages over 10 MiB.
MAX_PIECE_BYTES = 2**22

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
    lengths: dict[int, int]

    @property
    def complete(self) -> bool:
        return sum(self.lengths.values()) == len(self.content)


class OutputStore:
    """Outputs by key until they are taken; a piece that is sent again replaces itself."""

    def __init__(self) -> None:
        self._waiting: dict[OutputKey, _Waiting] = {}
        self._done: dict[OutputKey, Array] = {}

    def put(self, key: OutputKey, tensor: WireTensor, *, offset: int, total: int, buffers: Sequence[Any]) -> None:
        """Keep bytes [offset, offset + length) of an output that has ``total`` bytes, or all values of a text output.

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
        if offset < 0 or offset + len(piece) > total:
            raise ProtocolError(
                f"bytes {offset} to {offset + len(piece)} of output '{key[3]}' leave its {total} bytes."
            )
        waiting = self._open(key, dtype, shape, total)
        waiting.content[offset : offset + len(piece)] = piece
        waiting.lengths[offset] = len(piece)
        if waiting.complete:
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
        self._waiting[key] = _Waiting(dtype, shape, bytearray(total), {})
        return self._waiting[key]


def _only_buffer(buffers: Sequence[Any]) -> memoryview:
    if len(buffers) != 1:
        raise ProtocolError(f"the message has {len(buffers)} buffers; expected 1.")
    # Jupyter hands over memoryviews of any format, marimo bytes.
    piece = memoryview(buffers[0]).cast("B")
    if len(piece) > MAX_PIECE_BYTES:
        raise ProtocolError(f"the buffer has {len(piece)} bytes; expected at most {MAX_PIECE_BYTES}.")
    return piece


def _texts(tensor: WireTensor, shape: tuple[int, ...]) -> Array:
    values = tensor["values"]
    if values is None or len(values) != math.prod(shape):
        raise ProtocolError(f"text output '{tensor['name']}' of shape {shape} lacks its values.")
    return np.array(values, object).reshape(shape)
