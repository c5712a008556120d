"""``tfjs-magic convert``, ``inspect`` and ``benchmark``: what the notebook does, from a shell.

``convert`` takes the flags of ``tensorflowjs_converter`` 4.22 with their meaning, in its spelling or with hyphens, and
needs no ``--input_format``. Source of the flags: tfjs-converter ``python/tensorflowjs/converters/converter.py``.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import importlib.util
import io
import json
import os
import signal
import sys
import traceback
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from tfjs_magic._version import __version__
from tfjs_magic.errors import OptionError, TfjsMagicError, printable
from tfjs_magic.flags import (
    BENCHMARK,
    BOUND,
    BROWSER,
    QUANTIZE,
    RESULT,
    SOURCE,
    hyphenated,
    in_flags,
    merged,
    names,
    number,
    one_of,
    sentence,
    with_bound,
    with_values,
)
from tfjs_magic.options import BOTH, FORMATS, NODE, QUANTIZATION_DTYPES
from tfjs_magic.sources.paths import Kind, holds_layers, kind_of

if TYPE_CHECKING:
    from tfjs_magic.artifacts import TensorInfo
    from tfjs_magic.model import TfjsModel

#: The official input formats and what each may become; the first is its default.
_PAIRS: Mapping[str, tuple[str, ...]] = {
    "keras": ("tfjs_layers_model", "tfjs_graph_model"),
    "keras_keras": ("tfjs_layers_model", "tfjs_graph_model"),
    "keras_saved_model": ("tfjs_layers_model", "tfjs_graph_model"),
    "tf_saved_model": ("tfjs_graph_model",),
    "tf_hub": ("tfjs_graph_model",),
    "tf_frozen_model": ("tfjs_graph_model",),
    "tfjs_layers_model": ("keras", "keras_keras", "keras_saved_model", "tfjs_layers_model", "tfjs_graph_model"),
}
_FORMATS = {"tfjs_layers_model": "layers", "tfjs_graph_model": "graph"}
#: What ``--output-format both`` writes.
_BOTH = ("layers", "graph")
_OUTPUT_FORMATS = (*_FORMATS, "keras", "keras_keras", "keras_saved_model")
#: What a path holds → the official formats that mean it.
_KINDS: Mapping[Kind, tuple[str, ...]] = {
    "Keras file": ("keras", "keras_keras"),
    "SavedModel": ("keras_saved_model", "tf_saved_model", "tf_hub"),
    "TF Hub module": ("tf_hub",),
    "frozen graph": ("tf_frozen_model",),
    "TensorFlow.js model": ("tfjs_layers_model",),
}
_QUANTIZE = tuple(f"--quantize-{dtype}" for dtype in QUANTIZATION_DTYPES)
_BOOLEANS = ("--strip-debug-ops", "--use-structured-outputs-names", "--control-flow-v2", "--experiments")
_VERSION = f"tfjs-magic {__version__} (flags of tensorflowjs 4.22.0)"
#: Flags for those who try a picture, which nobody does in a browser without a window.
_OF_READERS = ("class_names", "pixels")
#: What stands for a --quantize_… flag without patterns, which no shell can give.
_BARE = "\n"
#: Flags that only a SavedModel has, by argument.
_OF_SAVED_MODELS = {"signature": "--signature_name", "tags": "--saved_model_tags"}
_SAVED_MODELS = ("tf_saved_model", "keras_saved_model", "tf_hub")
_SAMPLES = "inputs: .npz by their names, or one array as .npy"
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

_EXAMPLES = """examples:
  tfjs-magic convert model.keras web_model
  tfjs-magic convert --quantize_float16 --output_format tfjs_graph_model model.keras web_model
  tfjs-magic convert --input image=1,224,224,3 saved_model/ web_model
  tfjs-magic convert --dry-run --json model.keras
  tfjs-magic convert --verify --samples x_test.npz model.keras web_model
  tfjs-magic convert --output_format keras_keras web_model/model.json model.keras
