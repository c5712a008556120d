"""Measure how the time of a conversion grows with the model, as ratios to ResNet50's.

Method. All models are built in one process: n times Conv2D, BatchNormalization and ReLU; n transformer blocks; an LSTM
over n steps; each for n and 2 n, and Keras's ResNet50. They take turns, and the first turn is not counted. Time is the
processor's, which a loaded machine changes least; per model the median of the turns, and the least beside it. At most
ResNet50's time is to be

    200 × Conv + BatchNormalization 1.35, 48 transformer blocks 1.92, LSTM over 200 steps 0.96,

and twice the model at most 2.2 times the time. Run: python -m tests.benchmarks.conversion_growth [--turns 3]

Measured on a quiet machine: 2.7, 3.2 and 1.1, doubling in 2.0, 2.0 and 2.0. So growth is linear, and the ratios are
missed: ResNet50 itself, the measure, has become faster too. TensorFlow's tracing of Keras's layers is 0.55 of the time
of convolutions and blocks, and 0.6 of ResNet50's, of which 200 convolutions have 3.4 times the layers: 5,200 ops of
TensorFlow, one after the other in Python, 1.5 times all that ResNet50 takes. Of an LSTM, grappler takes a third.
Collections of all of Python's objects, which come in some turns and not in others and took a tenth to a quarter, wait
until a conversion is done (``tfjs_magic/collector.py``).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

#: Series → its length, and the ratio to ResNet50 that is the target.
SERIES = {"convolutions": (200, 1.35), "transformer blocks": (48, 1.92), "LSTM steps": (200, 0.96)}
MOST_GROWTH = 2.2


def main() -> int:
    """Measure every series and print the ratios; give 1 if a target was missed."""
    parser = argparse.ArgumentParser(description="Measure the growth of conversion.")
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    os.environ.update(CUDA_VISIBLE_DEVICES="-1", TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")
    lengths = [(name, n) for name, (length, _) in SERIES.items() for n in (length // 2, length)]
    models = {("ResNet50", 0): _resnet()} | {(name, n): _BUILD[name](n) for name, n in lengths}
    seconds: dict[tuple[str, int], list[float]] = {key: [] for key in models}
    for turn in range(arguments.turns + 1):
        for key, model in models.items():
            taken = _seconds(model)
            if turn:
                seconds[key].append(taken)
    median = {key: statistics.median(values) for key, values in seconds.items()}
    unit, met = median["ResNet50", 0], True
    print(f"ResNet50: {unit:.2f} s (least {min(seconds['ResNet50', 0]):.2f})")
    for name, (length, most) in SERIES.items():
        half, whole = median[name, length // 2], median[name, length]
        print(
            f"{length} {name}: {whole:.2f} s (least {min(seconds[name, length]):.2f}), "
            f"{whole / unit:.2f} of ResNet50's (at most {most}); "
            f"{whole / half:.2f} times the time of {length // 2} (at most {MOST_GROWTH})"
        )
        met = met and whole <= most * unit and whole <= MOST_GROWTH * half
    return 0 if met else 1


def _seconds(model: Any) -> float:
    from tfjs_magic import convert
    from tfjs_magic.layers.functional import input_names

    (name,) = input_names(model)
    start = time.process_time()
    convert(model, format="graph", inputs={name: (1, *model.inputs[0].shape[1:])})
    return time.process_time() - start


def _resnet() -> Any:
    import keras

    return keras.applications.ResNet50(weights=None, classifier_activation=None)


def _convolutions(n: int) -> Any:
    from keras import Input, Model, layers

    x = inputs = Input((16, 16, 8))
    for _ in range(n):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(x)))
    return Model(inputs, x)


def _blocks(n: int) -> Any:
    from keras import Input, Model, layers

    x = inputs = Input((16, 32))
    for _ in range(n):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 16)(x, x))
        x = layers.LayerNormalization()(x + layers.Dense(32)(layers.Dense(64, activation="gelu")(x)))
    return Model(inputs, x)


def _lstm(n: int) -> Any:
    from keras import Input, Model, layers

    inputs = Input((n, 8))
    return Model(inputs, layers.LSTM(16)(inputs))


_BUILD: dict[str, Callable[[int], Any]] = {
    "convolutions": _convolutions,
    "transformer blocks": _blocks,
    "LSTM steps": _lstm,
}

if __name__ == "__main__":
    sys.exit(main())
