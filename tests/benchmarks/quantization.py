"""Measure what quantization costs, and what the search finds, on networks that were trained.

Method. Four small networks (depthwise separable, convolutional, recurrent, a vision transformer) are trained in this
process, about a minute each, on the 1,797 digits that ship with scikit-learn, repeated to 32 x 32 pixels: random
weights prove nothing here. 1,400 digits train, the other 397 measure. Each network becomes a graph model

    official   by the official converter's codes for every kernel (official_codes=True)
    ours       by quantize="uint8"
    auto       by AutoQuantize, which sees the first 300 of the 397; the numbers are of the last 97

and runs in TensorFlow with the decoded weights. bytes: of all weights, relative to float32's. error: root mean squared
error of the logits, relative to them. top-1: share of digits with the same first class as in float32.

Run: pip install scikit-learn; python -m tests.benchmarks.quantization
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

import tfjs_magic
from tfjs_magic.quantization.runner import runner

SEEN = 300


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return all images, (1797, 32, 32, 1), in an order that is always the same, and their digits."""
    from sklearn.datasets import load_digits

    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    images = (found.images / 16).astype(np.float32)[order, ..., None]
    return images.repeat(4, 1).repeat(4, 2), found.target[order]


def networks() -> Iterator[tuple[Any, int]]:
    """Yield each network and its epochs; logits come out."""
    layers = keras.layers
    image = (32, 32, 1)

    def normalised(x: Any, layer: Any) -> Any:
        return layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(layer(x)))

    x = inputs = layers.Input(image)
    x = normalised(x, layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False))
    for channels, strides in ((32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        x = normalised(x, layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False))
        x = normalised(x, layers.Conv2D(channels, 1, use_bias=False))
    yield keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)), name="depthwise"), 12

    x = inputs = layers.Input(image)
    for channels in (16, 32, 64, 128):
        x = layers.MaxPooling2D()(normalised(x, layers.Conv2D(channels, 3, padding="same")))
    x = layers.Dense(128, activation="relu")(layers.Flatten()(x))
    yield keras.Model(inputs, layers.Dense(10)(x), name="convolutional"), 8

    inputs = layers.Input(image)
    x = layers.LSTM(128)(layers.Reshape((32, 32))(inputs))
    yield keras.Model(inputs, layers.Dense(10)(x), name="recurrent"), 12

    inputs = layers.Input(image)
    x = layers.Reshape((64, 48))(layers.Conv2D(48, 4, strides=4)(inputs))
    x = layers.Add()([x, layers.Embedding(64, 48)(np.arange(64)[None])])
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, 12)(y, y)])
        y = layers.Dense(192, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(48)(y)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    yield keras.Model(inputs, layers.Dense(10)(x), name="transformer"), 30


def main() -> None:
    """Print a row per network and way."""
    images, targets = digits()
    print(f"{'network':15} {'way':22} {'bytes':>6} {'error':>9} {'top-1':>7}")
    for network, epochs in networks():
        keras.utils.set_random_seed(0)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        network.compile(keras.optimizers.Adam(1e-3), loss)
        network.fit(images[:1400], targets[:1400], epochs=epochs, batch_size=32, verbose=0)
        held, unseen = images[1400 : 1400 + SEEN], images[1400 + SEEN :]
        exact = tfjs_magic.convert(network, format="graph")
        run, name = runner(exact), exact.inputs[0].name
        (want,) = run({}, {name: unseen})
        right = float(np.mean(want.argmax(-1) == targets[1400 + SEEN :]))
        print(f"{network.name:15} {'float32':22} {1:6.3f} {0:9.1e} {right:6.3f} of the labels")
        bounds = {"auto, max_error=0.01": {"max_error": 0.01}, "auto, min_top1=0.99": {"min_top1": 0.99}}
        ways: dict[str, dict[str, Any]] = {
            "float16": {"quantize": "float16"},
            "uint8, official": {"quantize": "uint8", "official_codes": True},
            "uint8, ours": {"quantize": "uint8"},
            **{way: {"quantize": tfjs_magic.AutoQuantize(samples=held, **bound)} for way, bound in bounds.items()},
        }
        for way, options in ways.items():
            web = tfjs_magic.convert(network, format="graph", **options)
            (have,) = run(web.weights, {name: unseen})
            error = float(np.linalg.norm(have - want) / np.linalg.norm(want))
            agree = float(np.mean(have.argmax(-1) == want.argmax(-1)))
            print(f"{network.name:15} {way:22} {web.nbytes / exact.nbytes:6.3f} {error:9.1e} {agree:6.3f}")


if __name__ == "__main__":
    main()
