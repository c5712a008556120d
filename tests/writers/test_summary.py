"""No name of a model can look like a line of ours, or turn a terminal's text around."""

from __future__ import annotations

import dataclasses

import pytest

from tests.bench.tiny import tiny_model
from tfjs_magic.artifacts import TensorInfo
from tfjs_magic.errors import RunError, UnsupportedModelError, printable, quoted_list
from tfjs_magic.writers.summary import summary_html, summary_text

EVIL = "y\n  backends: cpu FAKE\r\x1b]0;pwned\x07\u202e\u2028\ud800"
SHOWN = "y\\n  backends: cpu FAKE\\r\\x1b]0;pwned\\x07\\u202e\\u2028\\ud800"


def test_escapes_what_cannot_be_seen_and_nothing_else() -> None:
    assert printable(EVIL) == SHOWN
    assert printable("Schlüssel 鍵 → x⟨1⟩") == "Schlüssel 鍵 → x⟨1⟩"


def test_a_name_forges_no_row() -> None:
    for text, plain in zip(_summaries(EVIL), _summaries("a name"), strict=True):
        assert len(text.splitlines()) == len(plain.splitlines())
        assert not {"\x1b", "\r", "\u202e"} & {*text}
        assert "pwned" in text


def _summaries(name: str) -> tuple[str, str]:
    """Return the summaries of a model in which everything is called so."""
    model, info = tiny_model(), TensorInfo(name, "float32", (1,))
    report = dataclasses.replace(
        model.report, source=name, reasons=(name,), notes=(name, name), ops={name: 1}, backends={"cpu": (name,)}
    )
    named = dataclasses.replace(model, report=report, inputs=(info,), outputs=(info,))
    return summary_text(named), summary_html(named)


@pytest.mark.parametrize("error", [RunError(EVIL), UnsupportedModelError(f"The layer {quoted_list([EVIL])} is odd.")])
def test_an_error_is_one_line(error: Exception) -> None:
    assert len(str(error).splitlines()) == 1
    assert "\x1b" not in str(error)


def test_a_message_has_an_end() -> None:
    assert len(str(UnsupportedModelError("x" * 10**6))) < 10_000
