"""A benchmark as a page that needs no kernel: what Python knows of a model, for the page to compare with.

Source: js/src/solo/pageData.ts, which reads it.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array, Artifacts
from tfjs_magic.bench.contender import Contender, NotComparedError, contenders_of, run_by_xla
from tfjs_magic.bench.feeds import Feed
from tfjs_magic.bench.node_layers import node_layers
from tfjs_magic.bench.outputs import WIRE_DTYPES
from tfjs_magic.bench.pictures import picture_input
from tfjs_magic.options import BenchmarkOptions

VERSION = 1
#: Where the page finds the model.
MODEL_DIRECTORY = "model"
SAMPLES = "samples.bin"

#: Kinds of numpy's that are texts.
_TEXTS = "OSU"


class _Samples:
    """Collects arrays end to end."""

    def __init__(self) -> None:
        self.content = bytearray()

    def add(self, array: Array) -> dict[str, int]:
        data = array.tobytes()
        self.content += data
        return {"offset": len(self.content) - len(data), "nbytes": len(data)}


def page_data(model: Artifacts, options: BenchmarkOptions) -> tuple[dict[str, Any], bytes]:
    """Return what the page must know, as JSON holds it, and the content of ``samples.bin``.

    Args:
        model: What it runs.
        options: What is measured, and the samples.

    Raises:
        OptionError: The samples do not fit the model, or none can be drawn for it.
    """
    (contender,) = contenders_of({model.report.name: model}, options)
    feeds, inside = contender.what_runs()
    samples = _Samples()
    stored = [[_stored_input(name, array, samples) for name, array in feed.items()] for feed in feeds]
    try:
        reference, why = _reference(contender, samples), None
    except NotComparedError as error:
        reference, why = None, {"status": error.status, "note": error.note}
    data = {
        "version": VERSION,
        "label": contender.label,
        "format": model.format,
        "weight_nbytes": model.nbytes,
        "inputs": [info.name for info in model.inputs],
        "outputs": [info.name for info in model.outputs],
        "inside": "" if inside is None else inside.tensor,
        "compared": [{"feed": timed.feed, "feeds": [*timed.compared]} for timed in contender.timed],
        "series": [{"label": timed.label, "examples": timed.examples} for timed in contender.timed],
        "feeds": stored,
        "reference": reference,
        "not_compared": why,
        "quantized": contender.quantized,
        "tolerance": options.tolerance,
        "layers": dict(node_layers(model)) if model.format == "graph-model" else {},
        "backends": options.backends,
        "runs": options.runs,
        "min_time_ms": 1000 * options.min_time,
        "warmup": options.warmup,
        "seed": options.seed,
        "profile": options.profile,
        "picture": picture_input(contender, options),
        "shards": [*_shards(model)],
    }
    return data, bytes(samples.content)


def script_json(data: Mapping[str, Any]) -> str:
    """Return JSON for a script element: no name in it can end the element or begin another."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _reference(contender: Contender, samples: _Samples) -> dict[str, Any]:
    trial = contender.trial
    contender.check_reference(range(len(trial.feeds)))
    one_dnn = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1") != "0"
    by_xla = run_by_xla(contender.model, trial.feeds) if one_dnn and not contender.quantized else None
    return {
        "expected": _stored(trial.expected, samples),
        "by_xla": None if by_xla is None else _stored(by_xla, samples),
        "tensors": [*contender.compared_tensors(trial).items()],
        "note": trial.note,
        "one_dnn": one_dnn,
    }


def _stored(feeds: Sequence[Feed], samples: _Samples) -> list[list[dict[str, Any]]]:
    return [[_stored_output(name, np.asarray(array), samples) for name, array in feed.items()] for feed in feeds]


def _stored_output(name: str, array: Array, samples: _Samples) -> dict[str, Any]:
    row = {"name": name, "dtype": str(array.dtype), "kind": array.dtype.kind, "shape": list(array.shape)}
    if array.dtype.kind in _TEXTS:
        return {**row, "values": _texts(array), "bits": 32, "offset": 0, "nbytes": 0}
    wide, narrow = (np.complex128, np.complex64) if array.dtype.kind == "c" else (np.float64, np.float32)
    numbers = np.asarray(array, wide)
    with np.errstate(over="ignore"):
        is_narrow = np.array_equal(numbers, numbers.astype(narrow), equal_nan=True)
    part = samples.add(numbers.astype(narrow) if is_narrow else numbers)
    return {**row, "values": None, "bits": 32 if is_narrow else 64, **part}


def _stored_input(name: str, array: Array, samples: _Samples) -> dict[str, Any]:
    if array.dtype.kind in _TEXTS:
        row = {"name": name, "dtype": "string", "shape": list(array.shape), "values": _texts(array)}
        return {**row, "offset": 0, "nbytes": 0}
    dtype = next(label for label, layout in WIRE_DTYPES.items() if layout == array.dtype)
    part = samples.add(array.astype(WIRE_DTYPES[dtype], copy=False))
    return {"name": name, "dtype": dtype, "shape": list(array.shape), "values": None, **part}


def _texts(array: Array) -> list[str]:
    return [text.decode(errors="replace") if isinstance(text, bytes) else str(text) for text in array.flat]


def _shards(model: Artifacts) -> Any:
    for group in model.groups:
        for name, pieces in group.shards():
            checksum = nbytes = 0
            for piece in pieces:
                checksum = zlib.crc32(piece, checksum)
                nbytes += piece.nbytes
            path = f"{MODEL_DIRECTORY}/{name}"
            yield {"path": path, "encoding": "identity", "nbytes": nbytes, "crc32": checksum}
