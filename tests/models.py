"""Tiny Keras models that several tests share: seeded, and random in every weight, so that a mistake shows.

Every model ends at logits; batch norm statistics are random too. ``samples_of`` draws inputs in the valid range.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tfjs_magic.artifacts import Array, TensorInfo
from tfjs_magic.layers.functional import input_names, output_names
from tfjs_magic.sources.any_cpu import on_any_cpu

layers = keras.layers


def randomised(model: Any, seed: int = 0) -> Any:
    """Set every float weight of a built model at random, so that its outputs stay of order one; return the model."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if "float" not in str(variable.dtype):
            continue  # a seed, a counter
        shape = tuple(variable.shape)
        if "variance" in variable.name or variable.name == "gamma":
            value = rng.uniform(0.5, 1.5, shape)
        elif variable.name == "alpha":
            value = rng.uniform(0.1, 0.9, shape)
        else:
            fan_in = int(np.prod(shape[:-1])) if len(shape) > 1 else 4
            value = rng.normal(0, 1 / np.sqrt(max(fan_in, 1)), shape)
        variable.assign(value.astype(str(variable.dtype)))
    return model


def samples_of(inputs: Sequence[TensorInfo], seed: int = 0, *, batch: int = 2, unknown: int = 8) -> dict[str, Array]:
    """Draw one array per input: normal floats, or integers below the bound of the table that they index.

    Args:
        inputs: What the model takes.
        seed: Seeds the numbers; each input has its own stream.
        batch: Size of an unknown first dimension.
        unknown: Size of any other unknown dimension.
    """
    drawn = {}
    for info in inputs:
        rng = np.random.default_rng([seed, zlib.crc32(info.name.encode())])
        assert info.shape is not None
        first, *rest = info.shape
        shape = (first or batch, *(size or unknown for size in rest))
        if info.dtype == "float32" and info.upper_bound is not None:
            drawn[info.name] = rng.integers(0, info.upper_bound, shape).astype(np.float32)
        elif info.dtype == "int32":
            drawn[info.name] = rng.integers(0, info.upper_bound or 8, shape).astype(np.int32)
        else:
            drawn[info.name] = rng.normal(size=shape).astype(np.float32)
    return drawn


def keras_outputs(model: Any, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Run a Keras model for inference on named inputs; outputs under the user's names, as float32 or int32."""
    flat = [inputs[name].astype(str(t.dtype)) for name, t in zip(input_names(model), model.inputs, strict=True)]
    graph = getattr(model, "_functional", None) or model
    result = on_any_cpu(graph)(keras.tree.pack_sequence_as(graph._inputs_struct, flat), training=False)
    flat_result = keras.tree.flatten(result)
    narrow = [keras.ops.cast(one, "int32" if "int" in str(one.dtype) else "float32") for one in flat_result]
    return dict(zip(output_names(model), map(keras.ops.convert_to_numpy, narrow), strict=True))


def dense() -> Any:
    return randomised(
        keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(3)], name="dense_model")
    )


def conv_bn_relu() -> Any:
    x = inputs = keras.Input((9, 8, 3), name="image")
    x = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU(max_value=6)(layers.BatchNormalization()(x))
    x = layers.Conv2D(4, 1)(x)
    return randomised(keras.Model(inputs, layers.BatchNormalization(scale=False)(x), name="conv_bn_relu"))


def prelu() -> Any:
    x = inputs = keras.Input((5, 6, 3), name="image")
    x = layers.PReLU(shared_axes=[1, 2])(layers.Conv2D(4, 3)(x))
    return randomised(keras.Model(inputs, layers.PReLU()(layers.Conv2D(2, 2)(x)), name="prelu"))


def depthwise() -> Any:
    x = inputs = keras.Input((8, 8, 3), name="image")
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2, use_bias=False)(x)
    x = layers.ReLU(max_value=6)(layers.BatchNormalization()(x))
    return randomised(keras.Model(inputs, layers.DepthwiseConv2D(3, padding="same")(x), name="depthwise"))


def shared_weights() -> Any:
    """One Dense on both inputs; the order of its calls is not that in which their inputs exist."""
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    shared = layers.Dense(4, activation="tanh", name="shared")
    deep = shared(layers.Dense(4, name="before")(left))
    shallow = shared(right)
    deepest = shared(layers.Multiply()([deep, shallow]))
    joined = layers.Concatenate()([deep, shallow, deepest])
    return randomised(keras.Model([left, right], layers.Dense(2)(joined), name="shared_weights"))


def two_outputs() -> Any:
    inputs = keras.Input((6,), name="features")
    x = layers.Dense(8, activation="elu")(inputs)
    return randomised(
        keras.Model(inputs, [layers.Dense(3, name="kind")(x), layers.Dense(1, name="score")(x)], name="two_outputs")
    )


def two_inputs_two_outputs() -> Any:
    image, extra = keras.Input((6, 6, 1), name="image"), keras.Input((5,), name="extra")
    x = layers.Flatten()(layers.Conv2D(3, 3, activation="relu")(image))
    x = layers.Concatenate()([x, layers.Dense(4, activation="relu")(extra)])
    outputs = {"label": layers.Dense(4, name="label")(x), "area": layers.Dense(1, name="area")(x)}
    return randomised(keras.Model([image, extra], outputs, name="two_by_two"))


def small_cnn() -> Any:
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1), name="image"),
            layers.Rescaling(0.5, offset=-0.1),
            layers.Conv2D(4, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.Conv2D(6, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.3),
            layers.Dense(5),
        ],
        name="small_cnn",
    )
    return randomised(model)


def branched() -> Any:
    """Two branches of which a graph holds each value; a convolution that it computes with two other layers at once."""
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="tanh", name="first")(x)
    x = layers.Conv2D(4, 3, name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.Flatten(name="flat")(x)
    left = layers.Dense(5, activation="tanh", name="left")(x)
    right = layers.Dense(5, activation="tanh", name="right")(x)
    x = layers.Add(name="both")([left, right])
    return randomised(keras.Model(inputs, layers.Dense(3, activation="softmax", name="head")(x)))


def lstm_text() -> Any:
    """A masked text classifier; token 0 is padding."""
    x = tokens = keras.Input((7,), dtype="int32", name="tokens")
    x = layers.Embedding(11, 5, mask_zero=True)(x)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(x)
    x = layers.LSTM(3)(x)
    return randomised(keras.Model(tokens, layers.Dense(2)(x), name="lstm_text"))


def nested() -> Any:
    """Two nested models whose layers have the same names, one of them called twice."""
    twice = keras.Sequential([keras.Input((4,)), layers.Dense(4, activation="tanh", name="leaf")], name="twice")
    inner_in = keras.Input((4,))
    inner = keras.Model(inner_in, layers.Add()([layers.Dense(4, name="leaf")(inner_in), inner_in]), name="inner")
    inputs = keras.Input((4,), name="features")
    x = twice(inner(twice(inputs)))
    return randomised(keras.Model(inputs, layers.Dense(2, name="leaf")(x), name="nested"))