"""

_SWEEP_EXAMPLE = """the exit status is 1 if a row has no model or wrong numbers. Paths start from the file's directory:
  browser = "chrome"               # without one, nothing is measured
  backends = ["wasm", "webgl"]
  runs = 50
  samples = "x_test.npz"
  directory = "rows"               # finished rows, from which a sweep that was stopped goes on

  [sources]
  small = "small.keras"
  large = "large_saved_model"

  [options]                        # every combination; "none" leaves an option out
  format = ["layers", "graph"]
  quantize = ["none", "uint8"]
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The words after the program's name; those of the process by default.

    Returns:
        0; 1 for a model that cannot be converted, read or saved; 2 for wrong usage.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an arrow must not stop what cannot write one
    try:
        arguments = _parse([*(sys.argv[1:] if argv is None else argv)])
    except SystemExit as end:  # argparse has said it: help, version or the mistake
        return int(end.code or 0)
    try:
        with (
            _terminated_like_interrupted(),
            contextlib.nullcontext() if arguments.traceback else _tensorflow_silenced(),
        ):
            arguments.run(arguments)
    except TfjsMagicError as error:
        if arguments.traceback:
            traceback.print_exc()
        _say(f"error: {_in_flags(' '.join(str(error).split()))}")
        return 2 if isinstance(error, OptionError) else 1
    except KeyboardInterrupt:
        _say("interrupted; nothing was written.")
        return 130
    return 0


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM, by which CI ends a job, close what was opened, as Ctrl-C does."""
    try:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    except ValueError:  # only the main thread may
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _tensorflow_silenced() -> Iterator[None]:
    """Keep Python's stderr and drop what C++ writes to its file descriptor.

    TensorFlow 2.21 logs there while it is imported, whatever TF_CPP_MIN_LOG_LEVEL says.
    """
    redirected = sys.stderr is not sys.__stderr__
    if redirected or sys.stderr is None:
        yield
        return
    sys.stderr.flush()
    descriptor = sys.stderr.fileno()
    kept = os.dup(descriptor)
    with open(os.devnull, "wb") as null:  # noqa: PTH123 - no file
        os.dup2(null.fileno(), descriptor)
    try:
        with os.fdopen(os.dup(kept), "w", buffering=1) as ours, contextlib.redirect_stderr(ours):
            yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)


def _in_flags(message: str) -> str:
    return in_flags(message, command_line=True)


# ---------------------------------------------------------------------- commands


def _convert(arguments: argparse.Namespace) -> None:
    _check_flags(arguments)
    _check_input(arguments.input_path, arguments.input_format)
    wanted = _wanted_format(arguments)
    if wanted is None:
        _convert_back(arguments)
        return
    if (
        wanted in {"layers", BOTH}
        and kind_of(arguments.input_path) == "SavedModel"
        and not holds_layers(arguments.input_path)
    ):
        raise TfjsMagicError(
            f"The SavedModel '{arguments.input_path}' holds a graph, not Keras layers, so it cannot become a layers "
            "model. Add --output_format=tfjs_graph_model, or convert the .keras file that it was exported from."
        )
    for note in _without_effect(arguments):
        _say(f"note: {note}")
    output = arguments.output_path
    wanted_at = {name: str(Path(output or "") / name) for name in _BOTH} if wanted == BOTH else {wanted: output}
    if not arguments.dry_run:
        from tfjs_magic.writers.directory import check_target  # noqa: PLC0415 - imports numpy

        for directory in wanted_at.values():
            check_target(directory, overwrite=arguments.overwrite)
    options = _options(arguments)
    from tfjs_magic.commands.verify import verify, verify_options  # noqa: PLC0415 - imports numpy

    verification = verify_options(arguments)
    models = {name: _converted(arguments, name, options) for name in wanted_at}
    for name, model in models.items():
        for note in () if verification is None else verify(model, verification):
            _say(f"note: {f'{name}: ' if wanted == BOTH else ''}{note}")
    targets = {
        name: None if arguments.dry_run else model.save(wanted_at[name], overwrite=arguments.overwrite)
        for name, model in models.items()
    }
    if arguments.json and wanted == BOTH:
        _write(json.dumps({name: _report(one, targets[name]) for name, one in models.items()}, indent=2), sys.stdout)
        return
    for name, model in models.items():
        _print_report(model, targets[name], as_json=arguments.json)


def _converted(arguments: argparse.Namespace, wanted: Any, options: Mapping[str, Any]) -> TfjsModel:
    from tfjs_magic.pipeline import convert  # noqa: PLC0415 - imports numpy, and TensorFlow when it runs

    progress = _show_step if sys.stderr is not None and sys.stderr.isatty() else None
    model = convert(arguments.input_path, format=wanted, progress=progress, **options)
    if arguments.split_weights_by_layer and model.format == "layers-model":
        from tfjs_magic.weights.pack import split_by_layer  # noqa: PLC0415 - imports numpy

        model = dataclasses.replace(model, groups=split_by_layer(model.groups))
    return model


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options that were given; the others have ``convert``'s own defaults."""
    values = {row.argument: getattr(arguments, row.argument) for row in (*SOURCE, QUANTIZE, *RESULT, *BOUND)}
    given = {name: merged(v) if isinstance(v, list) else v for name, v in values.items() if v is not None}
    if (official := _quantize(arguments)) is not None:
        if "quantize" in given:
            raise OptionError("--quantize and --quantize_… exclude each other; keep one kind.")
        given |= {"quantize": official, "official_codes": True}
    return with_bound(given, arguments.samples)


