"""``tfjs-magic page``: a page that runs a model in any browser."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tfjs_magic.flags import BENCHMARK, QUANTIZE, SOURCE, merged, with_bound
from tfjs_magic.model import TfjsModel, load
from tfjs_magic.options import BenchmarkOptions, Progress
from tfjs_magic.pipeline import convert
from tfjs_magic.sources.paths import kind_of
from tfjs_magic.writers.page import check_page_target


def make_page(arguments: argparse.Namespace, *, progress: Progress | None) -> Path:
    """Convert the source and write the page; return its absolute path.

    Raises:
        TfjsMagicError: The target is taken, an option does not fit, or the model cannot be converted.
    """
    options = _given(arguments, [row.argument for row in BENCHMARK])
    BenchmarkOptions(**options)
    single_file, overwrite = arguments.single_file, arguments.overwrite
    check_page_target(arguments.target, single_file=single_file, overwrite=overwrite)
    model = _converted(arguments, progress)
    return model.save_page(arguments.target, single_file=single_file, overwrite=overwrite, **options)


def _converted(arguments: argparse.Namespace, progress: Progress | None) -> TfjsModel:
    conversion = _given(arguments, [row.argument for row in (*SOURCE, QUANTIZE)] + ["format"])
    if not conversion and kind_of(arguments.source) == "TensorFlow.js model":
        return load(arguments.source)
    return convert(arguments.source, progress=progress, **with_bound(conversion, arguments.samples))


def _given(arguments: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    values = {name: getattr(arguments, name, None) for name in names}
    return {
        name: merged(v) if isinstance(v, list) and name in _REPEATED else v
        for name, v in values.items()
        if v is not None
    }


_REPEATED = {row.argument for row in (*SOURCE, QUANTIZE) if row.repeats}
