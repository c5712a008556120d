"""The grammar of ``tfjs-magic convert``: the flags of ``tensorflowjs_converter``, and ours."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from tfjs_magic.commands.official import OUTPUT_FORMATS, PAIRS, TFJS_FORMATS
from tfjs_magic.commands.parsers import SAMPLES, VERSION, Parser, add_output
from tfjs_magic.commands.readers import OF_BOUND, TRUTH, arrays, boolean
from tfjs_magic.flags import BENCHMARK, BOUND, BROWSER, QUANTIZE, RESULT, SOURCE, hyphenated, names, one_of
from tfjs_magic.options import BOTH, FORMATS, NODE, QUANTIZATION_DTYPES

_QUANTIZE = tuple(f"--quantize-{dtype}" for dtype in QUANTIZATION_DTYPES)
_BOOLEANS = ("--strip-debug-ops", "--use-structured-outputs-names", "--control-flow-v2", "--experiments")
_WHERE = ("browser", NODE)
#: What stands for a --quantize_… flag without patterns, which no shell can give.
_BARE = "\n"

_EXAMPLES = """examples:
  tfjs-magic convert model.keras web_model
  tfjs-magic convert --quantize_float16 --output_format tfjs_graph_model model.keras web_model
  tfjs-magic convert --input image=1,224,224,3 saved_model/ web_model
  tfjs-magic convert --dry-run --json model.keras
  tfjs-magic convert --verify --samples x_test.npz model.keras web_model
  tfjs-magic convert --output_format keras_keras web_model/model.json model.keras
"""


def parse_convert(words: Sequence[str]) -> argparse.Namespace:
    """Parse the words behind ``convert``; a flag may be spelled with hyphens or underscores."""
    end = words.index("--") if "--" in words else len(words)
    flags = [word.partition("=")[0] for word in words[:end] if word.startswith("--")]
    parser = _parser()
    parser.typed = {hyphenated(flag): flag for flag in flags}
    return _parsed(parser, [hyphenated(word) for word in words[:end]], words[end + 1 :])


def _parsed(parser: Parser, words: list[str], places: Sequence[str]) -> argparse.Namespace:
    """Parse words, and the paths behind "--", which may begin with a hyphen."""
    needed = (1 if "--dry-run" in words else 2) - len(places)
    for i, word in reversed(list(enumerate(words))):
        following = words[i + 1] if i + 1 < len(words) else ""
        if word in _BOOLEANS and following.lower() not in TRUTH:
            words[i] = f"{word}=true"
        elif word == "--verify" and (following not in _WHERE or _is_path(following)):  # nor must it
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


def _parser() -> Parser:
    parser = Parser(
        "tfjs-magic convert",
        usage="tfjs-magic convert [options] INPUT OUTPUT",
        description="Convert a model to TensorFlow.js. Flags may be spelled with hyphens or underscores.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", "-v", action="version", version=VERSION)
    parser.add_argument(
        "paths", nargs="*", metavar="INPUT OUTPUT", help="the model, and the directory (or Keras file) to write"
    )
    source = parser.add_argument_group("source").add_argument
    kinds = f"{', '.join(PAIRS)}; found out by default"
    source("--input-format", type=one_of(tuple(PAIRS)), metavar="FORMAT", help=kinds)
    for row in SOURCE:
        row.add_to(source, row.names[-1])
    result = parser.add_argument_group("result").add_argument
    formats = (
        f"{', '.join(TFJS_FORMATS)}; where neither format is given, layers if that is exact, else graph; of a "
        "TensorFlow.js layers model also keras, keras_keras, keras_saved_model; both: OUTPUT/layers and OUTPUT/graph"
    )
    result("--output-format", type=one_of((*OUTPUT_FORMATS, *FORMATS, BOTH)), metavar="FORMAT", help=formats)
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
    add_output(parser)
    check = parser.add_argument_group("verification").add_argument
    check(
        "--verify",
        nargs="?",
        const="browser",
        type=one_of(_WHERE),
        metavar="WHERE",
        help="compare it with Python on seeded samples or --samples, and write nothing if it differs: in a browser, or "
        "--verify=node in Node, on wasm and cpu",
    )
    for row in (BROWSER, *(row for row in BENCHMARK if row.argument in {"backends", "tolerance"})):
        row.add_to(check)
    bound = parser.add_argument_group("bound of --quantize auto").add_argument
    bound("--samples", metavar="FILE", type=arrays, help=SAMPLES)
    for row in BOUND:
        row.add_to(bound, read=OF_BOUND.get(row.argument))
    same = parser.add_argument_group("taken for compatibility, without effect").add_argument
    for flag, default, why in (
        ("--strip-debug-ops", True, "assertions and prints are always dropped"),
        ("--use-structured-outputs-names", False, "outputs always have the source's names"),
        ("--control-flow-v2", False, "loops are always lowered"),
        ("--experiments", False, "there are none"),
    ):
        same(flag, metavar="BOOL", type=boolean, default=default, help=why)
    return parser


def _patterns(word: str) -> tuple[str, ...]:
    """Read patterns; '*' takes everything, as the official converter does, where a bare flag takes kernels."""
    return ("*",) if word == _BARE else tuple("**" if name == "*" else name for name in names(word))
