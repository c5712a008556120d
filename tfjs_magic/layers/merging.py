"""Layers with several inputs, and the operation that joins them."""

from __future__ import annotations

from collections.abc import Mapping

from tfjs_magic.artifacts import Dims
from tfjs_magic.layers.mapping import LayerMapping, LayerView
from tfjs_magic.layers.tfjs_layer import TfjsLayers, subtracted, tfjs

#: tfjs's batchDot throws for tensors of a higher rank.
_MAX_DOT_RANK = 3


def elementwise(class_name: str) -> LayerMapping:
    """Map a merge that works element by element; both sides broadcast alike."""

    def mapping(view: LayerView) -> TfjsLayers:
        _refuse_single_input(view)
        return tfjs(class_name)

    return mapping


def concatenate(view: LayerView) -> TfjsLayers:
    """Map Concatenate; the axis is counted from the front, since tfjs takes every negative one for the last.

    tfjs compares the other dimensions and takes an unknown one for unlike a known one.
    """
    view.takes_integers()
    _refuse_single_input(view)
    axis = view.value("axis")
    positions = {axis % len(call.inputs[0]) for call in view.calls}
    if axis < 0 and len(positions) > 1:
        view.refuse(f"It is shared by calls with different ranks; in TF.js axis={axis} cannot fit both.")
    for call in view.calls:
        position = axis % len(call.inputs[0])
        if position == 0:
            view.refuse("It concatenates along the batch axis, which TF.js has not.")
        if len({_without(shape, position) for shape in call.inputs}) > 1:
            view.refuse(f"It joins shapes {call.inputs}; TF.js wants the other dimensions known alike.")
        if len(set(call.input_dtypes)) > 1:
            view.refuse(f"It joins dtypes {sorted(set(call.input_dtypes))}; TF.js wants one.")
    return tfjs("Concatenate", {"axis": min(positions)})


def dot(view: LayerView) -> TfjsLayers:
    """Map Dot; axes are counted from the front, since tfjs computes wrong shapes from negative ones."""
    axes = view.value("axes")
    pair = axes if isinstance(axes, list) else [axes, axes]
    found = {tuple(axis % len(shape) for axis, shape in zip(pair, call.inputs, strict=True)) for call in view.calls}
    ranks = {len(shape) for call in view.calls for shape in call.inputs}
    if max(ranks) > _MAX_DOT_RANK or len(ranks) > 1:
        view.refuse(
            f"It is called on tensors of rank {sorted(ranks)}; TF.js has it for two of rank 2 or two of rank 3."
        )
    if len(found) > 1:
        view.refuse(f"It is shared by calls with different ranks; in TF.js axes={axes} cannot fit both.")
    if any(0 in one for one in found):
        view.refuse(f"It has axes={axes}, which contracts the batch axis; TF.js has not that.")
    return tfjs("Dot", {"axes": list(min(found)), "normalize": view.value("normalize")})


def _refuse_single_input(view: LayerView) -> None:
    if any(len(call.inputs) < 2 for call in view.calls):
        view.refuse("It is called on a single tensor; TF.js wants at least two.", "Leave the layer out.")


def _without(shape: Dims, position: int) -> Dims:
    return shape[:position] + shape[position + 1 :]


LAYERS: Mapping[str, LayerMapping] = {
    "Add": elementwise("Add"),
    "Average": elementwise("Average"),
    "Maximum": elementwise("Maximum"),
    "Minimum": elementwise("Minimum"),
    "Multiply": elementwise("Multiply"),
    "Subtract": lambda _: subtracted(),
    "Concatenate": concatenate,
    "Dot": dot,
}
OPERATIONS: Mapping[str, LayerMapping] = {
    "Concatenate": concatenate,
}
