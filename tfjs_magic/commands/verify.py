"""``tfjs-magic convert --verify``: what was converted runs before it is written, and is compared with Python."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from tfjs_magic.artifacts import Artifacts
from tfjs_magic.bench.order_statistics import three_digits
from tfjs_magic.bench.state import Parity
from tfjs_magic.benchmarking import benchmark
from tfjs_magic.errors import OptionError, RunError, printable
from tfjs_magic.headless.driver import check_target
from tfjs_magic.headless.target import read_target
from tfjs_magic.options import NODE, NODE_BACKENDS, BenchmarkOptions

#: Where it runs if nothing is named.
DEFAULT_BROWSER = "chrome"
_FLAGS = {"browser": "--browser", "backends": "--backend", "tolerance": "--tolerance"}


def verify_options(arguments: argparse.Namespace) -> dict[str, Any] | None:
    """Return the options of ``benchmark`` that ``--verify`` means, checked before anything is converted; None without.

    Raises:
        OptionError: An option has a value that does not exist, or belongs to ``--verify``, which is not given.
        RunError: What it runs in is missing.
    """
    given = {name: getattr(arguments, name) for name in _FLAGS if getattr(arguments, name) is not None}
    if arguments.verify is None:
        if given:
            raise OptionError(f"{_FLAGS[next(iter(given))]} belongs to --verify, which is not given.")
        return None
    if arguments.verify == NODE:
        if "browser" in given:
            raise OptionError("--verify=node runs in no browser; leave --browser out.")
        given = {"browser": NODE, "backends": NODE_BACKENDS, **given}
        if missing := {*given["backends"]} - {*NODE_BACKENDS}:
            raise OptionError(f"--verify=node has no {min(missing)}; expected one of {', '.join(NODE_BACKENDS)}.")
    options = {"browser": DEFAULT_BROWSER, **given, "runs": 1, "warmup": 0, "samples": arguments.samples}
    BenchmarkOptions(**options)
    check_target(read_target(options["browser"]))
    return options


def verify(model: Artifacts, options: Mapping[str, Any]) -> list[str]:
    """Run a model and compare it with Python; return what is to be said though nothing failed.

    Raises:
        RunError: An output is not Python's, or nothing could be compared.
    """
    result = benchmark({model.report.name: model}, **options).result
    notes = []
    for row, ((_, backend), parity) in zip(result.summary, result.parity.items(), strict=True):
        if parity is None:
            raise RunError(f"verification on {backend} failed: {row['error'] or 'nothing was compared.'}")
        if parity["status"] == "reported":
            notes.append(f"{backend}: {_differences(parity)} The weights are quantized; --tolerance sets a bound.")
        elif parity["status"] != "passed":
            raise RunError(f"verification on {backend} failed: {_differences(parity)} {parity['note']}".strip())
    return notes


def _differences(parity: Parity) -> str:
    worst = max(
        parity["outputs"], key=lambda output: output["max_rel_error"] / (output["tolerance"] or 1), default=None
    )
    if worst is None:
        return ""
    error, tolerance = three_digits(worst["max_rel_error"]), three_digits(worst["tolerance"])
    bound = "" if parity["status"] == "reported" else f", allowed is {tolerance}"
    return f"output '{printable(worst['output'])}' differs by {error} of its largest value{bound}."
