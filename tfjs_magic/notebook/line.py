"""The line of a magic: words, options, and the help that ``?`` shows."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import difflib
import json
import keyword
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from IPython.core.error import UsageError

from tfjs_magic.options import BACKENDS, DEFAULT_RUNS, DEFAULT_SHARD_SIZE_BYTES, FORMATS, QUANTIZATION_DTYPES, UNROLL

_OPENING, _CLOSING = "([{", ")]}"


class Expander:
    """Evaluates ``{expr}`` in the user's namespace."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self._namespace = dict(namespace)

    def value(self, word: str) -> Any:
        """Return the object that a word of the form ``{expr}`` stands for.

        ``{a, b}`` is a tuple, and ``{"x": x}`` is the dict that it looks like.

        Raises:
            UsageError: The expression fails.
        """
        inner = word[1:-1].strip()
        try:
            ast.parse(inner, mode="eval")
        except SyntaxError:
            inner = word
        try:
            return eval(inner, self._namespace)  # noqa: S307 - the user's own cell
        except Exception as error:
            raise UsageError(f"{word} cannot be evaluated: {type(error).__name__}: {error}") from error

    def text(self, word: str) -> str:
        """Replace every ``{expr}`` in a word by the text of its value."""
        return "".join(str(self.value(part)) if part.startswith("{") else part for part in _parts(word))


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
        read: Makes text into the value; None where the object itself is the value.
    """

    word: str
    read: Callable[[str], Any] | None

    def resolve(self, expander: Expander) -> Any:
        """Return the value."""
        value = expander.value(self.word) if is_expression(self.word) else expander.text(self.word)
        if self.read is None or isinstance(value, (Mapping, list, tuple)):
            return value
        return self.read(str(value))


def _value(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Read an option's value now, so that a mistake shows before the body runs; later if it holds ``{expr}``."""

    def convert(word: str) -> Any:
        return Later(word, read) if "{" in word else read(word)

    return convert


def _expression(word: str) -> Later:
    return Later(word if is_expression(word) else f"{{{word}}}", None)


def _one_of(what: str, choices: Sequence[str]) -> Callable[[str], str]:
    def read(word: str) -> str:
        if word not in choices:
            raise UsageError(
                f"{what} '{word}' does not exist; expected one of {', '.join(choices)}.{_hint(word, choices)}"
            )
        return word

    return read


def _number(option: str, kind: type[int | float]) -> Callable[[str], Any]:
    def read(word: str) -> Any:
        try:
            return kind(word)
        except ValueError:
            expected = "a whole number" if kind is int else "a number"
            raise UsageError(f"{option} is '{word}'; expected {expected}.") from None

    return read


def _warmup(word: str) -> Any:
    return word if word == "auto" else _number("--warmup", int)(word)


def _names(word: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in word.split(",") if name.strip())


def _backends(word: str) -> tuple[str, ...]:
    return tuple(map(_one_of("backend", BACKENDS), _names(word)))


def _input(word: str) -> dict[str, tuple[int | None, ...]]:
    name, equals, sides = word.rpartition("=")
    unknown = {"none", "?", "-1"}
    try:
        if not equals:
            raise ValueError
        return {name: tuple(None if side.lower() in unknown else int(side) for side in _names(sides))}
    except ValueError:
        raise UsageError(f"--input is '{word}'; expected NAME=SHAPE, for example image=1,224,224,3.") from None


def _quantize(word: str) -> dict[str, tuple[str, ...]]:
    dtype, _, patterns = word.partition("=")
    _one_of("quantization", QUANTIZATION_DTYPES)(dtype)
    return {dtype: _names(patterns) or ("*",)}


def _metadata(word: str) -> dict[str, Any]:
    merged = {}
    for pair in _names(word):
        key, colon, path = pair.partition(":")
        if not colon:
            raise UsageError(f"--metadata is '{word}'; expected KEY:FILE.json, or {{a dict}}.")
        try:
            merged[key] = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"--metadata: '{path}' cannot be read as JSON: {error}") from error
    return merged


def _identifier(word: str) -> str:
    if not word.isidentifier() or keyword.iskeyword(word):
        raise UsageError(f"--as is '{word}'; expected a Python name.")
    return word


# ---------------------------------------------------------------- parsers


_CHOICES: Mapping[str, Sequence[str]] = {
    "--format": FORMATS,
    "--quantize": QUANTIZATION_DTYPES,
    "--unroll": tuple(UNROLL),
    "--backend": BACKENDS,
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}.")


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

    def group(self, title: str) -> Callable[..., Any]:
        """Begin a section of the help; return ``add_argument``."""
        return self._parser.add_argument_group(title).add_argument

    @property
    def flags(self) -> list[str]:
        """Every flag that the help shows, sorted."""
        actions = [action for action in self._parser._actions if action.help is not argparse.SUPPRESS]  # noqa: SLF001
        return sorted(flag for action in actions for flag in action.option_strings)

    def choices(self, flag: str) -> Sequence[str]:
        """Return the values that an option has, where they are few."""
        return _CHOICES.get(flag, ())

    @property
    def help(self) -> str:
        """Usage and options."""
        return self._parser.format_help()

    def parse(self, line: str) -> argparse.Namespace:
        """Read the line; values with ``{expr}`` become :class:`Later`.

        Raises:
            UsageError: An unknown flag (with the closest one), a missing or wrong value, too many sources.
        """
        words = [_hyphenated(word) for word in split(line)]
        found, rest = self._parser.parse_known_intermixed_args(words)
        if unknown := [word for word in rest if word.startswith("-")]:
            flag = unknown[0].partition("=")[0]
            raise UsageError(f"{self._parser.prog} has no option '{flag}'.{_hint(flag, self.flags)}")
        if rest:
            raise UsageError(f"{self._parser.prog} takes one source; found also '{rest[0]}'. Quote a path with blanks.")
        return found


