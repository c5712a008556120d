"""Which format is faster, kind of layer by kind of layer, as measured; nothing is said of other kinds."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping

from tfjs_magic.layers.functional import MappedModel

#: Kind → time of a graph model divided by that of the layers model, on wasm with one thread, batch 1: medians of
#: ``python -m tests.benchmarks.formats``, which says how it measures; TF.js 4.22, Node 20.
MEASURED: Mapping[str, float] = {
    "LSTM": 1.15,
    "GRU": 0.66,
    "SimpleRNN": 0.62,
    "Bidirectional LSTM": 1.12,
    "Conv2D": 0.95,
    "Conv2D with BatchNormalization": 0.68,
    "DepthwiseConv2D": 0.54,
    "DepthwiseConv2D with BatchNormalization": 0.26,
    "SeparableConv2D": 0.67,
    "Conv1D": 0.86,
    "Conv1D with BatchNormalization": 0.55,
    "Conv2DTranspose": 1.0,
    "LayerNormalization": 0.18,
}
_WITH_NORM = " with BatchNormalization"
_MOST_KINDS = 3


def format_speed(root: MappedModel) -> str:
    """Say how long the layers of a model, by kind, take as a graph model; "" where none was measured."""
    counts = collections.Counter(_kinds(root))
    found = [kind for kind, _ in counts.most_common() if kind in MEASURED][:_MOST_KINDS]
    if not found:
        return ""
    times = ", ".join(f"{MEASURED[kind]:.2f} for {kind}" for kind in found)
    return f"A graph model (format='graph') takes of a layers model's time, measured on wasm: {times}."


def _kinds(root: MappedModel) -> Iterator[str]:
    """Yield the kind of each call of a layer that is one layer in tfjs, too."""
    for model in root.walk():
        normalised = {
            id(model.graph.calls[call.inputs[0].call].layer)
            for call in model.graph.calls
            if type(call.layer).__name__ == "BatchNormalization" and model.layers[id(call.layer)]
        }
        for call in model.graph.calls:
            if len(model.layers.get(id(call.layer), ())) == 1:
                kind, inner = type(call.layer).__name__, getattr(call.layer, "forward_layer", None)
                kind += f" {type(inner).__name__}" if inner is not None else ""
                yield kind + (_WITH_NORM if id(call.layer) in normalised else "")
