"""Every flag is an option of the Python twin, and both parsers say the same of a wrong word."""

from __future__ import annotations

import argparse
import inspect
from typing import Any

import pytest
from IPython.core.error import UsageError

from tfjs_magic.benchmarking import benchmark
from tfjs_magic.cli import main
from tfjs_magic.errors import OptionError
from tfjs_magic.flags import BENCHMARK, BOUND, QUANTIZE, RESULT, SOURCE, in_flags, sentence, with_bound
from tfjs_magic.notebook.line import convert_line
from tfjs_magic.options import AutoQuantize, BenchmarkOptions, ConvertOptions
from tfjs_magic.pipeline import convert


@pytest.mark.parametrize(
    ("rows", "twin", "options"),
    [((*SOURCE, QUANTIZE, *RESULT), convert, ConvertOptions), (BENCHMARK, benchmark, BenchmarkOptions)],
)
def test_rows_are_arguments(rows: Any, twin: Any, options: Any) -> None:
    arguments = inspect.signature(twin).parameters
    assert {row.argument for row in rows} <= arguments.keys()
    fields = options.__dataclass_fields__
    assert fields.keys() <= arguments.keys()
    assert {name: fields[name].default for name in fields} == {name: arguments[name].default for name in fields}


def test_rows_of_a_bound_are_its_arguments() -> None:
    assert {row.argument for row in BOUND} == AutoQuantize.__dataclass_fields__.keys() - {"samples", "held_back"}


def test_a_bound_becomes_one_argument() -> None:
    given = {"quantize": {"auto": ("*",)}, "max_error": 0.1, "format": "graph"}
    assert with_bound(given, [1]) == {"format": "graph", "quantize": AutoQuantize(samples=[1], max_error=0.1)}
    assert with_bound({"quantize": {"uint8": ("*",)}}, None) == {"quantize": {"uint8": ("*",)}}


@pytest.mark.parametrize(
    ("given", "samples", "says"),
    [
        ({"max_error": 0.1}, [1], "--max-error belongs to --quantize auto, which is not given"),
        ({"quantize": {"auto": ("*",)}, "max_error": 0.1}, None, "needs --samples"),
        ({"quantize": {"auto": ("a*",)}, "max_error": 0.1}, [1], "takes every kernel"),
        ({"quantize": {"auto": ("*",), "uint8": ("a",)}, "max_error": 0.1}, [1], "leave patterns and other dtypes out"),
    ],
)
def test_a_bound_belongs_to_auto(given: Any, samples: Any, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        with_bound(given, samples)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--input x", "--input is 'x'; expected NAME=SHAPE, for example image=1,224,224,3"),
        ("--metadata card", "--metadata is 'card'; expected KEY:FILE.json"),
        ("--target phone", "--target is 'phone'; expected one of auto, wasm, webgl, webgpu"),
        ("--unroll some", "--unroll is 'some'; expected one of auto, all, none"),
        ("--weight-shard-size-bytes many", "--weight-shard-size-bytes is 'many'; expected a whole number"),
        ("--signature_name", "expected one argument"),
    ],
)
def test_both_parsers_say_the_same(capsys: pytest.CaptureFixture[str], words: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        convert_line().parse(f"model {words}")
    assert main(["convert", "in.keras", "out", *words.split()]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("argument -o/--as: is '2x'; expected a Python name", "--as is '2x'; expected a Python name"),
        ("argument --signature/--signature-name: expected one argument", "--signature: expected one argument"),
        ("unrecognized arguments: --x", "unrecognized arguments: --x"),
    ],
)
def test_argparse_speaks_our_language(message: str, said: str) -> None:
    assert sentence(message) == said


def test_readers() -> None:
    read = {row.argument: row.read for row in (*SOURCE, QUANTIZE, *RESULT, *BENCHMARK)}
    assert read["inputs"]("a=b=1,?,None,-1,3") == {"a=b": (1, None, None, None, 3)}
    assert read["quantize"]("uint8=a*, b") == {"uint8": ("a*", "b")}
    assert read["quantize"]("float16") == {"float16": ("*",)}
    assert [read["unroll"](word) for word in ("auto", "all", "none")] == ["auto", True, False]
    assert (read["warmup"]("auto"), read["warmup"]("3")) == ("auto", 3)
    assert read["backends"]("wasm, cpu") == ("wasm", "cpu")
    with pytest.raises(argparse.ArgumentTypeError):
        read["inputs"]("=1,2")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("If you trust the file, pass trust=True.", "If you trust the file, pass --trust."),
        ("name them with outputs=[…]. Nodes", "name them with --output. Nodes"),
        (
            "the one node that nothing consumes. outputs= names others.",
            "the one node that nothing consumes. --output names others.",
        ),
        ("Name one with signature=.", "Name one with --signature."),
        ("leave signature='…' out", "leave --signature out"),
        ("skip_op_check writes the model", "--skip-op-check writes the model"),
        ("Convert the model with format='graph'.", "Convert the model with --output-format tfjs_graph_model."),
        ("quantize='float16' would download", "--quantize-float16 would download"),
        ("inputs={'a': (1, 8, 4), 'b c': (3,)}, or", "--input a=1,8,4 --input b c=3, or"),
        ("Name it as inputs={'x': shape}.", "Name it as --input x=SHAPE."),
        ("give it with inputs={…}", "give it with --input NAME=SHAPE"),
        ("Pass inputs={name: tf.TensorSpec(shape, dtype)}, or", "Pass --input NAME=SHAPE, or"),
        ("name it in inputs=.", "name it in --input."),
        ("unroll=True out.", "--unroll all out."),
        ("target='wasm' would.", "--target wasm would."),
        ("batch is 0; expected", "--batch is 0; expected"),
        ("batch needs a model whose batch is free", "--batch needs a model whose batch is free"),
        ("The inputs and outputs of model.h5", "The inputs and outputs of model.h5"),
    ],
)
def test_messages_name_flags_to_whom_flags_are_given(message: str, expected: str) -> None:
    assert in_flags(message, command_line=True) == expected


def test_the_magics_have_flags_of_their_own() -> None:
    message = "Use format='graph', and quantize='uint8'."
    assert in_flags(message, command_line=False) == "Use --format graph, and --quantize uint8."
