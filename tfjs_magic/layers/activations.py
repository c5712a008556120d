"""Activations, as layers and as operations of ``keras.ops``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tfjs_magic.layers.activation_functions import (
    COMPOSED_ACTIVATIONS,
    TFJS_ACTIVATIONS,
    celu,
    composed,
    elu,
    gelu_by_tanh,
    hard_shrink,
    leaky_relu,
    relu_of,
    soft_shrink,
    thresholded,
    with_activation,
)
from tfjs_magic.layers.mapping import LayerMapping, LayerView
from tfjs_magic.layers.spatial import product
from tfjs_magic.layers.tfjs_layer import TfjsLayers, activated, chain, permuted, permuted_back, tfjs


def relu(view: LayerView) -> TfjsLayers:
    """Map ReLU; tfjs ignores slope and threshold there but has a layer of its own for each."""
    return relu_of(view.value("max_value"), view.value("negative_slope") or 0.0, view.value("threshold") or 0.0)


def prelu(view: LayerView) -> TfjsLayers:
    """Map PReLU; alpha has the shape of one sample, with 1 along the shared axes."""
    return tfjs("PReLU", view.keep("shared_axes") | view.parameters("alpha"), view.weights("alpha"))


def along_axes(name: str) -> LayerMapping:
    """Map softmax or its logarithm to an Activation: tfjs's Softmax layer would take an earlier layer's mask.

    tfjs has it along the last axis; others are moved there, and several made one.
    """

    def mapping(view: LayerView) -> TfjsLayers:
        shape, axis = view.sample(), view.value("axis")
        axes = sorted(one % (len(shape) + 1) for one in (axis if isinstance(axis, list) else [axis or 0]))
        if 0 in axes:
            return view.refuse(f"It has axis={axis}, which takes in the batch.")
        order = [*(one for one in range(1, len(shape) + 1) if one not in axes), *axes]
        moved = tuple(shape[one - 1] for one in order)
        if len(axes) == 1:
            return chain(permuted(order), activated(name), permuted_back(order))
        merged = view.reshaped(*moved[: -len(axes)], product(*moved[-len(axes) :]))
        return chain(permuted(order), merged, activated(name), view.reshaped(*moved), permuted_back(order))

    return mapping


def with_option(form: Callable[[float], TfjsLayers], option: str) -> LayerMapping:
    """Map an activation with one option."""
    return lambda view: form(view.value(option))


def without_options(name: str) -> LayerMapping:
    """Map an activation that has no options, or only such as are switched off."""
    if name in TFJS_ACTIVATIONS:
        return lambda _: activated(TFJS_ACTIVATIONS[name])
    return lambda view: composed(view, name, view.sample()[-1])


def glu(view: LayerView) -> TfjsLayers:
    """Map GLU along the last axis."""
    view.only("axis", -1, len(view.sample()), why="TF.js has it along the last axis only")
    return without_options("glu")(view)


def gelu(view: LayerView) -> TfjsLayers:
    """Map GELU, exact or by its approximation with tanh."""
    return gelu_by_tanh() if view.value("approximate") else activated("gelu")


def threshold(view: LayerView) -> TfjsLayers:
    """Map Threshold with 0 below the threshold."""
    view.only("default_value", 0, why="TF.js puts 0 where a value is too small")
    return thresholded(view.value("threshold"))


LAYERS: Mapping[str, LayerMapping] = {
    "Activation": with_activation(lambda _, activation: tfjs("Activation", activation)),
    "ReLU": relu,
    "LeakyReLU": with_option(leaky_relu, "negative_slope"),
    "PReLU": prelu,
    "ELU": with_option(elu, "alpha"),
    "Softmax": along_axes("softmax"),
}
#: Activations of which Keras makes no operation, or that of another name.
_NO_OPERATIONS = frozenset({"hard_swish", "linear", "mish", "swish"})
OPERATIONS: Mapping[str, LayerMapping] = {
    **{
        name.title().replace("_", ""): without_options(name)
        for name in sorted({*TFJS_ACTIVATIONS, *COMPOSED_ACTIVATIONS} - _NO_OPERATIONS)
    },
    "Celu": with_option(celu, "alpha"),
    "Elu": with_option(elu, "alpha"),
    "Gelu": gelu,
    "Glu": glu,
    "HardShrink": with_option(hard_shrink, "threshold"),
    "LeakyRelu": with_option(leaky_relu, "negative_slope"),
    "LogSoftmax": along_axes("log_softmax"),
    "ReLU": relu,
    "SoftShrink": with_option(soft_shrink, "threshold"),
    "Softmax": along_axes("softmax"),
    "Threshold": threshold,
}
