"""Messages on their way to a page and back."""

from __future__ import annotations

import base64
import json
from typing import Any

from tfjs_magic.bench.protocol import AckReply
from tfjs_magic.headless import channel as module
from tfjs_magic.headless.channel import Channel

ACK: AckReply = {"kind": "ack", "id": 1}


class _Page:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.sends: list[Any] = []

    def put(self, base64: str, *, last: bool) -> None:
        self.told.append((base64, last))

    def put_whole(self, buffer: memoryview) -> bool:
        self.told.append(bytes(buffer))
        return True

    def exchange(self, brought: str, wait_ms: int) -> str:
        self.told.append((json.loads(brought), wait_ms))
        return json.dumps(self.sends)

    def show(self) -> None:
        self.told.append("show")

    def text(self) -> str:
        return ""


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_traits_come_before_the_page_begins() -> None:
    page = _Page()
    Channel(page, {"assets": {}})
    assert page.told == [({"traits": {"assets": {}}, "replies": []}, 0), "show"]


def test_buffers_go_in_pieces_before_their_message(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "_PIECE_BYTES", 3)
    page = _Page()
    channel = Channel(page, {})
    page.told.clear()
    channel.exchange({}, [(ACK, [b"abcdefg", b""]), (ACK, [memoryview(b"xyz")])])  # type: ignore[list-item]
    pieces = [(_text(b"abc"), False), (_text(b"def"), False), (_text(b"g"), True), ("", True), (_text(b"xyz"), True)]
    assert page.told[:-1] == pieces
    brought, wait_ms = page.told[-1]
    assert [reply["buffers"] for reply in brought["replies"]] == [2, 1]
    assert wait_ms == module.WAIT_MS


def test_what_the_page_sends_is_unpacked() -> None:
    page = _Page()
    channel = Channel(page, {})
    page.sends = [{"content": {"kind": "claim"}, "buffers": [_text(b"\0\xff")]}]
    assert channel.exchange({}, []) == [({"kind": "claim"}, [b"\0\xff"])]


def test_large_buffers_go_whole(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "_LARGE_BYTES", 3)
    page = _Page()
    channel = Channel(page, {})
    page.told.clear()
    channel.exchange({}, [(ACK, [b"ab", b"abc"])])
    assert page.told[:-1] == [(_text(b"ab"), True), b"abc"]
