"""Activations that are layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tfjs_magic.layers.activation_functions import elu, relu_of
from tfjs_magic.layers.mapping import LayerView
from tfjs_magic.layers.spatial import product
from tfjs_magic.layers.tfjs_layer import TfjsLayer, TfjsLayers, activated, chain, permuted


def relu(view: LayerView) -> TfjsLayers:
    """Map ReLU; tfjs ignores slope and threshold there but has a layer of its own for each."""
    return relu_of(view.value("max_value"), view.value("negative_slope") or 0.0, view.value("threshold") or 0.0)


def leaky_relu(view: LayerView) -> TfjsLayers:
    """Map LeakyReLU; the slope is called alpha in tfjs."""
    return (TfjsLayer("LeakyReLU", {"alpha": view.value("negative_slope")}),)


def prelu(view: LayerView) -> TfjsLayers:
    """Map PReLU; alpha has the shape of one sample, with 1 along the shared axes."""
    config = view.keep("shared_axes") | view.parameter("alpha")
    return (TfjsLayer("PReLU", config, view.weights("alpha")),)


def elu_of_alpha(view: LayerView) -> TfjsLayers:
    """Map ELU."""
    return elu(view.value("alpha"))


def softmax(view: LayerView) -> TfjsLayers:
    """Map Softmax to an Activation: tfjs's Softmax layer would take an earlier layer's mask.

    tfjs has it along the last axis; others are moved there, and several made one.
    """
    shape, axis = view.sample(), view.value("axis")
    axes = sorted(one % (len(shape) + 1) for one in (axis if isinstance(axis, list) else [axis]))
    if 0 in axes:
        view.refuse(f"It has axis={axis}, which is the batch.")
        return ()
    order = [*(one for one in range(1, len(shape) + 1) if one not in axes), *axes]
    moved = tuple(shape[one - 1] for one in order)
    back = permuted([order.index(one) + 1 for one in range(1, len(shape) + 1)])
    if len(axes) == 1:
        return chain(permuted(order), activated("softmax"), back)
    merged = view.reshaped(*moved[: -len(axes)], product(*moved[-len(axes) :]))
    return chain(permuted(order), merged, activated("softmax"), view.reshaped(*moved), back)


LAYERS: Mapping[str, Callable[[LayerView], TfjsLayers]] = {
    "ReLU": relu,
    "LeakyReLU": leaky_relu,
    "PReLU": prelu,
    "ELU": elu_of_alpha,
    "Softmax": softmax,
}
