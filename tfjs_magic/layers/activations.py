"""Activations that are layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tfjs_magic.layers.mapping import LayerView
from tfjs_magic.layers.tfjs_layer import TfjsLayer, TfjsLayers


def relu(view: LayerView) -> TfjsLayers:
    """Map ReLU; tfjs ignores slope and threshold there but has a layer of its own for each."""
    max_value, slope, threshold = (view.value(option) for option in ("max_value", "negative_slope", "threshold"))
    slope, threshold = slope or 0.0, threshold or 0.0
    if slope == 0 and threshold == 0:
        return (TfjsLayer("ReLU", {} if max_value is None else {"max_value": max_value}),)
    if slope != 0 and threshold == 0 and max_value is None:
        return (TfjsLayer("LeakyReLU", {"alpha": slope}),)
    if slope == 0 and threshold != 0 and max_value is None:
        return (TfjsLayer("ThresholdedReLU", {"theta": threshold}),)
    view.refuse(
        f"It has max_value={max_value}, negative_slope={slope} and threshold={threshold}; "
        "TF.js has no layer with two of these at once."
    )
    return ()


def leaky_relu(view: LayerView) -> TfjsLayers:
    """Map LeakyReLU; the slope is called alpha in tfjs."""
    return (TfjsLayer("LeakyReLU", {"alpha": view.value("negative_slope")}),)


def prelu(view: LayerView) -> TfjsLayers:
    """Map PReLU; alpha has the shape of one sample, with 1 along the shared axes."""
    config = view.keep("shared_axes") | view.parameter("alpha")
    return (TfjsLayer("PReLU", config, view.weights("alpha")),)


def elu(view: LayerView) -> TfjsLayers:
    """Map ELU."""
    view.only("alpha", 1, why="TF.js has ELU only with alpha=1")
    return (TfjsLayer("ELU", {"alpha": 1.0}),)


def softmax(view: LayerView) -> TfjsLayers:
    """Map Softmax over the last axis to an Activation: tfjs's Softmax layer would take an earlier layer's mask."""
    ranks = {len(call.inputs[0]) for call in view.calls}
    axis = view.value("axis")
    axes = axis if isinstance(axis, list) else [axis]
    if any(axis not in (-1, rank - 1) for rank in ranks for axis in axes):
        view.refuse(f"It has axis={axis}, but TF.js has softmax only along the last axis.")
    return (TfjsLayer("Activation", {"activation": "softmax"}),)


LAYERS: Mapping[str, Callable[[LayerView], TfjsLayers]] = {
    "ReLU": relu,
    "LeakyReLU": leaky_relu,
    "PReLU": prelu,
    "ELU": elu,
    "Softmax": softmax,
}
