"""The page's tests take a recorded conversation for the kernel: it must be what the kernel says today."""

from __future__ import annotations

import typing

from tests.bench import conversation
from tfjs_magic.bench import protocol


def test_the_record_is_what_the_kernel_says_today() -> None:
    """If not, and it is meant: python -m tests.bench.conversation."""
    assert conversation.FILE.read_text(encoding="utf-8") == conversation.text()


def test_every_kind_of_message_occurs() -> None:
    steps = conversation.converse()
    for part, union in (("ask", protocol.ToKernel), ("answer", protocol.FromKernel)):
        kinds = {typing.get_args(typing.get_type_hints(message)["kind"])[0] for message in typing.get_args(union)}
        assert {step[part]["kind"] for step in steps} == kinds
