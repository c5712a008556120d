"""The flags that the magics and the command line share: each a row, with what reads its words.

Both parsers are argparse's. A reader that cannot read its word raises :func:`_expected`, which argparse hands to the
parser's ``error`` as "argument --input: is 'x'; expected …"; :func:`sentence` makes that what the user sees.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import json
import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfjs_magic.errors import OptionError
from tfjs_magic.options import (
    BACKENDS,
    BROWSERS,
    DEFAULT_RUNS,
    DEFAULT_SHARD_SIZE_BYTES,
    PIXELS,
    QUANTIZATION_DTYPES,
    TARGETS,
    AutoQuantize,
)

_UNROLL = {"auto": "auto", "all": True, "none": False}


@dataclasses.dataclass(frozen=True)
class Flag:
    """One flag.

    Attributes:
        argument: What it is called in ``convert`` or ``benchmark``.
        spellings: The last is that of the official converter, where it has the flag.
        help: One line.
        metavar: "" for a switch.
        read: Makes a word into the value.
        repeats: Whether it may be given several times; the values are merged.
        choices: The values, where they are few, for completion.
    """

    argument: str
    spellings: str
    help: str
    metavar: str = ""
    read: Callable[[str], Any] = str
    repeats: bool = dataclasses.field(default=False, kw_only=True)
    choices: Sequence[str] = dataclasses.field(default=(), kw_only=True)

    @property
    def names(self) -> list[str]:
        """Its spellings, one by one."""
        return self.spellings.split()

    def add_to(self, add: Callable[..., Any], *names: str, read: Callable[[str], Any] | None = None) -> None:
        """Add it to a parser through ``add_argument``; absent, it is None.

        Args:
            add: ``add_argument`` of a parser or a group.
            names: Other spellings.
            read: Another reader.
        """
        valued: dict[str, Any] = {"type": read or self.read, "metavar": self.metavar}
        action = "store_true" if not self.metavar else "append" if self.repeats else "store"
        names = names or tuple(self.names)
        add(*names, dest=self.argument, default=None, help=self.help, action=action, **valued if self.metavar else {})


def merged(parts: Sequence[Any]) -> Any:
    """Join the values of a flag that was repeated: mappings into one, names into one tuple."""
    if isinstance(parts[0], Mapping):
        return {key: value for part in parts for key, value in part.items()}
    return tuple(name for part in parts for name in part)


def with_values(words: Sequence[str]) -> list[str]:
    """Join ``--pixels`` with a value that begins with a hyphen, which argparse would take for a flag."""
    joined: list[str] = []
    for word in words:
        if word in PIXELS and joined[-1:] == ["--pixels"]:
            joined[-1] = f"--pixels={word}"
        else:
            joined.append(word)
    return joined


def hyphenated(word: str) -> str:
    """Accept the official converter's spelling: --skip_op_check."""
    flag, equals, value = word.partition("=")
    return flag.replace("_", "-") + equals + value if word.startswith("--") else word


# ---------------------------------------------------------------------- what messages say


def in_flags(message: str, *, command_line: bool) -> str:
    """Return a message that names arguments of ``convert`` with the flags that a user of the shell or a magic has."""
    official = {"graph": "--output-format tfjs_graph_model", "layers": "--output-format tfjs_layers_model"}
    for pattern, flag in _IN_FLAGS:
        message = re.sub(pattern, flag, message)
    for name in ("graph", "layers"):
        message = message.replace(f"format='{name}'", official[name] if command_line else f"--format {name}")
    quantize = r"--quantize-\1" if command_line else r"--quantize \1"
    return re.sub(r"quantize='(\w+)'", quantize, message)


def _inputs_in_flags(found: re.Match[str]) -> str:
    pairs = re.findall(r"'([^']*)': (?:\(([^)]*)\)|shape)", found[0])
    return " ".join(f"--input {name}={sides.rstrip(',').replace(' ', '') or 'SHAPE'}" for name, sides in pairs)


#: How messages name an argument → how a flag does.
_IN_FLAGS: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"inputs=\{name: tf\.TensorSpec\(shape, dtype\)\}", "--input NAME=SHAPE"),
    (r"inputs=\{'[^}]*\}", _inputs_in_flags),
    (r"inputs=\{…\}", "--input NAME=SHAPE"),
    (r"\binputs=(?=\W|$)", "--input"),
    (r"\boutputs=(\[…\]|…)?(?=\W|$)", "--output"),
    (r"\bsignature=('…'|(?=\W|$))", "--signature"),
    (r"\btags=(?=\W|$)", "--tags"),
    (r"\btrust=True\b", "--trust"),
    (r"\bunroll=True\b", "--unroll all"),
    (r"\bunroll=False\b", "--unroll none"),
    (r"\btarget='(\w+)'", r"--target \1"),
    (r"\bskip_op_check\b", "--skip-op-check"),
    (r"\binference=True\b", "--inference"),
    (r"\bsamples=(?=\W|$)", "--samples"),
    (r"^(class_names) (is|holds) (?=\S)", r"--class-names \2 "),
    (r"\bsingle_file=True", "--single-file"),
    (r"overwrite=True \(--overwrite\)", "--overwrite"),
    (r"^(runs|warmup|tolerance|labels|metric|batch|browser|seed) (is|are|needs|raised|returned) (?=\S)", r"--\1 \2 "),
    (r"^(max|min)_(error|cosine|top1|top5|accuracy|metric) (?=is |needs )", r"--\1-\2 "),
    (r"^min_time is ", "--min-time is "),
    (r"^max_(median_ms|ratio) is ", lambda found: f"--max-{found[1].replace('_', '-')} is "),
    (r"\bmax_error=", "--max-error "),
    (r"\bmin_(cosine|top1|top5|accuracy|metric)=", r"--min-\1 "),
    (
        r"^AutoQuantize has .*",
        lambda found: re.sub(r"\b(max|min)_(\w+)", r"--\1-\2", found[0]).replace("AutoQuantize", "--quantize auto"),
    ),
    (r"\blabels=(?=\W|$)", "--labels"),
    (r"^weight_shard_size_bytes is ", "--weight-shard-size-bytes is "),
)


