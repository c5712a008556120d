"""Activation functions: which tfjs has under what name, which are made of several layers, which are refused.

Layers read their option "activation" through :func:`with_activation` or :func:`plain_activation`.

Source: Keras 3 ``keras/src/activations/activations.py``, tfjs-layers 4.22 ``dist/activations.js``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfjs_magic.layers.keras_objects import is_builtin, is_keras_layer
from tfjs_magic.layers.mapping import FIX_SIZE, LayerMapping, LayerView, described
from tfjs_magic.layers.tfjs_functions import hard_sigmoid
from tfjs_magic.layers.tfjs_layer import (
    TfjsLayers,
    activated,
    chain,
    clipped_relu,
    merge,
    multiplied,
    rescaled,
    squared,
    tfjs,
)

#: Keras activation → tfjs's name, where both compute the same.
TFJS_ACTIVATIONS: Mapping[str, str] = {
    **{name: name for name in ("elu", "gelu", "linear", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid")},
    **{name: name for name in ("softmax", "softplus", "softsign", "swish", "tanh")},
    "celu": "elu",
    "silu": "swish",
}


def relu_of(max_value: float | None, negative_slope: float, threshold: float) -> TfjsLayers:
    """Return ReLU with all options: x above the threshold, cut off at the maximum, − slope · relu(threshold − x)."""
    positive = clipped_relu(max_value)
    if threshold != 0:
        positive = chain(thresholded(threshold), () if max_value is None else positive)
    if negative_slope == 0:
        return positive
    if threshold == 0 and max_value is None:
        return leaky_relu(negative_slope)
    negative = chain(rescaled(-1.0, threshold), clipped_relu(), rescaled(-negative_slope))
    return merge("Add", positive, negative)


def leaky_relu(negative_slope: float) -> TfjsLayers:
    """Return x, and x · slope where it is negative."""
    return tfjs("LeakyReLU", {"alpha": negative_slope})


def thresholded(threshold: float) -> TfjsLayers:
    """Return x where it is above the threshold, else 0."""
    return tfjs("ThresholdedReLU", {"theta": threshold})


def _hard_sigmoid_of_keras() -> TfjsLayers:
    """Return relu6(x + 3) / 6; tfjs's own computes 0.2 x + 0.5."""
    return chain(rescaled(HARD_SIGMOID_SCALE), activated("hard_sigmoid"))


def gelu_by_tanh() -> TfjsLayers:
    """Return x (1 + tanh(√(2 / π) (x + 0.044715 x³))) / 2."""
    slope = (2 / math.pi) ** 0.5
    # √(2 / π) (x + 0.044715 x³) = x · (0.044715 √(2 / π) x² + √(2 / π))
    inner = merge("Multiply", 0, chain(squared(), rescaled(0.044715 * slope, slope)))
    return merge("Multiply", 0, chain(inner, activated("tanh"), rescaled(0.5, 0.5)))


def _glu(channels: int) -> TfjsLayers:
    """Return the first half of the channels times the sigmoid of the other, each picked by a matrix of 0 and 1."""
    first, second = np.split(np.eye(channels, dtype=np.float32), 2, axis=1)
    return merge("Multiply", multiplied(first), chain(multiplied(second), activated("sigmoid")))


def celu(alpha: float) -> TfjsLayers:
    """Return max(x, 0) + min(α (exp(x / α) − 1), 0)."""
    return activated("elu") if alpha == 1 else chain(rescaled(1 / alpha), activated("elu"), rescaled(alpha))


def elu(alpha: float) -> TfjsLayers:
    """Return ELU; tfjs has alpha = 1, so that another one becomes the slope of what is negative."""
    return chain(tfjs("ELU", {"alpha": 1.0}), () if alpha == 1 else leaky_relu(alpha))


def hard_shrink(threshold: float) -> TfjsLayers:
    """Return x where |x| is above the threshold, else 0."""
    above = thresholded(threshold)
    return merge("Add", above, chain(rescaled(-1.0), above, rescaled(-1.0)))


def soft_shrink(threshold: float) -> TfjsLayers:
    """Return x moved towards 0 by the threshold, and 0 where that is not enough."""
    return merge(
        "Add",
        chain(rescaled(1.0, -threshold), clipped_relu()),
        chain(rescaled(-1.0, -threshold), clipped_relu(), rescaled(-1.0)),
    )


def _sparse_sigmoid() -> TfjsLayers:
    return chain(rescaled(0.5, 0.5), clipped_relu(1.0))


