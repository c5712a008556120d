"""TAB on the line of a magic: flags, their values, names and paths, and nothing else.

A context matcher of IPython 8.6 or later: unlike the hook ``complete_command``, it can suppress what others offer.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion, context_matcher
from IPython.core.error import UsageError

from tfjs_magic.flags import hyphenated
from tfjs_magic.notebook.line import MagicLine, split
from tfjs_magic.notebook.names import holds_model

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext
    from IPython.core.interactiveshell import InteractiveShell

#: The grammar of a magic, and which names of a namespace can stand as SOURCE.
Grammar = tuple[MagicLine, Callable[[Mapping[str, Any]], Iterable[str]]]

_IDENTIFIER = "tfjs_magic.completion"


def install(shell: InteractiveShell, grammars: Mapping[str, Grammar]) -> None:
    """Complete the lines of these magics, named without percent signs."""
    names = "|".join(map(re.escape, grammars))
    # "b = %magic …" too; what stands below "%%magic …" is Python.
    opening = re.compile(rf"(?P<cell>%%)?(?(cell)|\s*([\w.,\s]+=\s*)?%)(?P<name>{names})\s+(?P<rest>.*)", re.DOTALL)

    @context_matcher(identifier=_IDENTIFIER)  # type: ignore[untyped-decorator]
    def match(context: CompletionContext) -> dict[str, Any]:
        found = opening.match(context.text_until_cursor)
        if found is None or (found["cell"] and context.cursor_line > 0):
            return {"completions": []}
        fragment, offered = _offers(found["rest"], *grammars[found["name"]], shell.user_ns)
        if offered is None:
            return {"completions": []}
        # IPython suppresses others only for completions: where nothing can be offered, what is there stands for itself.
        completions = [SimpleCompletion(text, type=kind) for text, kind in offered or [(fragment, "")]]
        return {"completions": completions, "matched_fragment": fragment, "suppress": True, "ordered": True}

    shell.Completer.custom_matchers.append(match)


def uninstall(shell: InteractiveShell) -> None:
    """Take back what :func:`install` added."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [m for m in matchers if getattr(m, "matcher_identifier", "") != _IDENTIFIER]


#: Text and kind.
_Offer = tuple[str, str]


def _offers(
    rest: str, grammar: MagicLine, names: Callable[[Mapping[str, Any]], Iterable[str]], namespace: Mapping[str, Any]
) -> tuple[str, list[_Offer] | None]:
    """Return the end of ``rest`` that is completed, and what it may become; None to leave it to others."""
    try:
        words = split(rest)
        last = "" if not rest or rest[-1].isspace() else words.pop()
    except UsageError:  # within brackets or quotes
        last = "?"
    if not rest.endswith(last):  # there, or quotes were dropped
        return "", None
    named, equals, value = last.partition("=")
    if last.startswith("-") and not equals:
        return last, [(flag, "flag") for flag in grammar.flags if flag.startswith(hyphenated(last))]
    flag, value = (named, value) if last.startswith("-") else (words[-1] if words else "", last)
    if grammar.metavar(hyphenated(flag)):
        return _values(hyphenated(flag), value, grammar, namespace)
    offered = [(name, "instance") for name in names(namespace) if name.startswith(last)]
    return last, offered or _paths(last, holds_model) or (None if last else [])


def _values(flag: str, value: str, grammar: MagicLine, namespace: Mapping[str, Any]) -> tuple[str, list[_Offer] | None]:
    metavar, choices = grammar.metavar(flag), grammar.choices(flag)
    if metavar == "NAMES" and choices:
        *before, value = value.split(",")
        choices = [choice for choice in choices if choice not in before]
    if metavar == "DIR":
        return value, _paths(value, Path.is_dir)
    if metavar == "EXPR":
        if not re.fullmatch(r"\w*", value):
            return value, None
        return value, [(name, "instance") for name in _data_in(namespace) if name.startswith(value)]
    return value, [(choice, "value") for choice in choices if choice.startswith(value)]


def _data_in(namespace: Mapping[str, Any]) -> list[str]:
    """Return the names of what may hold samples: of no module, function or class."""
    no_data = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, type)
    found = (name for name, value in namespace.items() if not name.startswith("_") and not isinstance(value, no_data))
    return sorted(name for name in found if name not in {"In", "Out", "exit", "quit"})


def _paths(typed: str, wanted: Callable[[Path], bool]) -> list[_Offer]:
    """Return the directories, and the files that are wanted, whose path begins with what is typed."""
    head, slash, start = typed.rpartition("/")
    try:
        found: Sequence[Path] = sorted(Path(f"{head}{slash}" or ".").expanduser().iterdir())
    except (OSError, RuntimeError, ValueError):
        return []
    return [
        (f"{head}{slash}{path.name}{'/' if path.is_dir() else ''}", "path")
        for path in found
        if path.name.startswith(start)
        and (start.startswith(".") or not path.name.startswith("."))
        and not re.search(r"\s", path.name)  # it would have to be quoted
        and (path.is_dir() or wanted(path))
    ]
