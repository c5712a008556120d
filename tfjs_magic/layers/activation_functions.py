"""Activation functions: which tfjs has under what name, which are made of several layers, which are refused.

Source: Keras 3 ``keras/src/activations/activations.py``, tfjs-layers 4.22 ``dist/activations.js``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from tfjs_magic.layers.tfjs_layer import (
    TfjsLayer,
    TfjsLayers,
    activated,
    chain,
    clipped_relu,
    merge,
    multiplied,
    rescaled,
)

#: Keras activation → tfjs's name, where both compute the same.
TFJS_ACTIVATIONS: Mapping[str, str] = {
    "celu": "elu",
    "elu": "elu",
    "gelu": "gelu",
    "linear": "linear",
    "log_softmax": "log_softmax",
    "mish": "mish",
    "relu": "relu",
    "relu6": "relu6",
    "selu": "selu",
    "sigmoid": "sigmoid",
    "silu": "swish",
    "softmax": "softmax",
    "softplus": "softplus",
    "softsign": "softsign",
    "swish": "swish",
    "tanh": "tanh",
}


def relu_of(max_value: float | None, negative_slope: float, threshold: float) -> TfjsLayers:
    """Return ReLU with all options: x above the threshold, cut off at the maximum, − slope · relu(threshold − x)."""
    positive: TfjsLayers
    if threshold == 0:
        positive = (clipped_relu(max_value),)
    else:
        cut = () if max_value is None else (clipped_relu(max_value),)
        positive = chain(TfjsLayer("ThresholdedReLU", {"theta": threshold}), cut)
    if negative_slope == 0:
        return positive
    if threshold == 0 and max_value is None:
        return (TfjsLayer("LeakyReLU", {"alpha": negative_slope}),)
    negative = chain(rescaled(-1.0, threshold), clipped_relu(None), rescaled(-negative_slope))
    return merge("Add", positive, negative)


def hard_sigmoid() -> TfjsLayers:
    """Return relu6(x + 3) / 6; tfjs's own computes 0.2 x + 0.5."""
    return chain(rescaled(HARD_SIGMOID_SCALE), activated("hard_sigmoid"))


def gelu_by_tanh() -> TfjsLayers:
    """Return x (1 + tanh(√(2 / π) (x + 0.044715 x³))) / 2."""
    squared = TfjsLayer("Multiply", inputs=(0, 0))
    slope = (2 / math.pi) ** 0.5
    # √(2 / π) (x + 0.044715 x³) = x · (0.044715 √(2 / π) x² + √(2 / π))
    inner = merge("Multiply", 0, chain(squared, rescaled(0.044715 * slope, slope)))
    return merge("Multiply", 0, chain(inner, activated("tanh"), rescaled(0.5, 0.5)))


def _glu(channels: int) -> TfjsLayers:
    """Return the first half of the channels times the sigmoid of the other, each picked by a matrix of 0 and 1."""
    first, second = np.split(np.eye(channels, dtype=np.float32), 2, axis=1)
    return merge("Multiply", multiplied(first), chain(multiplied(second), activated("sigmoid")))


def celu(alpha: float) -> TfjsLayers:
    """Return max(x, 0) + min(α (exp(x / α) − 1), 0)."""
    return (activated("elu"),) if alpha == 1 else chain(rescaled(1 / alpha), activated("elu"), rescaled(alpha))


def elu(alpha: float) -> TfjsLayers:
    """Return ELU; tfjs has alpha = 1, so that another one becomes the slope of what is negative."""
    return chain(TfjsLayer("ELU", {"alpha": 1.0}), () if alpha == 1 else TfjsLayer("LeakyReLU", {"alpha": alpha}))


def hard_shrink(threshold: float) -> TfjsLayers:
    """Return x where |x| is above the threshold, else 0."""
    above = TfjsLayer("ThresholdedReLU", {"theta": threshold})
    return merge("Add", above, chain(rescaled(-1.0), above, rescaled(-1.0)))


def soft_shrink(threshold: float) -> TfjsLayers:
    """Return x moved towards 0 by the threshold, and 0 where that is not enough."""
    return merge(
        "Add",
        chain(rescaled(1.0, -threshold), clipped_relu(None)),
        chain(rescaled(-1.0, -threshold), clipped_relu(None), rescaled(-1.0)),
    )


def _sparse_sigmoid() -> TfjsLayers:
    return chain(rescaled(0.5, 0.5), clipped_relu(1.0))


def _sparse_plus() -> TfjsLayers:
    """Return ((x + 1) / 2)² between -1 and 1, x above."""
    squared = chain(_sparse_sigmoid(), TfjsLayer("Multiply", inputs=(0, 0)))
    return merge("Add", squared, chain(rescaled(1.0, -1.0), clipped_relu(None)))


#: x · scale goes into tfjs's hard sigmoid where x goes into Keras's: 0.2 · (5 / 6) = 1 / 6.
HARD_SIGMOID_SCALE = 5 / 6

#: Keras activation → the layers that compute it, given the channels that go in.
COMPOSED_ACTIVATIONS: Mapping[str, Callable[[int], TfjsLayers]] = {
    "glu": _glu,
    "hard_shrink": lambda _: hard_shrink(0.5),
    "hard_sigmoid": lambda _: hard_sigmoid(),
    "hard_silu": lambda _: merge("Multiply", 0, hard_sigmoid()),
    "hard_swish": lambda _: merge("Multiply", 0, hard_sigmoid()),
    "hard_tanh": lambda _: chain(rescaled(1.0, 1.0), clipped_relu(2.0), rescaled(1.0, -1.0)),
    "leaky_relu": lambda _: (TfjsLayer("LeakyReLU", {"alpha": 0.2}),),
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
