"""Convert Keras models and SavedModels to TensorFlow.js in a notebook, and benchmark them in its own browser.

``%load_ext tfjs_magic`` gives ``%%tfjs_convert`` and ``%tfjs_benchmark``; ``convert``, ``load`` and ``benchmark`` are
their Python twins. Importing this imports neither TensorFlow, Keras, numpy nor anywidget.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tfjs_magic._version import __version__
from tfjs_magic.errors import (
    ConversionError,
    OptionError,
    PassError,
    RunError,
    SaveError,
    TfjsMagicError,
    UnsupportedModelError,
    UnsupportedOpsError,
    WeightError,
)

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from tfjs_magic.bench.difference import Difference, compare
    from tfjs_magic.bench.result import BenchmarkResult
    from tfjs_magic.bench.side_by_side import side_by_side
    from tfjs_magic.bench.widget import Benchmark
    from tfjs_magic.benchmarking import benchmark
    from tfjs_magic.model import TfjsModel, load
    from tfjs_magic.options import AutoQuantize
    from tfjs_magic.pipeline import convert
    from tfjs_magic.quantizing import QuantizationReport, quantization_report
    from tfjs_magic.sweeping.run import sweep

__all__ = [
    "AutoQuantize",
    "Benchmark",
    "BenchmarkResult",
    "ConversionError",
    "Difference",
    "OptionError",
    "PassError",
    "QuantizationReport",
    "RunError",
    "SaveError",
    "TfjsMagicError",
    "TfjsModel",
    "UnsupportedModelError",
    "UnsupportedOpsError",
    "WeightError",
    "__version__",
    "benchmark",
    "compare",
    "convert",
    "load",
    "quantization_report",
    "side_by_side",
    "sweep",
]

_HOMES = {
    "AutoQuantize": "tfjs_magic.options",
    "Benchmark": "tfjs_magic.bench.widget",
    "BenchmarkResult": "tfjs_magic.bench.result",
    "Difference": "tfjs_magic.bench.difference",
    "QuantizationReport": "tfjs_magic.quantizing",
    "TfjsModel": "tfjs_magic.model",
    "benchmark": "tfjs_magic.benchmarking",
    "compare": "tfjs_magic.bench.difference",
    "convert": "tfjs_magic.pipeline",
    "load": "tfjs_magic.model",
    "quantization_report": "tfjs_magic.quantizing",
    "side_by_side": "tfjs_magic.bench.side_by_side",
    "sweep": "tfjs_magic.sweeping.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tfjs_magic' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics in the shell; ``%load_ext tfjs_magic`` calls this."""
    from tfjs_magic.magics import register  # noqa: PLC0415, TID251 - IPython's entry point

    register(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics away again; ``%unload_ext tfjs_magic`` calls this."""
    from tfjs_magic.magics import unregister  # noqa: PLC0415, TID251 - IPython's entry point

    unregister(shell)