def _convert_back(arguments: argparse.Namespace) -> None:
    """Write a TF.js layers model as a Keras file, or as a SavedModel."""
    if (kind := kind_of(arguments.input_path)) not in {None, "TensorFlow.js model"}:
        raise OptionError(
            f"'{arguments.input_path}' is a {kind}; --output_format={arguments.output_format} takes a TensorFlow.js "
            "layers model back to Keras."
        )
    if _quantize(arguments):
        raise OptionError("Keras files hold no quantized weights; leave the --quantize_… flags out.")
    from tfjs_magic.model import load  # noqa: PLC0415 - imports numpy
    from tfjs_magic.writers.keras_files import check_keras_target, write_keras  # noqa: PLC0415

    if not arguments.dry_run:
        check_keras_target(arguments.output_path, arguments.output_format, overwrite=arguments.overwrite)
    model = load(arguments.input_path)
    keras_model, older, target = model.to_keras(), None, None
    if not arguments.dry_run:
        if arguments.output_format == "keras" and importlib.util.find_spec("tf_keras") is not None:
            from tfjs_magic.sources.tf_keras import keras_2_model  # noqa: PLC0415 - an extra

            older = keras_2_model(model.topology, keras_model)
        target = write_keras(
            keras_model, arguments.output_path, arguments.output_format, overwrite=arguments.overwrite, older=older
        )
    _print_report(model, target, as_json=arguments.json)


def _inspect(arguments: argparse.Namespace) -> None:
    from tfjs_magic.model import load  # noqa: PLC0415 - imports numpy

    _print_report(load(arguments.directory), None, as_json=arguments.json)


def _benchmark(arguments: argparse.Namespace) -> None:
    from tfjs_magic.commands.benchmark import run_benchmark  # noqa: PLC0415 - imports numpy

    run_benchmark(arguments, lambda text: _write(text, sys.stdout))


def _sweep(arguments: argparse.Namespace) -> None:
    from tfjs_magic.commands.sweep import run_sweep  # noqa: PLC0415 - imports numpy

    run_sweep(
        arguments, lambda text: _write(text, sys.stdout), lambda line: _write(line, sys.stderr), read_samples=_arrays_of
    )


def _page(arguments: argparse.Namespace) -> None:
    from tfjs_magic.commands.page import make_page  # noqa: PLC0415 - imports numpy

    progress = _show_step if sys.stderr is not None and sys.stderr.isatty() else None
    target = make_page(arguments, progress=progress)
    _write(json.dumps({"page": str(target)}) if arguments.json else f"written to: {printable(str(target))}", sys.stdout)


def _show_step(name: str) -> None:
    _write(f"Converting: {name} …", sys.stderr)


def _print_report(model: TfjsModel, target: Path | None, *, as_json: bool) -> None:
    if as_json:
        _write(json.dumps(_report(model, target), indent=2), sys.stdout)
        return
    written = "" if target is None else f"\n  written to: {printable(str(target))}"
    _write(_in_flags(repr(model)) + written, sys.stdout)


def _say(sentence: str) -> None:
    _write(f"tfjs-magic: {sentence}", sys.stderr)


def _write(text: str, stream: TextIO | None) -> None:
    """Write a line, if somebody still listens: what was converted is no less written when a pipe has ended."""
    if stream is None:
        return
    try:
        print(text, file=stream, flush=True)
    except (OSError, ValueError):
        with open(os.devnull, "wb") as null, contextlib.suppress(OSError, ValueError):  # noqa: PTH123 - no file
            os.dup2(null.fileno(), stream.fileno())  # else Python tries again when it ends, and fails


