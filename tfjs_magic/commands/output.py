"""What a command prints: reports, sentences and steps."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfjs_magic.errors import printable
from tfjs_magic.flags import in_flags
from tfjs_magic.options import Progress

if TYPE_CHECKING:
    from tfjs_magic.artifacts import TensorInfo
    from tfjs_magic.model import TfjsModel


def progress() -> Progress | None:
    """Return what shows each step of a conversion, where somebody watches."""
    return _show_step if sys.stderr is not None and sys.stderr.isatty() else None


def _show_step(name: str) -> None:
    write(f"Converting: {name} …", error=True)


def print_report(model: TfjsModel, target: Path | None, *, as_json: bool) -> None:
    """Print what is known of a model, and where it was written."""
    if as_json:
        write(json.dumps(report_of(model, target), indent=2))
        return
    written = "" if target is None else f"\n  written to: {printable(str(target))}"
    write(in_flags(repr(model), command_line=True) + written)


def say(sentence: str) -> None:
    """Print a sentence for whoever watches."""
    write(f"tfjs-magic: {sentence}", error=True)


def write(text: str, *, error: bool = False) -> None:
    """Write a line, if somebody still listens: what was converted is no less written when a pipe has ended."""
    stream = sys.stderr if error else sys.stdout
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


def report_of(model: TfjsModel, target: Path | None) -> dict[str, Any]:
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
