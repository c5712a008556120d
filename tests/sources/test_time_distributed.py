"""TimeDistributed as a graph model, over any number of steps: Keras, run eagerly, is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from tests import models
from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tfjs_magic import convert
from tfjs_magic.sources.time_distributed import time_folded

layers = keras.layers
IMAGE, SENTENCE = (6, 6, 2), (4, 3)


@keras.saving.register_keras_serializable("tests")
class LessTheMean(keras.layers.Layer):
    """Mixes the samples of a batch, so that time cannot be folded into it."""

    def call(self, x: Any) -> Any:
        return x - 2 * keras.ops.mean(x, axis=0)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class _Clips(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="clips")
        self.each = layers.TimeDistributed(layers.Conv2D(3, 3))

    def call(self, clip: Any) -> Any:
        return self.each(clip)


def _on(shape: tuple[int | None, ...], *stack: Any, dtype: str = "float32") -> Any:
    x = inputs = keras.Input(shape, dtype=dtype, name="x")
    for layer in stack:
        x = layer(x)
    return models.randomised(keras.Model(inputs, x))


def _each(shape: tuple[int, ...], *stack: Any, dtype: str = "float32") -> Any:
    """Apply layers to each of an unknown number of steps."""
    inner = stack[0] if len(stack) == 1 else _on(shape, *stack, dtype=dtype)
    return _on((None, *shape), layers.TimeDistributed(inner), dtype=dtype)


def _doubled_within() -> Any:
    x = inputs = keras.Input(IMAGE)
    x = layers.BatchNormalization()(layers.Conv2D(3, 3)(x))
    return keras.Model(inputs, keras.ops.relu(x) * 2.0 + layers.Conv2D(3, 1)(x))


def _hierarchical() -> Any:
    """Words with a mask → sentence, sentences → text."""
    sentence = (layers.Embedding(9, 4, mask_zero=True), layers.Bidirectional(layers.GRU(3)))
    each = layers.TimeDistributed(_on((5,), *sentence, dtype="int32"))
    return _on((None, 5), each, layers.GRU(2), dtype="int32")


def _clips() -> Any:
    model = _Clips()
    model(np.zeros((1, 3, *IMAGE), np.float32))
    return models.randomised(model)


def _normalised_by_batch() -> Any:
    """Batch normalization that is told to train takes its statistics from the batch of one step."""
    x = inputs = keras.Input((4,))
    return keras.Model(inputs, layers.BatchNormalization()(x, training=True))


def _kernel_per_sample() -> Any:
    x = keras.Input((None, 4), batch_size=2, name="x")
    return models.randomised(keras.Model(x, layers.TimeDistributed(layers.EinsumDense("ab,abc->ac", (3,)))(x)))


def _reduced_within() -> Any:
    x = inputs = keras.Input((4,))
    return keras.Model(inputs, x - keras.ops.max(x, axis=0, keepdims=True))


FOLDED: dict[str, Callable[[], Any]] = {
    "Dense": lambda: _each((4,), layers.Dense(3, activation="relu")),
    "Dense-LeakyReLU": lambda: _each((4,), layers.Dense(3, activation=layers.LeakyReLU())),
    "EinsumDense": lambda: _each((4, 3), layers.EinsumDense("abc,cd->abd", (None, 2))),
    "Conv2D": lambda: _each(IMAGE, layers.Conv2D(3, 3, strides=2)),
    "MaxPooling2D": lambda: _each(IMAGE, layers.MaxPooling2D()),
    "GlobalAveragePooling2D": lambda: _each(IMAGE, layers.GlobalAveragePooling2D()),
    "BatchNormalization": lambda: _each(IMAGE, layers.BatchNormalization()),
    "LSTM": lambda: _each(SENTENCE, layers.LSTM(3)),
    "GRU-sequences": lambda: _each(SENTENCE, layers.GRU(3, return_sequences=True)),
    "Softmax": lambda: _each((4,), layers.Softmax()),
    "nested": lambda: _each(IMAGE, layers.Conv2D(3, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)),
    "operations": lambda: _each(IMAGE, _doubled_within()),
    "free-sides": lambda: _on((None, None, None, 2), layers.TimeDistributed(layers.Conv2D(3, 3, padding="same"))),
    "TimeDistributed": lambda: _each((3, 4), layers.TimeDistributed(layers.Dense(2))),
    "masked": lambda: _on(
        (None, 4), layers.Masking(), layers.TimeDistributed(layers.Dense(3)), layers.LSTM(2, return_sequences=True)
    ),
    "hierarchical": _hierarchical,
    "subclassed": _clips,
}
LOOPED: dict[str, Callable[[], Any]] = {
    "own-layer": lambda: _each((4,), LessTheMean()),
    "own-layer-nested": lambda: _each((4,), layers.Dense(3), LessTheMean()),
    "Softmax-over-the-batch": lambda: _each((4,), layers.Softmax(axis=0)),
    "own-activation": lambda: _each((4,), layers.Activation(lambda x: x - keras.ops.mean(x, axis=0))),
    "EinsumDense": _kernel_per_sample,
    "operation": lambda: _each((4,), _reduced_within()),
    "training": lambda: _each((4,), _normalised_by_batch()),
}


def _check(node: TfjsNode, model: Any, **options: Any) -> Any:
    """Convert to a graph model, and run it on two batches of unlike size and length."""
    web = convert(model, format="graph", **options)
    feeds = [models.samples_of(web.inputs, seed, batch=batch, unknown=n) for seed, batch, n in ((1, 2, 5), (2, 3, 4))]
    feeds.append(models.samples_of(web.inputs, 3, batch=2, unknown=5))
    assert web.reference is not None
    expected = [web.reference(feed) for feed in feeds]
    assert_telling(expected[0], expected[2])
    for backend in BACKENDS:
        for got, want in zip(node.run_each(web, feeds, backend), expected, strict=True):
            assert_matches(got, want)
    return web


@pytest.mark.parametrize("name", FOLDED)
def test_steps_become_samples(tfjs_node: TfjsNode, name: str) -> None:
    web = _check(tfjs_node, FOLDED[name]())
    assert ("LoopCond" in web.report.ops) == (name in {"masked", "hierarchical"})  # that of the layer behind it


@pytest.mark.parametrize("name", LOOPED)
def test_steps_whose_samples_influence_each_other_stay_apart(tfjs_node: TfjsNode, name: str) -> None:
    assert "LoopCond" in _check(tfjs_node, LOOPED[name]()).report.ops


@pytest.mark.parametrize("name", ["Conv2D", "LSTM", "own-layer"])
def test_steps_of_known_number(tfjs_node: TfjsNode, name: str) -> None:
    model = (FOLDED | LOOPED)[name]()
    shape = tuple(model.inputs[0].shape)
    web = _check(tfjs_node, model, inputs={"x": (None, 5, *shape[2:])})
    assert web.report.ops.get("_FusedConv2D", 0) == (name == "Conv2D")
    assert "LoopCond" not in web.report.ops


def test_the_model_stays_as_it_is() -> None:
    model = FOLDED["Conv2D"]()
    convert(model, format="graph")
    assert all("call" not in vars(layer) for layer in model.layers)
    with time_folded(model):
        assert all("call" not in vars(layer) for layer in model.layers)