def _tensor(info: TensorInfo) -> dict[str, Any]:
    """Return a row; a vocabulary may have any size, and only the samples need it."""
    return {key: value for key, value in dataclasses.asdict(info).items() if key != "vocabulary"}


def _report(model: TfjsModel, target: Path | None) -> dict[str, Any]:
    """Return what there is to know about a conversion, as JSON holds it; sizes in bytes."""
    quantized = collections.Counter(s.quantization.dtype for g in model.groups for s in g.specs if s.quantization)
    report = dataclasses.asdict(model.report)
    return {
        "format": model.format,
        **report,
        "inputs": [_tensor(info) for info in model.inputs],
        "outputs": [_tensor(info) for info in model.outputs],
        "nbytes": model.nbytes,
        "quantized": dict(sorted(quantized.items())),
        "files": ["model.json", *(name for group in model.groups for name in group.shard_names)],
        "directory": None if target is None else str(target),
    }


# ---------------------------------------------------------------------- meaning of the flags


def _check_input(path: str, input_format: str | None) -> None:
    """Refuse a path that is plainly not what ``--input_format`` says; what is not there is the conversion's to say."""
    kind = kind_of(path)
    if input_format in {"keras", "keras_keras"} and kind is not None and Path(path).is_dir():
        file = "an HDF5 file" if input_format == "keras" else "a .keras file"
        raise OptionError(
            f"Expected path to point to {file}, but it points to a directory: '{path}' is a {kind}; leave "
            f"--input_format={input_format} out."
        )
    if input_format is not None and kind is not None and input_format not in _KINDS[kind]:
        raise OptionError(f"'{path}' is a {kind}; --input_format={input_format} reads another. Leave the flag out.")


def _check_flags(arguments: argparse.Namespace) -> None:
    """Refuse flags that mean nothing for what is converted."""
    kind = kind_of(arguments.input_path)
    given = arguments.input_format
    formats = (given,) if given else _KINDS[kind] if kind else _SAVED_MODELS
    for argument, flag in _OF_SAVED_MODELS.items():
        if getattr(arguments, argument) is not None and not set(formats) & set(_SAVED_MODELS):
            found = f"--input_format is {given}" if given else f"'{arguments.input_path}' is a {kind}"
            raise OptionError(f"The {flag} flag is applicable only to {', '.join(_SAVED_MODELS)}, and {found}.")


def _wanted_format(arguments: argparse.Namespace) -> Any:
    """Return ``convert``'s format."""
    if arguments.output_format in {*FORMATS, BOTH}:
        return arguments.output_format
    if arguments.output_format is None:
        if arguments.input_format is None:
            return "auto"
        arguments.output_format = _PAIRS[arguments.input_format][0]  # as the official converter has it
    if arguments.input_format is not None and arguments.output_format not in _PAIRS[arguments.input_format]:
        expected = ", ".join(_PAIRS[arguments.input_format])
        raise OptionError(
            f"{arguments.input_format} cannot become {arguments.output_format}; expected one of {expected}."
        )
    return _FORMATS.get(arguments.output_format)


def _without_effect(arguments: argparse.Namespace) -> Iterator[str]:
    if arguments.split_weights_by_layer and arguments.output_format in {"tfjs_graph_model", "graph"}:
        yield "--split_weights_by_layer has no effect: the weights of a graph are one group, cut by size."
    if arguments.control_flow_v2:
        yield "--control_flow_v2 has no effect: loops and conditions are always lowered, as TF.js runs them best."


def _quantize(arguments: argparse.Namespace) -> dict[Any, tuple[str, ...]] | None:
    asked = {dtype: getattr(arguments, f"quantize_{dtype}") for dtype in QUANTIZATION_DTYPES}
    wanted: dict[Any, tuple[str, ...]] = {dtype: patterns for dtype, patterns in asked.items() if patterns is not None}
    if empty := [dtype for dtype, patterns in wanted.items() if not patterns]:
        raise OptionError(f"--quantize_{empty[0]}= names no weights; without '=' it takes every kernel.")
    if arguments.quantization_bytes is not None:
        if wanted:
            raise OptionError("--quantization_bytes and --quantize_… exclude each other; keep the latter.")
        wanted = {"uint8" if arguments.quantization_bytes == 1 else "uint16": ("**",)}
    if sum(patterns in {("*",), ("**",)} for patterns in wanted.values()) > 1:
        raise OptionError("two --quantize_… flags without patterns take the same weights; keep one.")
    return wanted or None


