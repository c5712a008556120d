"""Which regular expressions mean in JavaScript what they mean in TensorFlow, which takes those of RE2."""

from __future__ import annotations

import re

_MARKS = rb" !\"#%&',/:;<=>@_`~\-"
_PLAIN_TEXT = re.compile(rb"[^A-Z$\\\x80-\xff]*")
#: Small letters, digits, marks, escaped marks, \d, sets of them, groups, choices, repetitions and ends.
_PLAIN_PATTERN = re.compile(
    rb"([a-z0-9" + _MARKS + rb"]|\\[^A-Za-z0-9\x80-\xff]|\\d|\[\^?([a-z0-9" + _MARKS + rb"$()*+.?{|}]|"
    rb"\\[^A-Za-z0-9\x80-\xff])+\]|\((?!\?)|[)|^$]|([*+?]|\{\d+(,\d*)?\})\??)*"
)


def is_alike_in_javascript(pattern: bytes, rewrite: bytes, *, everywhere: bool) -> bool:
    """Whether a replacement surely gives the same, also with all letters small.

    Alike are small letters, digits, marks, sets, groups, choices and repetitions, where they do not match nothing. A
    set of all but some takes a character beyond 16 bits apart, which shows unless all of it is left out.

    Args:
        pattern: What is replaced.
        rewrite: What takes its place.
        everywhere: Whether every match is replaced, not the first alone.
    """
    if not _PLAIN_PATTERN.fullmatch(pattern) or not _PLAIN_TEXT.fullmatch(rewrite):
        return False
    halves = b"[^" in pattern and (rewrite != b"" or not everywhere)
    return not halves and re.search(pattern, b"") is None
