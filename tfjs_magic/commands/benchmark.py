"""``tfjs-magic benchmark``: models in a browser that is opened for it."""

from __future__ import annotations

import argparse
from typing import Any

from tfjs_magic.bench.result import BenchmarkResult
from tfjs_magic.benchmarking import benchmark
from tfjs_magic.commands.gates import Gates
from tfjs_magic.commands.output import write
from tfjs_magic.errors import OptionError, RunError, printable
from tfjs_magic.flags import BENCHMARK
from tfjs_magic.options import DEFAULT_RUNS, BenchmarkOptions
from tfjs_magic.writers.staging import writable


def run_benchmark(arguments: argparse.Namespace) -> None:
    """Measure, print, write the page, and hold the numbers to the bounds.

    Raises:
        OptionError: An option has a value that does not exist; nothing was opened.
        SaveError: The page cannot be written there; likewise.
        TfjsMagicError: A model cannot be converted, or the browser does not start.
        RunError: A bound is broken, or something was not measured; what was is printed.
    """
    values = {row.argument: getattr(arguments, row.argument, None) for row in BENCHMARK}
    options: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
    BenchmarkOptions(**options)
    gates = _gates(arguments)
    gates.check_runs(options.get("runs", DEFAULT_RUNS))
    page = None if arguments.html is None else writable(arguments.html)
    result = benchmark([*arguments.models], **{"browser": "chrome", **options}).result
    write(result.to_json(indent=2) if arguments.json else repr(result))
    if arguments.profile and not arguments.json:
        for (model, backend), row in zip(result.parity, result.summary, strict=True):
            if not row["error"]:
                write(f"\n{printable(f'{model}, {backend}')}\n{result.profile(backend, model).result!r}")
    if page is not None:
        result.to_html(page)
        write(f"written to: {printable(str(page))}", error=True)
    if failures := gates.failures(result):
        raise RunError(" ".join(failures))


def _gates(arguments: argparse.Namespace) -> Gates:
    if arguments.max_ratio is not None and arguments.max_ratio_to is None:
        raise OptionError("--max-ratio belongs to --max-ratio-to, which is not given.")
    earlier = None if arguments.max_ratio_to is None else BenchmarkResult.from_json(arguments.max_ratio_to)
    ratio = {} if arguments.max_ratio is None else {"max_ratio": arguments.max_ratio}
    return Gates(max_median_ms=arguments.max_median_ms, earlier=earlier, **ratio)