def with_bound(given: Mapping[str, Any], samples: Any) -> dict[str, Any]:
    """Return the arguments of ``convert``: ``--quantize auto`` and the flags of ``BOUND`` as an ``AutoQuantize``.

    Args:
        given: The values of the flags that were given.
        samples: That of ``--samples``, or None.

    Raises:
        OptionError: One of them is without the other.
    """
    of_bound = {row.argument: row.names[0] for row in BOUND}
    bound = {name: value for name, value in given.items() if name in of_bound}
    options = {name: value for name, value in given.items() if name not in of_bound}
    quantize = options.get("quantize") or {}
    if _AUTO not in quantize:
        if bound:
            raise OptionError(f"{of_bound[next(iter(bound))]} belongs to --quantize auto, which is not given.")
        return options
    if quantize != {_AUTO: ("*",)}:
        raise OptionError("--quantize auto takes every kernel; leave patterns and other dtypes out.")
    if samples is None:
        raise OptionError("--quantize auto needs --samples, real inputs on which the loss is measured.")
    return {**options, "quantize": AutoQuantize(samples=samples, **bound)}


# ---------------------------------------------------------------------- readers


def sentence(message: str) -> str:
    """Return argparse's message about an option as we say it: "--as is '2x'; …" for "argument -o/--as: is '2x'; …"."""
    return re.sub(r"^argument (?:-\w/)?(--[\w-]+)\S*:(?= (is ')?)", lambda m: m[1] + ("" if m[2] else ":"), message)


def _expected(word: str, what: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"is '{word}'; expected {what}")


def one_of(choices: Sequence[str]) -> Callable[[str], str]:
    """Return a reader that takes these words only."""

    def read(word: str) -> str:
        if word not in choices:
            close = difflib.get_close_matches(word, choices, n=1)
            hint = f". Did you mean '{close[0]}'?" if close else ""
            raise _expected(word, f"one of {', '.join(choices)}{hint}")
        return word

    return read


def number(kind: type[int | float]) -> Callable[[str], Any]:
    """Return a reader of numbers."""

    def read(word: str) -> Any:
        try:
            return kind(word)
        except ValueError:
            raise _expected(word, "a whole number" if kind is int else "a number") from None

    return read


def names(word: str) -> tuple[str, ...]:
    """Read names between commas."""
    return tuple(name.strip() for name in word.split(",") if name.strip())


def listed(read: Callable[[str], Any], what: str) -> Callable[[str], tuple[Any, ...]]:
    """Return a reader of values between commas, of which there is at least one."""

    def read_all(word: str) -> tuple[Any, ...]:
        if not names(word):
            raise _expected(word, what)
        return tuple(map(read, names(word)))

    return read_all


def directory(word: str) -> str:
    """Read the path of a directory; nothing is none, though ``pathlib`` takes it for the current one."""
    if not word.strip():
        raise _expected(word, "a directory; . is the current one")
    return word


def python_name(word: str) -> str:
    """Read the name of a variable."""
    if not word.isidentifier() or keyword.iskeyword(word):
        raise _expected(word, "a Python name")
    return word


def _input(word: str) -> dict[str, tuple[int | None, ...]]:
    name, _, sides = word.rpartition("=")
    try:
        shape = tuple(None if side.lower() in {"?", "none", "-1"} else int(side) for side in names(sides))
    except ValueError:
        name = ""
    if not name:
        raise _expected(word, "NAME=SHAPE, for example image=1,224,224,3")
    return {name: shape}


def _quantize(word: str) -> dict[str, tuple[str, ...]]:
    dtype, _, patterns = word.partition("=")
    return {one_of(QUANTIZE.choices)(dtype): names(patterns) or ("*",)}


def _metadata(word: str) -> dict[str, Any]:
    read = {}
    for pair in names(word):
        key, colon, path = pair.partition(":")
        if not colon:
            raise _expected(word, "KEY:FILE.json")
        try:
            read[key] = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise argparse.ArgumentTypeError(f"'{path}' cannot be read as JSON: {error}") from None
    return read


def _warmup(word: str) -> Any:
    return word if word == "auto" else number(int)(word)