# ---------------------------------------------------------------------- grammar


class _Parser(argparse.ArgumentParser):
    #: Flag as it is known → as the user typed it.
    typed: Mapping[str, str] = {}

    def error(self, message: str) -> NoReturn:
        for known, typed in self.typed.items():
            message = message.replace(known, typed)
        self.exit(2, f"tfjs-magic: error: {sentence(message).rstrip('.?')}. '{self.prog} --help' shows how.\n")


def _parse(argv: list[str]) -> argparse.Namespace:
    if argv[:1] == ["convert"]:
        words = argv[1 : argv.index("--")] if "--" in argv else argv[1:]
        flags = [word.partition("=")[0] for word in words if word.startswith("--")]
        parser = _convert_parser()
        parser.typed = {hyphenated(flag): flag for flag in flags}
        return _parse_convert(parser, [hyphenated(word) for word in words], argv[len(words) + 2 :])
    if argv[:1] == ["inspect"]:
        return _inspect_parser().parse_args(argv[1:])
    if argv[:1] == ["benchmark"]:
        return _benchmark_parser().parse_intermixed_args(argv[1:])
    if argv[:1] == ["sweep"]:
        return _sweep_parser().parse_args(argv[1:])
    if argv[:1] == ["page"]:
        return _page_parser().parse_intermixed_args(with_values([hyphenated(word) for word in argv[1:]]))
    parser = _Parser("tfjs-magic", description="Convert Keras models and SavedModels to TensorFlow.js.")
    parser.add_argument("--version", "-v", action="version", version=_VERSION)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    commands.add_parser("convert", help="convert a model; takes the flags of tensorflowjs_converter")
    commands.add_parser("benchmark", help="measure models in a browser, and hold them to bounds")
    commands.add_parser("sweep", help="convert and measure many models in many variants")
    commands.add_parser("inspect", help="show what a TensorFlow.js model holds")
    commands.add_parser("page", help="write a page that runs a model in any browser")
    return parser.parse_args(argv)


def _parse_convert(parser: _Parser, words: list[str], places: Sequence[str]) -> argparse.Namespace:
    """Parse words, and the paths behind "--", which may begin with a hyphen."""
    needed = (1 if "--dry-run" in words else 2) - len(places)
    for i, word in reversed(list(enumerate(words))):
        following = words[i + 1] if i + 1 < len(words) else ""
        if word in _BOOLEANS and following.lower() not in _TRUTH:
            words[i] = f"{word}=true"
        elif word == "--verify":  # nor must it
            words[i] = f"{word}=browser"
        # A bare --quantize-uint8 must not take the path that follows for its patterns.
        elif word in _QUANTIZE and (_is_path(following) or len(parser.parse_intermixed_args(words).paths) < needed):
            words[i] = f"{word}={_BARE}"
    arguments = parser.parse_intermixed_args(words)
    paths = [*arguments.paths, *places]
    if not paths:
        parser.error(
            "convert lacks its INPUT (input_path): a .keras or .h5 file, a SavedModel directory, a frozen .pb, a TF "
            "Hub archive or handle, or a model.json"
        )
    if len(paths) > 2:
        parser.error(f"convert takes INPUT and OUTPUT; found also '{paths[2]}'. Quote a path with blanks")
    if len(arguments.paths) < needed:
        parser.error("convert lacks its OUTPUT (output_path): the directory to write, or --dry-run")
    arguments.input_path, arguments.output_path = paths[0], paths[-1]
    return arguments


def _is_path(word: str) -> bool:
    return bool(word) and os.path.exists(os.path.expanduser(word))  # noqa: PTH110, PTH111 - they never raise


def _inspect_parser() -> argparse.ArgumentParser:
    about = "Show what a TensorFlow.js model holds: format, inputs, outputs, sizes, ops, backends, quantization."
    parser = _Parser("tfjs-magic inspect", description=about, allow_abbrev=False)
    parser.set_defaults(run=_inspect)
    parser.add_argument("directory", metavar="DIR", help="the directory of a model.json, or the file itself")
    _add_output(parser)
    return parser


