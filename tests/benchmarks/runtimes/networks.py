"""The networks that are compared: random weights, batch norm with the statistics of a batch, logits come out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

layers = keras.layers


class Positions(layers.Layer):  # type: ignore[misc]
    """Adds a learned vector to each place."""

    def __init__(self, length: int, depth: int) -> None:
        super().__init__()
        self.vectors = layers.Embedding(length, depth)
        self.length = length

    def build(self, _: Any) -> None:
        """Make the weights."""
        self.vectors.build(())
        self.built = True

    def call(self, x: Any) -> Any:
        """Add them."""
        return x + self.vectors(keras.ops.arange(self.length))


def encoder_block(x: Any, depth: int, heads: int, mask: Any = None) -> Any:
    """Return a transformer encoder's block that normalises last."""
    y = layers.MultiHeadAttention(heads, depth // heads)(x, x, attention_mask=mask)
    x = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([x, y]))
    y = layers.Dense(depth)(layers.Dense(4 * depth, activation="gelu")(x))
    return layers.LayerNormalization(epsilon=1e-6)(layers.Add()([x, y]))


def transformer() -> Any:
    """Two blocks over 128 tokens of 128 values, 4 heads."""
    tokens = keras.Input((128,), dtype="int32", name="x0")
    x = Positions(128, 128)(layers.Embedding(1000, 128)(tokens))
    for _ in range(2):
        x = encoder_block(x, 128, 4)
    return keras.Model(tokens, layers.Dense(4)(layers.GlobalAveragePooling1D()(x)))


def vit() -> Any:
    """Two blocks over 144 patches of a 96 × 96 picture."""
    image = keras.Input((96, 96, 3), name="x0")
    x = Positions(144, 128)(layers.Reshape((144, 128))(layers.Conv2D(128, 8, 8)(image)))
    for _ in range(2):
        x = encoder_block(x, 128, 4)
    return keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


def bert() -> Any:
    """Four blocks over 64 tokens of 256 values, some of them padding."""
    tokens = keras.Input((64,), dtype="int32", name="x0")
    there = keras.Input((64,), dtype="int32", name="x1")
    x = layers.LayerNormalization()(Positions(64, 256)(layers.Embedding(1000, 256)(tokens)))
    mask = layers.Lambda(lambda m: keras.ops.cast(m, "bool")[:, None, :], output_shape=(1, 64))(there)
    for _ in range(4):
        x = encoder_block(x, 256, 4, mask)
    first = layers.Lambda(lambda x: x[:, 0], output_shape=(256,))(x)
    return keras.Model([tokens, there], layers.Dense(256, activation="tanh")(first))


def gpt() -> Any:
    """Two decoder blocks over 64 vectors of 128 values, with GELU's approximation."""
    inputs = x = keras.Input((64, 128), name="x0")
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, 32)(y, y, use_causal_mask=True)])
        y = layers.Dense(512)(layers.LayerNormalization()(x))
        y = layers.Activation(lambda z: keras.ops.gelu(z, approximate=True))(y)
        x = layers.Add()([x, layers.Dense(128)(y)])
    return keras.Model(inputs, x)


def lstm() -> Any:
    """50 steps of 16 values, 64 units."""
    inputs = keras.Input((50, 16), name="x0")
    return keras.Model(inputs, layers.Dense(3)(layers.LSTM(64)(inputs)))


def gru() -> Any:
    """40 tokens, 48 units in each direction."""
    tokens = keras.Input((40,), dtype="int32", name="x0")
    x = layers.Bidirectional(layers.GRU(48))(layers.Embedding(500, 32)(tokens))
    return keras.Model(tokens, layers.Dense(3)(x))


def unet() -> Any:
    """128 × 128, with a transposed convolution and with upsampling."""

    def twice(x: Any, filters: int) -> Any:
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        return x

    image = keras.Input((128, 128, 3), name="x0")
    high = twice(image, 16)
    middle = twice(layers.MaxPooling2D()(high), 32)
    x = layers.Conv2DTranspose(32, 2, 2)(twice(layers.MaxPooling2D()(middle), 64))
    x = layers.UpSampling2D()(twice(layers.Concatenate()([x, middle]), 32))
    return keras.Model(image, layers.Conv2D(1, 1)(twice(layers.Concatenate()([x, high]), 16)))


def audio() -> Any:
    """Half a second of sound, Conv1D and batch norm."""
    samples = keras.Input((8000, 1), name="x0")
    x = layers.Conv1D(32, 80, 4)(samples)
    for filters in (32, 64, 128):
        x = layers.MaxPooling1D(4)(layers.ReLU()(layers.BatchNormalization()(x)))
        x = layers.Conv1D(filters, 3)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(samples, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


def application(name: str) -> Callable[[], Any]:
    """Return a builder of one of Keras's own networks for pictures of 224 × 224."""

    def network() -> Any:
        image = keras.Input((224, 224, 3), name="x0")
        return getattr(keras.applications, name)(weights=None, classifier_activation=None, input_tensor=image)

    return network


BUILDERS: dict[str, Callable[[], Any]] = {
    "transformer": transformer,
    "vit": vit,
    "bert": bert,
    "gpt": gpt,
    "lstm": lstm,
    "gru": gru,
    "unet": unet,
    "audio": audio,
}


def build(name: str) -> Any:
    """Build a network whose outputs depend on its input."""
    keras.utils.set_random_seed(0)
    model = BUILDERS.get(name, application(name))()
    rng = np.random.default_rng(1)
    gain = 2 if name not in BUILDERS or name in {"unet", "audio"} else 1
    for variable in model.weights:
        shape = tuple(variable.shape)
        if not str(variable.dtype).startswith("float"):
            continue
        if variable.name in {"gamma", "moving_variance"}:
            variable.assign(rng.uniform(0.7, 1.3, shape))
        elif variable.name in {"beta", "bias", "moving_mean"}:
            variable.assign(rng.normal(0, 0.2, shape))
        elif variable.name == "embeddings":
            variable.assign(rng.normal(0, 1, shape))
        elif len(shape) > 1 and name not in {"lstm", "gru"}:
            variable.assign(rng.normal(0, np.sqrt(gain / np.prod(shape[:-1])), shape))
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0  # one batch in training mode sets the statistics
    if norms:
        model([rng.uniform(-1, 1, (4, *one.shape[1:])).astype(np.float32) for one in model.inputs], training=True)
    return model


def samples(model: Any, seed: int) -> list[np.ndarray]:
    """Return an input each, batch 1."""
    rng = np.random.default_rng(seed)
    made = []
    for place, one in enumerate(model.inputs):
        shape = (1, *one.shape[1:])
        if str(one.dtype).startswith("float"):
            preprocesses = any(isinstance(layer, layers.Rescaling) for layer in model.layers)
            made.append((rng.uniform(0, 255, shape) if preprocesses else rng.uniform(-1, 1, shape)).astype(np.float32))
        elif place == 0:
            made.append(rng.integers(0, 500, shape).astype(np.int32))
        else:
            made.append((np.arange(shape[1])[None] < 40 + seed).astype(np.int32))
    return made
