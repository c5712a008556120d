"""``tfjs-magic convert``, ``inspect``, ``benchmark``, ``sweep`` and ``page``: what the notebook does, from a shell.

``convert`` takes the flags of ``tensorflowjs_converter`` 4.22 with their meaning, in its spelling or with hyphens, and
needs no ``--input_format``. Source of the flags: tfjs-converter ``python/tensorflowjs/converters/converter.py``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence

from tfjs_magic.commands.convert import run_convert
from tfjs_magic.commands.convert_parser import parse_convert
from tfjs_magic.commands.output import print_report, say
from tfjs_magic.commands.parsers import benchmark_parser, inspect_parser, overview_parser, page_parser, sweep_parser
from tfjs_magic.errors import OptionError, TfjsMagicError
from tfjs_magic.flags import hyphenated, in_flags, with_values


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
        run, arguments = _parse([*(sys.argv[1:] if argv is None else argv)])
    except SystemExit as end:  # argparse has said it: help, version or the mistake
        return int(end.code or 0)
    try:
        with (
            _terminated_like_interrupted(),
            contextlib.nullcontext() if arguments.traceback else _tensorflow_silenced(),
        ):
            run(arguments)
    except TfjsMagicError as error:
        if arguments.traceback:
            traceback.print_exc()
        say(f"error: {in_flags(' '.join(str(error).split()), command_line=True)}")
        return 2 if isinstance(error, OptionError) else 1
    except KeyboardInterrupt:
        say("interrupted; nothing was written." if run in {run_convert, _page} else "interrupted.")
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


def _parse(argv: list[str]) -> tuple[Callable[[argparse.Namespace], None], argparse.Namespace]:
    """Return a command and what was parsed for it."""
    command, words = argv[:1], argv[1:]
    if command == ["convert"]:
        return run_convert, parse_convert(words)
    if command == ["inspect"]:
        return _inspect, inspect_parser().parse_args(words)
    if command == ["benchmark"]:
        return _benchmark, benchmark_parser().parse_intermixed_args(words)
    if command == ["sweep"]:
        return _sweep, sweep_parser().parse_args(words)
    if command == ["page"]:
        return _page, page_parser().parse_intermixed_args(with_values([hyphenated(word) for word in words]))
    parser = overview_parser()
    parser.parse_args(argv)
    return parser.error("the command comes first")


def _inspect(arguments: argparse.Namespace) -> None:
    from tfjs_magic.model import load  # noqa: PLC0415 - imports numpy

    print_report(load(arguments.directory), None, as_json=arguments.json)


def _benchmark(arguments: argparse.Namespace) -> None:
    from tfjs_magic.commands.benchmark import run_benchmark  # noqa: PLC0415 - imports numpy

    run_benchmark(arguments)


def _sweep(arguments: argparse.Namespace) -> None:
    from tfjs_magic.commands.sweep import run_sweep  # noqa: PLC0415 - imports numpy

    run_sweep(arguments)


def _page(arguments: argparse.Namespace) -> None:
    from tfjs_magic.commands.page import make_page  # noqa: PLC0415 - imports numpy

    make_page(arguments)