def _benchmark_parser() -> argparse.ArgumentParser:
    about = "Measure models side by side in a browser that is opened for it, and compare their outputs with Python's."
    parser = _Parser("tfjs-magic benchmark", description=about, allow_abbrev=False)
    parser.set_defaults(run=_benchmark)
    parser.add_argument(
        "models", nargs="+", metavar="DIR", help="a TensorFlow.js model, or anything that convert takes"
    )
    how = parser.add_argument_group("how it is measured").add_argument
    for row in BENCHMARK:
        if row.argument not in {*_OF_READERS, "samples"}:  # which is an expression in a notebook
            row.add_to(how)
    how("--samples", metavar="FILE", type=_arrays, help=_SAMPLES)
    bounds = parser.add_argument_group(
        "bounds; the exit status is 1 where an interval of 95 % lies beyond"
    ).add_argument
    bounds("--max-median-ms", type=number(float), metavar="MS", help="largest median of any model and backend")
    bounds("--max-ratio-to", metavar="FILE.json", help="an earlier result, written by --json, that is the measure")
    bounds("--max-ratio", type=number(float), metavar="X", help="times as long as it that is allowed (default 1)")
    parser.add_argument("--html", metavar="FILE", help="write table and plot as a page")
    _add_output(parser)
    return parser


def _sweep_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        "tfjs-magic sweep",
        description="Convert every source with every set of options, compare each with Python and measure it.",
        epilog=_SWEEP_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=_sweep)
    parser.add_argument("config", metavar="CONFIG.toml", help="the arguments of tfjs_magic.sweep; see below")
    _add_output(parser)
    return parser


def _page_parser() -> argparse.ArgumentParser:
    about = (
        "Write a page that runs a model in any browser, measures it, and compares it with what Python computes now; "
        "with a picture as input its readers can try their own. Serve the directory, or make a single file."
    )
    parser = _Parser("tfjs-magic page", description=about, allow_abbrev=False)
    parser.set_defaults(run=_page)
    parser.add_argument("source", metavar="SOURCE", help="anything that convert takes, or a TensorFlow.js model")
    parser.add_argument("target", metavar="DIR", help="the directory to make; with --single-file the HTML file")
    parser.add_argument("--single-file", action="store_true", help="one HTML file, for up to 25 MB of weights")
    parser.add_argument("--overwrite", action="store_true", help="replace such a page that is there")
    conversion = parser.add_argument_group("conversion").add_argument
    conversion("--format", type=one_of(FORMATS), metavar="FORMAT", help=f"{', '.join(FORMATS)}; auto by default")
    for row in (*SOURCE, QUANTIZE):
        row.add_to(conversion, row.names[-1])
    measured = parser.add_argument_group("what the page measures").add_argument
    files = {
        "samples": (_arrays, "inputs to compare with Python: .npz by their names, or one array as .npy"),
        "class_names": (_lines, "names of the outputs, one on each line, for pictures that readers try"),
    }
    for row in BENCHMARK:
        if row.argument in files:
            read, about = files[row.argument]
            dataclasses.replace(row, metavar="FILE", help=about, read=read).add_to(measured)
        elif row.argument != "browser":
            row.add_to(measured)
    _add_output(parser)
    return parser


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a machine-readable report")
    parser.add_argument("--traceback", action="store_true", help="show where an error comes from, and TensorFlow's log")