def _hyphenated(word: str) -> str:
    """Accept the official converter's spelling: --skip_op_check."""
    if not word.startswith("--"):
        return word
    flag, equals, value = word.partition("=")
    return flag.replace("_", "-") + equals + value


def _hint(word: str, choices: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, choices, n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def _add_conversion(line: MagicLine) -> None:
    add = line.group("conversion")
    add("--format", type=_value(_one_of("format", FORMATS)), metavar="FORMAT", help="auto (default), layers or graph")
    add("--signature", "--signature-name", metavar="NAME", type=_value(str), help="signature of a SavedModel")
    add("--tags", "--saved-model-tags", metavar="TAGS", type=_value(_names), help="its tags, by commas")
    shape = "fix an input's shape: image=1,224,224,3 (? for a free side); may be repeated"
    add("--input", metavar="NAME=SHAPE", action="append", type=_value(_input), help=shape)
    keep = "outputs to keep, by commas"
    add("--output", "--output-node-names", metavar="NAMES", action="append", type=_value(_names), help=keep)
    quantize = f"{', '.join(QUANTIZATION_DTYPES)}; for some weights only: float16=dense*,conv1*; may be repeated"
    add("--quantize", metavar="DTYPE[=PATTERNS]", action="append", type=_value(_quantize), help=quantize)
    add("--trust", action="store_true", default=None, help="run code that a model file brings along (Lambda layers)")
    add("--skip-op-check", action="store_true", default=None, help="keep ops that TensorFlow.js lacks")
    unroll = "loops of known length, for predict instead of executeAsync: auto, unless long (default), all or none"
    add("--unroll", metavar="WHICH", type=_value(_unroll), help=unroll)
    shard = f"length of the weight files (default {DEFAULT_SHARD_SIZE_BYTES})"
    size = _value(_number("--weight-shard-size-bytes", int))
    add("--weight-shard-size-bytes", metavar="BYTES", type=size, help=shard)
    strip = "taken for compatibility: always dropped"
    add("--strip-debug-ops", action=argparse.BooleanOptionalAction, default=None, help=strip)
    meta = "goes into model.json; also {a dict}"
    add("--metadata", metavar="KEY:FILE.json", type=_value(_metadata), help=meta)


def _unroll(word: str) -> bool | str:
    if word not in UNROLL:
        raise UsageError(f"--unroll is '{word}'; expected one of {', '.join(UNROLL)}.")
    return UNROLL[word]


def _add_result(line: MagicLine) -> None:
    add = line.group("result")
    add(
        "--save",
        metavar="DIR",
        type=_value(str),
        help="write model.json and the weights there; a cell may replace what it wrote itself",
    )
    add("--overwrite", action="store_true", help="replace a model that is there")
    add("-o", "--as", dest="bind", metavar="NAME", type=_identifier, help="bind the converted model (a TfjsModel)")
    add("--no-benchmark", action="store_true", help="show the summary only")
    dry = "convert and show the summary; save, bind and run nothing"
    add("--dry-run", action="store_true", help=dry)


def _add_benchmark(line: MagicLine) -> None:
    add = line.group("benchmark")
    which = f"{', '.join(BACKENDS)}, by commas; the fastest on real hardware by default"
    add("--backend", metavar="NAMES", type=_value(_backends), help=which)
    add("--runs", metavar="N", type=_value(_number("--runs", int)), help=f"timed runs (default {DEFAULT_RUNS})")
    add("--warmup", metavar="N", type=_value(_warmup), help="runs before them; auto (default): until stable")
    add(
        "--samples",
        metavar="EXPR",
        type=_expression,
        help="inputs to compare with Python: x_test[:4] or {'a': a, 'b': b}",
    )
    add("--tolerance", metavar="X", type=_value(_number("--tolerance", float)), help="your own bound on the error")
    add("--seed", metavar="N", type=_value(_number("--seed", int)), help="seeds the samples (default 0)")


def convert_line() -> MagicLine:
    """Return the grammar of ``%tfjs_convert`` and ``%%tfjs_convert``."""
    usage = "%tfjs_convert SOURCE [options]   or, above a cell:   %%tfjs_convert [SOURCE] [options]"
    line = MagicLine("%tfjs_convert", usage, sources="?")
    _add_conversion(line)
    _add_result(line)
    _add_benchmark(line)
    return line


def benchmark_line() -> MagicLine:
    """Return the grammar of ``%tfjs_benchmark``."""
    line = MagicLine("%tfjs_benchmark", "%tfjs_benchmark SOURCE [SOURCE …] [options]", sources="*")
    _add_benchmark(line)
    return line
