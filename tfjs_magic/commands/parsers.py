"""The grammar of every command but ``convert``."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from typing import NoReturn

from tfjs_magic._version import __version__
from tfjs_magic.commands.readers import OF_BOUND, arrays, lines
from tfjs_magic.flags import BENCHMARK, BOUND, QUANTIZE, RESULT, SOURCE, number, one_of, sentence
from tfjs_magic.options import FORMATS

VERSION = f"tfjs-magic {__version__} (flags of tensorflowjs 4.22.0)"
#: Flags for those who try a picture, which nobody does in a browser without a window.
_OF_READERS = ("class_names", "pixels")
SAMPLES = "inputs: .npz by their names, or one array as .npy"

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


class Parser(argparse.ArgumentParser):
    """Ends with a sentence and the exit status 2."""

    #: Flag as it is known → as the user typed it.
    typed: Mapping[str, str] = {}

    def error(self, message: str) -> NoReturn:
        """Say the mistake in the words that were typed, and end."""
        for known, typed in self.typed.items():
            message = message.replace(known, typed)
        said = sentence(message).rstrip(".")
        end = "" if said.endswith("?") else "."
        self.exit(2, f"tfjs-magic: error: {said}{end} '{self.prog} --help' shows how.\n")


def overview_parser() -> Parser:
    """Return the parser that knows the commands' names."""
    parser = Parser("tfjs-magic", description="Convert Keras models and SavedModels to TensorFlow.js.")
    parser.add_argument("--version", "-v", action="version", version=VERSION)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    commands.add_parser("convert", help="convert a model; takes the flags of tensorflowjs_converter")
    commands.add_parser("benchmark", help="measure models in a browser, and hold them to bounds")
    commands.add_parser("sweep", help="convert and measure many models in many variants")
    commands.add_parser("inspect", help="show what a TensorFlow.js model holds")
    commands.add_parser("page", help="write a page that runs a model in any browser")
    return parser


def inspect_parser() -> argparse.ArgumentParser:
    """Return the parser of ``inspect``."""
    about = "Show what a TensorFlow.js model holds: format, inputs, outputs, sizes, ops, backends, quantization."
    parser = Parser("tfjs-magic inspect", description=about, allow_abbrev=False)
    parser.add_argument("directory", metavar="DIR", help="the directory of a model.json, or the file itself")
    add_output(parser)
    return parser


def benchmark_parser() -> argparse.ArgumentParser:
    """Return the parser of ``benchmark``."""
    about = "Measure models side by side in a browser that is opened for it, and compare their outputs with Python's."
    parser = Parser("tfjs-magic benchmark", description=about, allow_abbrev=False)
    parser.add_argument(
        "models", nargs="+", metavar="DIR", help="a TensorFlow.js model, or anything that convert takes"
    )
    how = parser.add_argument_group("how it is measured").add_argument
    for row in BENCHMARK:
        if row.argument not in {*_OF_READERS, "samples"}:  # which is an expression in a notebook
            row.add_to(how)
    how("--samples", metavar="FILE", type=arrays, help=SAMPLES)
    bounds = parser.add_argument_group(
        "bounds; the exit status is 1 where an interval of 95 % lies beyond"
    ).add_argument
    bounds("--max-median-ms", type=number(float), metavar="MS", help="largest median of any model and backend")
    bounds("--max-ratio-to", metavar="FILE.json", help="an earlier result, written by --json, that is the measure")
    bounds("--max-ratio", type=number(float), metavar="X", help="times as long as it that is allowed (default 1)")
    parser.add_argument("--html", metavar="FILE", help="write table and plot as a page")
    add_output(parser)
    return parser


def sweep_parser() -> argparse.ArgumentParser:
    """Return the parser of ``sweep``."""
    parser = Parser(
        "tfjs-magic sweep",
        description="Convert every source with every set of options, compare each with Python and measure it.",
        epilog=_SWEEP_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("config", metavar="CONFIG.toml", help="the arguments of tfjs_magic.sweep; see below")
    add_output(parser)
    return parser


def page_parser() -> argparse.ArgumentParser:
    """Return the parser of ``page``."""
    about = (
        "Write a page that runs a model in any browser, measures it, and compares it with what Python computes now; "
        "with a picture as input its readers can try their own. Serve the directory, or make a single file."
    )
    parser = Parser("tfjs-magic page", description=about, allow_abbrev=False)
    parser.add_argument("source", metavar="SOURCE", help="anything that convert takes, or a TensorFlow.js model")
    parser.add_argument("place", metavar="DIR", help="the directory to make; with --single-file the HTML file")
    parser.add_argument("--single-file", action="store_true", help="one HTML file, for up to 25 MB of weights")
    parser.add_argument("--overwrite", action="store_true", help="replace such a page that is there")
    conversion = parser.add_argument_group("conversion").add_argument
    conversion("--format", type=one_of(FORMATS), metavar="FORMAT", help=f"{', '.join(FORMATS)}; auto by default")
    for row in (*SOURCE, QUANTIZE, *RESULT):
        row.add_to(conversion, row.names[-1])
    bound = parser.add_argument_group("bound of --quantize auto").add_argument
    for row in BOUND:
        row.add_to(bound, read=OF_BOUND.get(row.argument))
    measured = parser.add_argument_group("what the page measures").add_argument
    files = {
        "samples": (arrays, "inputs to compare with Python: .npz by their names, or one array as .npy"),
        "class_names": (lines, "names of the outputs, one on each line, for pictures that readers try"),
    }
    for row in BENCHMARK:
        if row.argument in files:
            read, about = files[row.argument]
            dataclasses.replace(row, metavar="FILE", help=about, read=read).add_to(measured)
        elif row.argument != "browser":
            row.add_to(measured)
    add_output(parser)
    return parser


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the flags that every command has."""
    parser.add_argument("--json", action="store_true", help="print a machine-readable report")
    parser.add_argument("--traceback", action="store_true", help="show where an error comes from, and TensorFlow's log")
