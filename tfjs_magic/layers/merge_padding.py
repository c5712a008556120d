"""Let convolutions add the zeros that a ZeroPadding2D before them adds, where that is tfjs's "same" padding.

Given:   ZeroPadding2D, then a convolution with padding "valid"
Result:  the convolution with padding "same"; the padding hands its input on. Nothing that is trained changes
Refuses: data of unknown size, other zeros than "same" adds, dilation, channels first, a padding that others read, too
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.layers.functional import Call, MappedModel, TensorRef
from tfjs_magic.layers.spatial import same_pads
from tfjs_magic.layers.tfjs_layer import TfjsLayer

_CONVOLUTIONS = frozenset({"Conv2D", "DepthwiseConv2D", "SeparableConv2D"})
_MERGED = "it is merged into the layer after it"


def merge_padding(model: MappedModel) -> MappedModel:
    """Merge what can be merged, in nested models too."""
    layers, gone = dict(model.layers), dict(model.gone)
    for call in model.graph.calls:
        if call.kind != "layer" or not layers[id(call.layer)]:
            continue
        first, *others = layers[id(call.layer)]
        padding = _padding_before(model, call, first)
        if padding is not None and _is_same(padding, layers[id(padding.layer)][0], first):
            layers[id(call.layer)] = (dataclasses.replace(first, config={**first.config, "padding": "same"}), *others)
            layers[id(padding.layer)] = ()
            gone[id(padding.layer)] = _MERGED
    models = {key: merge_padding(inner) for key, inner in model.models.items()}
    return dataclasses.replace(model, layers=layers, models=models, gone=gone)


def _padding_before(model: MappedModel, call: Call, first: TfjsLayer) -> Call | None:
    """Return the call of the padding that only this call of a convolution reads."""
    config = first.config
    plain = config.get("padding") == "valid" and config.get("data_format") == "channels_last"
    if first.class_name not in _CONVOLUTIONS or not plain or max(config.get("dilation_rate") or [1]) > 1:
        return None
    graph, (ref,) = model.graph, call.inputs
    padding = graph.calls[ref.call]
    made = model.layers.get(id(padding.layer), ())
    if [layer.class_name for layer in made] != ["ZeroPadding2D"] or len(graph.calls_of(call.layer)) > 1:
        return None
    return padding if len(graph.calls_of(padding.layer)) == 1 and graph.reads(TensorRef(*ref)) == 1 else None


def _is_same(padding: Call, zeros: TfjsLayer, convolution: TfjsLayer) -> bool:
    """Tell whether "same" adds just these zeros."""
    config = convolution.config
    sides = zip(padding.shapes.inputs[0][1:3], config["kernel_size"], config["strides"], strict=True)
    # "same" with strides beyond the kernel underflows on wasm.
    return zeros.config["data_format"] == "channels_last" and all(
        size is not None and stride <= window and list(same_pads(size, window, stride)) == list(pads)
        for (size, window, stride), pads in zip(sides, zeros.config["padding"], strict=True)
    )
