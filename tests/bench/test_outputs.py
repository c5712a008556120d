"""The browser's outputs, put together from pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfjs_magic.bench.outputs import MAX_WAITING_BYTES, OutputKey, OutputStore
from tfjs_magic.bench.protocol import ProtocolError

KEY: OutputKey = (0, "wasm", 0, "y")
Y = np.array([[1.5, -2, 3]], np.float32)


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfjs_magic.bench.outputs.MAX_PIECE_BYTES", 8)


def put(store: OutputStore, content: bytes = Y.tobytes(), *, offset: int = 0, total: int = 12, **tensor: Any) -> None:
    """Put the piece of ``content`` at ``offset``."""
    wire: Any = {"name": "y", "dtype": "float32", "shape": [1, 3], "values": None, **tensor}
    store.put(KEY, wire, offset=offset, total=total, buffers=[content[offset : offset + 8]])


def test_pieces_come_in_any_order_and_twice() -> None:
    store = OutputStore()
    for offset in (8, 8, 0):
        put(store, offset=offset)
    (y,) = store.take([KEY])
    np.testing.assert_array_equal(y, Y)
    with pytest.raises(ProtocolError, match="not arrived in full"):
        store.take([KEY])


def test_an_output_with_a_hole_is_not_there() -> None:
    store = OutputStore()
    put(store, offset=8)
    with pytest.raises(ProtocolError, match="output 'y' of feed 0 has not arrived in full"):
        store.take([KEY])


@pytest.mark.parametrize(
    ("dtype", "array"),
    [
        ("int32", np.array([1, -1], np.int32)),
        ("bool", np.array([True, False])),
        ("complex64", np.array([1 + 2j], np.complex64)),
        ("float32", np.empty((0, 3), np.float32)),
    ],
)
def test_every_dtype_arrives_as_it_was_sent(dtype: str, array: Any) -> None:
    store = OutputStore()
    put(store, array.tobytes(), total=array.nbytes, dtype=dtype, shape=[*array.shape])
    (found,) = store.take([KEY])
    np.testing.assert_array_equal(found, array, strict=True)


def test_text_comes_in_the_message() -> None:
    store = OutputStore()
    put(store, total=0, dtype="string", shape=[2], values=["ä", ""])
    assert store.take([KEY])[0].tolist() == ["ä", ""]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param({"total": 16}, "says it has 16 bytes", id="total"),
        pytest.param({"offset": 2}, "no piece of its 12 bytes", id="between-pieces"),
        pytest.param({"offset": -8}, "no piece of its 12 bytes", id="before"),
        pytest.param({"offset": 16}, "no piece of its 12 bytes", id="beyond"),
        pytest.param({"content": b"1234"}, "no piece of its 12 bytes", id="short"),
        pytest.param({"shape": [-1, 3]}, "no negative side", id="negative"),
        pytest.param({"dtype": "float64"}, "dtype 'float64'", id="dtype"),
        pytest.param({"shape": [MAX_WAITING_BYTES, 3], "total": 12 * MAX_WAITING_BYTES}, "exceed", id="too-large"),
        pytest.param({"dtype": "string", "shape": [2], "values": ["a"]}, "lacks its values", id="text"),
        pytest.param({"dtype": "string", "shape": [1], "values": ["a" * 9]}, "exceeds 8 characters", id="long-text"),
    ],
)
def test_pieces_that_do_not_add_up_are_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        put(OutputStore(), **changes)


def test_a_piece_is_one_buffer() -> None:
    wire: Any = {"name": "y", "dtype": "float32", "shape": [1, 3], "values": None}
    with pytest.raises(ProtocolError, match="has 0 buffers; expected 1"):
        OutputStore().put(KEY, wire, offset=0, total=12, buffers=[])