def _sparse_plus() -> TfjsLayers:
    """Return ((x + 1) / 2)² between -1 and 1, x above."""
    return merge("Add", chain(_sparse_sigmoid(), squared()), chain(rescaled(1.0, -1.0), clipped_relu()))


#: x · scale goes into tfjs's hard sigmoid where x goes into Keras's: 0.2 · (5 / 6) = 1 / 6.
HARD_SIGMOID_SCALE = 5 / 6

#: Keras activation → the layers that compute it, given the channels that go in.
COMPOSED_ACTIVATIONS: Mapping[str, Callable[[int], TfjsLayers]] = {
    "glu": _glu,
    "hard_shrink": lambda _: hard_shrink(0.5),
    "hard_sigmoid": lambda _: _hard_sigmoid_of_keras(),
    "hard_silu": lambda _: merge("Multiply", 0, _hard_sigmoid_of_keras()),
    "hard_swish": lambda _: merge("Multiply", 0, _hard_sigmoid_of_keras()),
    "hard_tanh": lambda _: chain(rescaled(1.0, 1.0), clipped_relu(2.0), rescaled(1.0, -1.0)),
    "leaky_relu": lambda _: leaky_relu(0.2),
    "log_sigmoid": lambda _: chain(rescaled(-1.0), activated("softplus"), rescaled(-1.0)),
    "soft_shrink": lambda _: soft_shrink(0.5),
    "sparse_plus": lambda _: _sparse_plus(),
    "sparse_sigmoid": lambda _: _sparse_sigmoid(),
    "tanh_shrink": lambda _: merge("Add", 0, chain(activated("tanh"), rescaled(-1.0))),
}

#: Why the others cannot be had.
OTHER_ACTIVATIONS: Mapping[str, str] = {
    "exp": "TF.js has no layer that takes powers of e without bound",
    "exponential": "TF.js has no layer that takes powers of e without bound",
    "sparsemax": "TF.js has no layer that sorts",
    "squareplus": "TF.js has no layer that takes square roots",
}


# ---------------------------------------------------------------------- the option of a layer


def with_activation(mapping: Callable[[LayerView, dict[str, Any]], TfjsLayers]) -> LayerMapping:
    """Hand the option "activation" to a mapping as tfjs reads it; where tfjs has it only as layers, they follow."""

    def mapped(view: LayerView) -> TfjsLayers:
        config, following = _activation(view)
        return chain(mapping(view, config), following)

    return mapped


def _activation(view: LayerView) -> tuple[dict[str, Any], TfjsLayers]:
    """Return the option as tfjs reads it, and the layers that follow."""
    serialized, function = view.value("activation"), getattr(view.layer, "activation", None)
    channels_first = getattr(view.layer, "data_format", None) == "channels_first"
    if is_keras_layer(function):
        following = view.wrapped(function, [call.of_activation() for call in view.calls])
    elif is_builtin(serialized, function) and serialized in COMPOSED_ACTIVATIONS:
        following = composed(view, serialized, view.made()[-1])  # Keras does not halve them for glu
    elif is_builtin(serialized, function) and channels_first and serialized in {"softmax", "log_softmax"}:
        following = activated(serialized)  # along the width, as Keras does
    else:
        return plain_activation(view, "activation", view.layer), ()
    return {"activation": "linear"}, following


def composed(view: LayerView, name: str, channels: int | None) -> TfjsLayers:
    """Return the layers of an activation in :data:`COMPOSED_ACTIVATIONS`."""
    if channels is None:
        return view.refuse("It has an unknown number of channels.", FIX_SIZE)
    if name == "glu" and channels % 2:
        return view.refuse(f"Its activation is 'glu', which cannot halve {channels} channels.")
    return COMPOSED_ACTIVATIONS[name](channels)


def plain_activation(view: LayerView, option: str, owner: Any) -> dict[str, Any]:
    """Return an activation that tfjs has under some name, or refuse it.

    Args:
        view: The layer.
        option: The option, which is also the attribute that holds the function.
        owner: Where the function hangs (an RNN has it on its cell).
    """
    serialized, function = view.value(option), getattr(owner, option, None)
    if function is hard_sigmoid:
        return {option: "hard_sigmoid"}
    # A user's own function called "relu" is serialised as "relu" too: only its module tells them apart.
    if not is_builtin(serialized, function):
        view.refuse(f"Its {option} is {described(serialized)}, which is no activation that TF.js knows.")
        return {}
    if (name := TFJS_ACTIVATIONS.get(serialized)) is None:
        why = OTHER_ACTIVATIONS.get(serialized, "TF.js has no such activation")
        view.refuse(f"Its {option} is '{serialized}', but {why}.")
        return {}
    return {option: name}