# ---------------------------------------------------------------------- rows

_SHAPE = (
    "fix an input's shape: image=1,224,224,3 (? for a free side); of a layer or a tensor inside: begin there; may be "
    "repeated"
)
#: What the source is.
SOURCE = (
    Flag("signature", "--signature --signature-name", "signature of a SavedModel", "NAME"),
    Flag("tags", "--tags --saved-model-tags", "its tags, by commas", "TAGS", names),
    Flag("inputs", "--input", _SHAPE, "NAME=SHAPE", _input, repeats=True),
    Flag("outputs", "--output --output-node-names", "outputs to keep, by commas", "NAMES", names, repeats=True),
    Flag("trust", "--trust", "run code that a model file brings along (Lambda layers)"),
)
_AUTO = "auto"
_SOME = (
    f"{', '.join(QUANTIZATION_DTYPES)}; for some weights only: float16=dense*,conv1*; may be repeated. auto: as small "
    "as a bound allows, which is measured on --samples"
)
#: The command line has the official converter's flags beside it.
QUANTIZE = Flag(
    "quantize", "--quantize", _SOME, "DTYPE[=PATTERNS]", _quantize, repeats=True, choices=(*QUANTIZATION_DTYPES, _AUTO)
)
#: What ``--quantize auto`` is held to, one of them, and what that needs.
BOUND = (
    Flag("max_error", "--max-error", "largest error of an output, relative to its largest value", "X", number(float)),
    Flag("min_cosine", "--min-cosine", "least cosine of an output", "X", number(float)),
    Flag("min_top1", "--min-top1", "least share of samples with the same first class", "X", number(float)),
    Flag("min_top5", "--min-top5", "least share whose first class is among the first five", "X", number(float)),
    Flag("min_accuracy", "--min-accuracy", "least share of samples whose first class is the label", "X", number(float)),
    Flag("min_metric", "--min-metric", "least value of --metric", "X", number(float)),
    Flag("metric", "--metric", "a function of (outputs, labels); more is better", "EXPR"),
    Flag("labels", "--labels", "the right class of every sample", "EXPR"),
)
_LOOPS = "loops of known length, for predict instead of executeAsync: auto, unless long (default), all or none"
_TARGET = "what a graph is made fast for: auto (default), which is good on every backend, wasm, webgl or webgpu"
_CARD = "goes into model.json; several by commas; in a notebook also {a dict}"
_SHARDS = f"length of the weight files (default {DEFAULT_SHARD_SIZE_BYTES})"
#: How it is converted.
RESULT = (
    Flag("skip_op_check", "--skip-op-check", "keep ops that TensorFlow.js lacks"),
    Flag("unroll", "--unroll", _LOOPS, "WHICH", lambda w: _UNROLL[one_of([*_UNROLL])(w)], choices=tuple(_UNROLL)),
    Flag("target", "--target", _TARGET, "BACKEND", one_of(TARGETS), choices=TARGETS),
    Flag("inference", "--inference", "fold batch norms in a layers model, too: faster, but fine-tuning then differs"),
    Flag("weight_shard_size_bytes", "--weight-shard-size-bytes", _SHARDS, "BYTES", number(int)),
    Flag("metadata", "--metadata", _CARD, "KEY:FILE.json", _metadata),
)
_OPENED = f"open one for it, without a window: {', '.join(BROWSERS)}, or the URL of a Selenium Grid"
BROWSER = Flag("browser", "--browser", _OPENED, "BROWSER", choices=BROWSERS)
_WHICH = f"{', '.join(BACKENDS)}, by commas; the fastest on real hardware by default"
_PIXELS = f"what the numbers of such a picture become: {', '.join(PIXELS)}"
_BACKENDS = listed(one_of(BACKENDS), f"one of {', '.join(BACKENDS)}")
_SIZES = listed(number(int), "whole numbers, such as 1,4,16")
#: How it is run. Samples are an expression in a notebook.
BENCHMARK = (
    Flag("backends", "--backend", _WHICH, "NAMES", _BACKENDS, choices=BACKENDS),
    Flag("runs", "--runs", f"timed runs (default {DEFAULT_RUNS})", "N", number(int)),
    Flag("min_time", "--min-time", "go on until so many seconds were spent in them, too", "SECONDS", number(float)),
    Flag("warmup", "--warmup", "runs before them; auto (default): until stable", "N", _warmup),
    Flag("samples", "--samples", "inputs to compare with Python: x_test[:4] or {'a': a, 'b': b}", "EXPR"),
    Flag("tolerance", "--tolerance", "your own bound on the error", "X", number(float)),
    Flag("batch", "--batch", "examples per call, by commas: latency and throughput of each", "SIZES", _SIZES),
    BROWSER,
    Flag("profile", "--profile", "show where the time goes, kernel by kernel, once all have run"),
    Flag("class_names", "--class-names", "names of the outputs, for pictures that readers try", "EXPR"),
    Flag("pixels", "--pixels", _PIXELS, "RANGE", one_of(PIXELS), choices=PIXELS),
    Flag("seed", "--seed", "seeds the samples, and the order of turns (default 0)", "N", number(int)),
)
