"""Activation functions: which tfjs has under what name, which are made of several layers, which are refused.

Source: Keras 3 ``keras/src/activations/activations.py``, tfjs-layers 4.22 ``dist/activations.js``.
"""

from __future__ import annotations

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
    """Give ReLU with all its options: x above the threshold, cut off at the maximum, − slope · relu(threshold − x)."""
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
    """Give relu6(x + 3) / 6; tfjs's own computes 0.2 x + 0.5."""
    return chain(rescaled(HARD_SIGMOID_SCALE), activated("hard_sigmoid"))


def _glu(channels: int) -> TfjsLayers:
    """Give the first half of the channels times the sigmoid of the other, each picked by a matrix of 0 and 1."""
    first, second = np.split(np.eye(channels, dtype=np.float32), 2, axis=1)
    return merge("Multiply", multiplied(first), chain(multiplied(second), activated("sigmoid")))


def _hard_shrink() -> TfjsLayers:
    above = TfjsLayer("ThresholdedReLU", {"theta": 0.5})
    return merge("Add", above, chain(rescaled(-1.0), above, rescaled(-1.0)))


def _soft_shrink() -> TfjsLayers:
    return merge(
        "Add",
        chain(rescaled(1.0, -0.5), clipped_relu(None)),
        chain(rescaled(-1.0, -0.5), clipped_relu(None), rescaled(-1.0)),
    )


def _sparse_sigmoid() -> TfjsLayers:
    return chain(rescaled(0.5, 0.5), clipped_relu(1.0))


def _sparse_plus() -> TfjsLayers:
    """Give ((x + 1) / 2)² between -1 and 1, x above."""
    squared = chain(_sparse_sigmoid(), TfjsLayer("Multiply", inputs=(0, 0)))
    return merge("Add", squared, chain(rescaled(1.0, -1.0), clipped_relu(None)))


#: x · scale goes into tfjs's hard sigmoid where x goes into Keras's: 0.2 · (5 / 6) = 1 / 6.
HARD_SIGMOID_SCALE = 5 / 6

#: Keras activation → the layers that compute it, given the channels that go in.
COMPOSED_ACTIVATIONS: Mapping[str, Callable[[int], TfjsLayers]] = {
    "glu": _glu,
    "hard_shrink": lambda _: _hard_shrink(),
    "hard_sigmoid": lambda _: hard_sigmoid(),
    "hard_silu": lambda _: merge("Multiply", 0, hard_sigmoid()),
    "hard_swish": lambda _: merge("Multiply", 0, hard_sigmoid()),
    "hard_tanh": lambda _: chain(rescaled(1.0, 1.0), clipped_relu(2.0), rescaled(1.0, -1.0)),
    "leaky_relu": lambda _: (TfjsLayer("LeakyReLU", {"alpha": 0.2}),),
    "log_sigmoid": lambda _: chain(rescaled(-1.0), activated("softplus"), rescaled(-1.0)),
    "soft_shrink": lambda _: _soft_shrink(),
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
