"""``tfjs-magic page``: a page that runs a model in any browser."""

from __future__ import annotations

import argparse
import json
from typing import Any

from tfjs_magic.commands.output import progress, write
from tfjs_magic.errors import printable
from tfjs_magic.flags import BENCHMARK, BOUND, QUANTIZE, RESULT, SOURCE, merged, with_bound
from tfjs_magic.model import TfjsModel, load
from tfjs_magic.options import BenchmarkOptions
from tfjs_magic.pipeline import convert
from tfjs_magic.sources.paths import kind_of
from tfjs_magic.writers.page import check_page_target


def make_page(arguments: argparse.Namespace) -> None:
    """Convert the source, write the page, and say where.

    Raises:
        TfjsMagicError: The target is taken, an option does not fit, or the model cannot be converted.
    """
    options = _given(arguments, [row.argument for row in BENCHMARK])
    BenchmarkOptions(**options)
    single_file, overwrite = arguments.single_file, arguments.overwrite
    check_page_target(arguments.place, single_file=single_file, overwrite=overwrite)
    model = _converted(arguments)
    target = model.save_page(arguments.place, single_file=single_file, overwrite=overwrite, **options)
    write(json.dumps({"page": str(target)}) if arguments.json else f"written to: {printable(str(target))}")


def _converted(arguments: argparse.Namespace) -> TfjsModel:
    conversion = _given(arguments, [row.argument for row in _CONVERSION] + ["format"])
    if not conversion and kind_of(arguments.source) == "TensorFlow.js model":
        return load(arguments.source)
    return convert(arguments.source, progress=progress(), **with_bound(conversion, arguments.samples))


def _given(arguments: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    values = {name: getattr(arguments, name, None) for name in names}
    return {
        name: merged(v) if isinstance(v, list) and name in _REPEATED else v
        for name, v in values.items()
        if v is not None
    }


_CONVERSION = (*SOURCE, QUANTIZE, *RESULT, *BOUND)
_REPEATED = {row.argument for row in _CONVERSION if row.repeats}
