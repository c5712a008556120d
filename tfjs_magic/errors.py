"""The exceptions of tfjs_magic.

TfjsMagicError(Exception)
├─ ConversionError              has .node (str | None) and .stage
│  ├─ UnsupportedModelError     wrong object, no signature, stateful resource, a layer without TF.js form
│  ├─ UnsupportedOpsError       .ops: mapping op → node names (all of them, sorted)
│  ├─ WeightError               dtype with no TF.js form, int64 out of the int32 range, duplicate name
│  └─ PassError                 our bug: invariant broken by a pass
├─ OptionError(ValueError)      an option or an argument has a value that does not exist
├─ SaveError                    the target cannot be written; what was there before is untouched
└─ RunError                     browser could not load or run; carries JS name, message, stack

Every message says what was found, where, what was expected and what to do.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

#: Longer messages are cut: a name, or how many there are, may be anything.
_LONGEST_MESSAGE = 8000


class TfjsMagicError(Exception):
    """Base of every error that tfjs_magic raises on purpose."""

    def __init__(self, message: str) -> None:
        cut = message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]} …"
        super().__init__(printable(cut))


class ConversionError(TfjsMagicError):
    """A model could not be converted.

    Attributes:
        stage: The step that failed: "source", "trace", "graph", "layers", "passes", "ops", "weights".
        node: The graph node or Keras layer concerned, if there is one.
    """

    def __init__(self, message: str, *, stage: str, node: str | None = None) -> None:
        super().__init__(message)
        self.stage = stage
        self.node = node


class UnsupportedModelError(ConversionError):
    """The source is no model, or no TF.js format can hold it."""

    def __init__(self, message: str, *, stage: str = "source", node: str | None = None) -> None:
        super().__init__(message, stage=stage, node=node)


class UnsupportedOpsError(ConversionError):
    """The graph holds ops that TF.js does not have.

    Attributes:
        ops: Op type → names of the nodes with it; every one, sorted.
    """

    def __init__(self, message: str, *, ops: Mapping[str, Iterable[str]]) -> None:
        super().__init__(message, stage="ops")
        self.ops = {op: tuple(sorted(nodes)) for op, nodes in sorted(ops.items())}


class WeightError(ConversionError):
    """A weight has no exact form in TF.js's weight file."""

    def __init__(self, message: str, *, node: str | None = None) -> None:
        super().__init__(message, stage="weights", node=node)


class PassError(ConversionError):
    """A graph pass broke an invariant: a bug of tfjs_magic, please report it."""

    def __init__(self, message: str, *, node: str | None = None) -> None:
        super().__init__(message, stage="passes", node=node)


class OptionError(TfjsMagicError, ValueError):
    """An option or an argument has a value that does not exist."""


class SaveError(TfjsMagicError):
    """The target of ``save`` cannot be written."""


class RunError(TfjsMagicError):
    """The browser could not load or run the model.

    Attributes:
        js_name: The ``name`` of the JavaScript error, "" if there was none.
        js_stack: Its stack, "" if there was none.
    """

    def __init__(self, message: str, *, js_name: str = "", js_stack: str = "") -> None:
        super().__init__(" ".join(message.split()))
        self.js_name = js_name
        self.js_stack = js_stack


def printable(text: str) -> str:
    """Return a text in which control, direction and other unseen characters are escapes: a name cannot forge a line."""
    return "".join(c.encode("unicode_escape").decode() if unicodedata.category(c) in _UNSEEN else c for c in text)


#: Unicode's control and format characters, half surrogates, and the separators of lines and paragraphs.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST_REASON = 400


def reason_of(error: BaseException, *, end: bool = False) -> str:
    """Return another library's message as the end of a sentence: one line, no colours, no full stop, at most 400 long.

    Args:
        error: What it raised.
        end: Whether the end of a long message says more than its beginning.
    """
    text = " ".join(_COLOURS.sub("", str(error)).split())
    if len(text) > _LONGEST_REASON:
        text = f"… {text[-_LONGEST_REASON:]}" if end else f"{text[:_LONGEST_REASON]} …"
    return text.rstrip(".") or type(error).__name__


def quoted_list(names: Iterable[str], *, limit: int = 8) -> str:
    """Quote, sort and cap names for a message: "'a', 'b' … and 7 more"."""
    ordered = sorted(names)
    shown = ", ".join(f"'{name}'" for name in ordered[:limit])
    return shown if len(ordered) <= limit else f"{shown} … and {len(ordered) - limit} more"
