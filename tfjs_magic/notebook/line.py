"""The line of a magic: words, options, and the help that ``?`` shows."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from IPython.core.error import UsageError

from tfjs_magic.flags import (
    BENCHMARK,
    BOUND,
    QUANTIZE,
    RESULT,
    SOURCE,
    Flag,
    directory,
    hyphenated,
    one_of,
    python_name,
    sentence,
    with_values,
)
from tfjs_magic.options import BOTH, FORMATS

_OPENING, _CLOSING = "([{", ")]}"


class Expander:
    """Evaluates ``{expr}`` in the user's namespace."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self._namespace = dict(namespace)

    def value(self, word: str, typed: str = "") -> Any:
        """Return the object that a word of the form ``{expr}`` stands for.

        ``{a, b}`` is a tuple, and ``{"x": x}`` is the dict that it looks like.

        Args:
            word: With its braces.
            typed: What the user wrote, for the message, if that is more or less.

        Raises:
            UsageError: The expression fails.
        """
        try:
            return eval(_inside(word), self._namespace)  # noqa: S307 - the user's own cell
        except Exception as error:
            raise UsageError(f"{typed or word} cannot be evaluated: {type(error).__name__}: {error}") from error

    def text(self, word: str, flag: str) -> str:
        """Replace every ``{expr}`` in the value of a flag by the text of its value."""
        parts = _parts(word)
        return "".join(str(self.value(part, f"{flag} {part}")) if part.startswith("{") else part for part in parts)


def unknown_name(word: str, known: Callable[[str], bool]) -> str | None:
    """Return the first name that the expressions in a word read and that nobody knows, None if there is none.

    Raises:
        UsageError: An expression is no Python.
    """
    for part in _parts(word):
        if not part.startswith("{"):
            continue
        try:
            nodes = [*ast.walk(ast.parse(_inside(part), mode="eval"))]
        except (SyntaxError, ValueError) as error:
            raise UsageError(f"{part} cannot be evaluated: {type(error).__name__}: {error}") from error
        bound = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
        bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        read = [node.id for node in nodes if isinstance(node, ast.Name) and node.id not in bound]
        if unknown := next((name for name in read if not known(name)), None):
            return unknown
    return None


def _inside(word: str) -> str:
    inner = word[1:-1].strip()
    try:
        ast.parse(inner, mode="eval")
    except SyntaxError:
        return word
    return inner


def is_expression(word: str) -> bool:
    """Whether the whole word is one ``{expr}``."""
    return word.startswith("{") and _parts(word) == [word]


def split(line: str) -> list[str]:
    """Split at blanks outside brackets and quotes.

    Quotes that open a word, or the value after ``=``, group and are dropped; inside brackets everything stays, so
    ``{model.layers[0]}`` and ``models["my model"]`` are words. Backslashes mean themselves (Windows paths).

    Raises:
        UsageError: A bracket or a quote is not closed.
    """
    words: list[str] = []
    word, depth, quote, grouped = "", 0, "", False
    for char in line:
        if quote:
            if char == quote:
                quote = ""
                word += char if depth else ""
            else:
                word += char
        elif char in "\"'" and (depth or not word or word.endswith("=")):
            quote, grouped = char, grouped or not depth
            word += char if depth else ""
        elif char.isspace() and not depth:
            if word or grouped:
                words.append(word)
            word, grouped = "", False
        else:
            depth += (char in _OPENING) - (char in _CLOSING and depth > 0)
            word += char
    if depth or quote:
        raise UsageError(
            f"the line ends inside {'a quote' if quote else 'a bracket'}: '{word}'; expected it to be closed."
        )
    return [*words, word] if word or grouped else words


def _parts(word: str) -> list[str]:
    """Cut a word into ``{…}`` pieces and the text between them."""
    parts, depth, current, quote = [], 0, "", ""
    for char in word:
        if depth and quote:
            quote = "" if char == quote else quote
        elif depth and char in "\"'":
            quote = char
        elif char == "{":
            if not depth and current:
                parts.append(current)
                current = ""
            depth += 1
        elif char == "}" and depth:
            depth -= 1
            if not depth:
                parts.append(current + char)
                current = ""
                continue
        current += char
    return [*parts, current] if current else parts


# ---------------------------------------------------------------- values of options


@dataclasses.dataclass(frozen=True)
class Later:
    """A value with ``{expr}`` in it, read after the cell's body has run.

    Attributes:
        flag: For the message if it cannot be read.
        read: Makes text into the value; None where the object itself is the value.
        typed: What the user wrote, where that is not ``word``.
    """

    flag: str
    word: str
    read: Callable[[str], Any] | None
    typed: str = ""

    def resolve(self, expander: Expander) -> Any:
        """Return the value.

        Raises:
            UsageError: The expression fails, or its value is none that the option has.
        """
        if is_expression(self.word):
            value = expander.value(self.word, f"{self.flag} {self.typed or self.word}")
        else:
            value = expander.text(self.word, self.flag)
        if self.read is None or isinstance(value, (Mapping, list, tuple)):
            return value
        try:
            return self.read(str(value))
        except argparse.ArgumentTypeError as error:
            raise UsageError(f"{self.flag} {error}.") from error


