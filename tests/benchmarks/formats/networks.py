"""Small networks, each of one kind of layer, that both formats can hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras

from tests.models import randomised

layers = keras.layers
IMAGE, SEQUENCE = (56, 56, 24), (50, 32)


def chain(shape: Sequence[int], *made: Any, dtype: str = "float32") -> Any:
    """Return one layer after the other, on data of one shape."""
    x = inputs = keras.Input(shape, name="x", dtype=dtype)
    for layer in made:
        x = layer(x)
    return randomised(keras.Model(inputs, x))


def attention() -> Any:
    """Two blocks of self-attention."""
    x = inputs = keras.Input(SEQUENCE, name="x")
    for _ in range(2):
        x = layers.Add()([x, layers.MultiHeadAttention(4, 8)(x, x)])
    return randomised(keras.Model(inputs, x))


def conv(**options: Any) -> Any:
    """Return a convolution that keeps the size."""
    return layers.Conv2D(24, 3, padding="same", **options)


def norm_relu() -> list[Any]:
    """Return what follows a convolution."""
    return [layers.BatchNormalization(), layers.ReLU()]


#: Kind, as tfjs_magic/layers/format_speed.py has it → a network.
NETWORKS: dict[str, Callable[[], Any]] = {
    "LSTM": lambda: chain(SEQUENCE, layers.LSTM(64)),
    "GRU": lambda: chain(SEQUENCE, layers.GRU(64, reset_after=False)),
    "SimpleRNN": lambda: chain(SEQUENCE, layers.SimpleRNN(64)),
    "Bidirectional LSTM": lambda: chain(SEQUENCE, layers.Bidirectional(layers.LSTM(64))),
    "Conv2D": lambda: chain(IMAGE, *(conv(activation="relu") for _ in range(5))),
    "Conv2D with BatchNormalization": lambda: chain(IMAGE, *(one for _ in range(5) for one in (conv(), *norm_relu()))),
    "DepthwiseConv2D": lambda: chain(IMAGE, *(layers.DepthwiseConv2D(3, activation="relu") for _ in range(5))),
    "DepthwiseConv2D with BatchNormalization": lambda: chain(
        IMAGE, *(one for _ in range(5) for one in (layers.DepthwiseConv2D(3), *norm_relu()))
    ),
    "SeparableConv2D": lambda: chain(IMAGE, *(layers.SeparableConv2D(24, 3, activation="relu") for _ in range(5))),
    "Conv1D": lambda: chain((2000, 16), *(layers.Conv1D(32, 5, activation="relu") for _ in range(4))),
    "Conv1D with BatchNormalization": lambda: chain(
        (2000, 16), *(one for _ in range(4) for one in (layers.Conv1D(32, 5), *norm_relu()))
    ),
    "Conv2DTranspose": lambda: chain((14, 14, 32), layers.Conv2DTranspose(32, 3, 2), layers.Conv2DTranspose(16, 3, 2)),
    "UpSampling2D": lambda: chain((14, 14, 32), layers.UpSampling2D(), conv(), layers.UpSampling2D(), conv()),
    "Dense": lambda: chain((256,), *(layers.Dense(256, activation="relu") for _ in range(6))),
    "LayerNormalization": lambda: chain(SEQUENCE, *(layers.LayerNormalization() for _ in range(6))),
    "MultiHeadAttention": attention,
    "Embedding": lambda: chain(
        (50,), layers.Embedding(1000, 32), layers.GlobalAveragePooling1D(), layers.Dense(16), dtype="int32"
    ),
}