def _convert_parser() -> _Parser:
    parser = _Parser(
        "tfjs-magic convert",
        usage="tfjs-magic convert [options] INPUT OUTPUT",
        description="Convert a model to TensorFlow.js. Flags may be spelled with hyphens or underscores.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=_convert)
    parser.add_argument("--version", "-v", action="version", version=_VERSION)
    parser.add_argument(
        "paths", nargs="*", metavar="INPUT OUTPUT", help="the model, and the directory (or Keras file) to write"
    )
    source = parser.add_argument_group("source").add_argument
    kinds = f"{', '.join(_PAIRS)}; found out by default"
    source("--input-format", type=one_of(tuple(_PAIRS)), metavar="FORMAT", help=kinds)
    for row in SOURCE:
        row.add_to(source, row.names[-1])
    result = parser.add_argument_group("result").add_argument
    formats = (
        f"{', '.join(_FORMATS)}; where neither format is given, layers if that is exact, else graph; of a "
        "TensorFlow.js layers model also keras, keras_keras, keras_saved_model; both: OUTPUT/layers and OUTPUT/graph"
    )
    result("--output-format", type=one_of((*_OUTPUT_FORMATS, *FORMATS, BOTH)), metavar="FORMAT", help=formats)
    for dtype in QUANTIZATION_DTYPES:
        some = f"store kernels as {dtype}; with patterns by commas (dense*,conv1/*): those weights; with '*': all"
        result(f"--quantize-{dtype}", metavar="PATTERNS", nargs="?", const=("*",), type=_patterns, help=some)
    result("--quantization-bytes", type=int, choices=(1, 2), help="deprecated: 1 is uint8, 2 is uint16")
    QUANTIZE.add_to(result)
    for row in RESULT:
        row.add_to(result)
    result("--split-weights-by-layer", action="store_true", help="a weight file of its own for each layer")
    result("--overwrite", action="store_true", help="replace a model that is there")
    result("--dry-run", action="store_true", help="convert and report, write nothing; needs no OUTPUT")
    _add_output(parser)
    check = parser.add_argument_group("verification").add_argument
    check(
        "--verify",
        nargs="?",
        const="browser",
        type=one_of(("browser", NODE)),
        metavar="WHERE",
        help="compare it with Python on seeded samples or --samples, and write nothing if it differs: in a browser, or "
        "--verify=node in Node, on wasm and cpu",
    )
    for row in (BROWSER, *(row for row in BENCHMARK if row.argument in {"backends", "tolerance"})):
        row.add_to(check)
    bound = parser.add_argument_group("bound of --quantize auto").add_argument
    bound("--samples", metavar="FILE", type=_arrays, help=_SAMPLES)
    for row in BOUND:
        row.add_to(bound, read={"labels": _arrays, "metric": _function}.get(row.argument))
    same = parser.add_argument_group("taken for compatibility, without effect").add_argument
    for flag, default, why in (
        ("--strip-debug-ops", True, "assertions and prints are always dropped"),
        ("--use-structured-outputs-names", False, "outputs always have the source's names"),
        ("--control-flow-v2", False, "loops are always lowered"),
        ("--experiments", False, "there are none"),
    ):
        same(flag, metavar="BOOL", type=_boolean, default=default, help=why)
    return parser


def _patterns(word: str) -> tuple[str, ...]:
    """Read patterns; '*' takes everything, as the official converter does, where a bare flag takes kernels."""
    return ("*",) if word == _BARE else tuple("**" if name == "*" else name for name in names(word))


def _arrays_of(path: str) -> Any:
    """Read a file that no flag names."""
    try:
        return _arrays(path)
    except argparse.ArgumentTypeError as error:
        raise OptionError(f"samples: {error}.") from None


def _arrays(word: str) -> Any:
    """Read a file of numpy's; nothing in it is run."""
    import numpy as np  # noqa: PLC0415 - the help needs none

    try:
        content = np.load(word, allow_pickle=False)
        arrays = content if isinstance(content, np.ndarray) else {name: content[name] for name in content.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        msg = f"'{word}' cannot be read as .npy or .npz: {' '.join(str(error).split())}"
        raise argparse.ArgumentTypeError(msg) from None
    if isinstance(arrays, dict) and not all(isinstance(array, np.ndarray) for array in arrays.values()):
        msg = f"'{word}' holds other things than arrays; expected .npy or .npz"
        raise argparse.ArgumentTypeError(msg)
    return arrays


def _lines(word: str) -> list[str]:
    """Read a file with one name on each line."""
    try:
        return Path(word).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        msg = f"'{word}' cannot be read as lines of text: {' '.join(str(error).split())}"
        raise argparse.ArgumentTypeError(msg) from None


def _function(word: str) -> Any:
    """Read a Python expression, the user's own: np is numpy."""
    import numpy as np  # noqa: PLC0415 - as above

    try:
        return eval(word, {"np": np})  # noqa: S307 - typed by whoever runs this
    except Exception as error:  # noqa: BLE001 - whatever the expression raises
        msg = f"'{word}' cannot be evaluated: {type(error).__name__}: {error}"
        raise argparse.ArgumentTypeError(msg) from None


def _boolean(word: str) -> bool:
    if word.lower() not in _TRUTH:
        msg = f"'{word}' is neither true nor false"
        raise argparse.ArgumentTypeError(msg)
    return _TRUTH[word.lower()]