def _now_or_later(flag: str, read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Read an option's value now, so that a mistake shows before the body runs; later if it holds ``{expr}``."""

    def convert(word: str) -> Any:
        return Later(flag, word, read) if "{" in word else read(word)

    return convert


def _expression(flag: str) -> Callable[[str], Later]:
    return lambda word: Later(flag, word if is_expression(word) else f"{{{word}}}", None, word)


# ---------------------------------------------------------------- parsers


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(sentence(message) + "." * (not message.endswith("?")))


class MagicLine:
    """The grammar of one magic.

    Args:
        name: With its percent signs.
        usage: The line of the help that shows the grammar.
        sources: How many SOURCEs: "?" or "*".
    """

    def __init__(self, name: str, usage: str, *, sources: str) -> None:
        self._parser = _Parser(name, usage=usage.replace("%", "%%"), add_help=False, allow_abbrev=False)
        if hasattr(self._parser, "color"):  # Python 3.14; the help is text for every frontend
            self._parser.color = False
        self._parser.add_argument("source", nargs=sources, help=argparse.SUPPRESS)
        self._parser.add_argument("-h", "--help", action="store_true", help="show this help")
        self._choices: dict[str, Sequence[str]] = {}

    def group(self, title: str, *rows: Flag) -> Callable[..., Any]:
        """Begin a section of the help with these flags; return ``add_argument`` for more."""
        add: Callable[..., Any] = self._parser.add_argument_group(title).add_argument
        for row in rows:
            flag = row.names[0]
            row.add_to(add, read=_expression(flag) if row.metavar == "EXPR" else _now_or_later(flag, row.read))
            self._choices |= dict.fromkeys(row.names, row.choices)
        return add

    @property
    def flags(self) -> list[str]:
        """Every flag that the help shows, sorted."""
        actions = [action for action in self._parser._actions if action.help is not argparse.SUPPRESS]  # noqa: SLF001
        return sorted(flag for action in actions for flag in action.option_strings)

    def choices(self, flag: str) -> Sequence[str]:
        """Return the values that an option has, where they are few."""
        return self._choices.get(flag, ())

    def metavar(self, flag: str) -> str:
        """Return what stands for an option's value in the help, "" for a switch or no option."""
        actions = (action for action in self._parser._actions if flag in action.option_strings)  # noqa: SLF001
        return next((str(action.metavar or "") for action in actions if action.nargs != 0), "")

    @property
    def help(self) -> str:
        """Usage and options."""
        return self._parser.format_help()

    def parse(self, line: str) -> argparse.Namespace:
        """Read the line; values with ``{expr}`` become :class:`Later`.

        Raises:
            UsageError: An unknown flag (with the closest one), a missing or wrong value, too many sources.
        """
        words = with_values([hyphenated(word) for word in split(line)])
        if not {"-h", "--help"}.isdisjoint(words):  # whatever else stands there
            return argparse.Namespace(help=True)
        found, rest = self._parser.parse_known_intermixed_args(words)
        if unknown := [word for word in rest if word.startswith("-")]:
            flag = unknown[0].partition("=")[0]
            close = self._closest(flag.lstrip("-"))
            hint = f" Did you mean '{close}'?" if close else ""
            hint = hint or f" {self._parser.prog} --help lists them."
            raise UsageError(f"{self._parser.prog} has no option '{flag}'.{hint}")
        if rest:
            raise UsageError(f"{self._parser.prog} takes one source; found also '{rest[0]}'. Quote a path with blanks.")
        return found

    def _closest(self, name: str) -> str | None:
        """Return the flag that is meant; the hyphens, which all have, make none alike."""
        flags = {flag.lstrip("-"): flag for flag in self.flags}
        begun = [flag for flag in flags if len(name) > 2 and flag.startswith(name)]
        return next((flags[found] for found in [*difflib.get_close_matches(name, flags, n=1), *begun]), None)


_WHICH = (*FORMATS, BOTH)
_FORMAT = Flag(
    "format",
    "--format",
    "auto (default), layers, graph, or both: converted both ways and run side by side (DIR/layers, NAME_layers, …)",
    "FORMAT",
    one_of(_WHICH),
    choices=_WHICH,
)


_CONVERSION = (_FORMAT, *SOURCE, QUANTIZE, *RESULT, *BOUND)
#: The arguments of ``convert`` and of ``benchmark`` that a line may give.
CONVERT_ARGUMENTS = tuple(row.argument for row in _CONVERSION)
BENCHMARK_ARGUMENTS = tuple(row.argument for row in BENCHMARK)


def convert_line() -> MagicLine:
    """Return the grammar of ``%tfjs_convert`` and ``%%tfjs_convert``."""
    usage = "%tfjs_convert SOURCE [options]   or, above a cell:   %%tfjs_convert [SOURCE] [options]"
    line = MagicLine("%tfjs_convert", usage, sources="?")
    add = line.group("conversion", _FORMAT, *SOURCE, QUANTIZE, *RESULT)
    strip = "taken for compatibility: always dropped"
    add("--strip-debug-ops", action=argparse.BooleanOptionalAction, default=None, help=strip)
    line.group("bound of --quantize auto", *BOUND)
    add = line.group("result")
    save = "write model.json and the weights there; a cell may replace what it wrote itself"
    add("--save", metavar="DIR", type=_now_or_later("--save", directory), help=save)
    add("--overwrite", action="store_true", help="replace a model that is there")
    add("-o", "--as", dest="bind", metavar="NAME", type=python_name, help="bind the converted model (a TfjsModel)")
    add("--no-benchmark", action="store_true", help="show the summary only")
    add("--dry-run", action="store_true", help="convert and show the summary; save, bind and run nothing")
    line.group("benchmark", *BENCHMARK)
    return line


def benchmark_line() -> MagicLine:
    """Return the grammar of ``%tfjs_benchmark``."""
    line = MagicLine("%tfjs_benchmark", "%tfjs_benchmark SOURCE [SOURCE …] [options]", sources="*")
    line.group("benchmark", *BENCHMARK)
    return line
