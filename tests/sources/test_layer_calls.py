"""Every tensor that is said to be the output of a layer holds what Keras's layer gives; others are named as missing."""

from __future__ import annotations

import threading
from typing import Any

import keras
import numpy as np
import pytest

import tfjs_magic
from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.inner_outputs import actual_layers, expected_layers, held_layers
from tests.models import randomised, samples_of
from tfjs_magic.sources.layer_calls import layer_calls

layers = keras.layers


def _conv_bias_norm_relu() -> Any:
    x = inputs = keras.Input((8, 8, 3))
    for number in range(2):
        x = layers.Conv2D(4, 3, name=f"conv_{number}")(x)
        x = layers.BatchNormalization(name=f"norm_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
    x = layers.Conv2D(4, 1, use_bias=False, name="linear")(x)
    x = layers.BatchNormalization(name="linear_norm")(x)
    return keras.Model(inputs, layers.Dense(3, name="head")(layers.Flatten(name="flat")(x)))


def _norm_twice() -> Any:
    x = inputs = keras.Input((8, 8, 3))
    y = layers.Conv2D(4, 3, use_bias=False, name="conv")(x)
    z = layers.BatchNormalization(name="norm")(y)
    return keras.Model(inputs, [layers.ReLU(name="relu")(z), layers.BatchNormalization(name="again")(z)])


def _conv_also_used() -> Any:
    inputs = keras.Input((8, 8, 3))
    y = layers.Conv2D(4, 3, name="conv")(inputs)
    return keras.Model(inputs, layers.Add(name="sum")([layers.BatchNormalization(name="norm")(y), y]))


def _residual() -> Any:
    inputs = keras.Input((6,))
    x = layers.Dense(6, activation="relu", name="first")(inputs)
    x = layers.Dropout(0.5, name="drop")(x)
    y = layers.Dense(6, name="second")(x)
    return keras.Model(inputs, layers.Dense(2, name="head")(layers.Add(name="add")([x, y])))


def _constants() -> Any:
    """Grappler moves one constant past the other here."""
    x = inputs = keras.Input((6,))
    for number in range(3):
        x = layers.Rescaling(0.5 + number, offset=number, name=f"scale_{number}")(x)
    x = x + 1.5
    x = x + 2.5
    x = 2.0 * x
    return keras.Model(inputs, layers.Dense(2, name="head")(x * 3.0))


def _nested() -> Any:
    inner_in = keras.Input((6,))
    inner_x = layers.Dense(5, activation="tanh", name="dense")(inner_in)
    inner = keras.Model(inner_in, layers.Dense(6, name="out")(inner_x), name="encoder")
    inputs = keras.Input((6,))
    x = layers.Dense(6, name="dense_outside")(inputs)
    return keras.Model(inputs, layers.Dense(2, name="head")(inner(x)))


def _shared() -> Any:
    one, other = keras.Input((6,), name="one"), keras.Input((6,), name="other")
    shared = layers.Dense(4, activation="relu", name="shared")
    merged = layers.Concatenate(name="both")([shared(one), shared(other)])
    return keras.Model([one, other], layers.Dense(2, name="head")(merged))


def _recurrent() -> Any:
    x = inputs = keras.Input((5, 3))
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="both_ways")(x)
    x = layers.GRU(4, return_sequences=True, name="gru")(x)
    x = layers.SimpleRNN(4, name="simple")(x)
    return keras.Model(inputs, layers.Dense(2, name="head")(x))


def _loops() -> Any:
    x = inputs = keras.Input((None, 3))
    x = layers.LSTM(4, return_sequences=True, name="lstm")(x)
    x = layers.TimeDistributed(layers.Dense(3), name="each")(x)
    return keras.Model(inputs, layers.GlobalAveragePooling1D(name="mean")(x))


def _attention() -> Any:
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(12, 8, name="embedding")(inputs)
    x = layers.MultiHeadAttention(2, 4, name="attention")(x, x) + x
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.Dense(8, activation="gelu", name="wide")(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="head")(x[:, 0]))


class Block(layers.Layer):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.first = layers.Dense(6, activation="relu", name="first")
        self.second = layers.Dense(6, name="second")

    def call(self, x: Any) -> Any:
        """Add what two layers compute."""
        return x + self.second(self.first(x))


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = [Block(name=f"block_{i}") for i in range(2)]
        self.head = layers.Dense(2, name="head")

    def call(self, x: Any) -> Any:
        """Run the blocks."""
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def _subclassed() -> Any:
    model = Subclassed()
    model(np.zeros((1, 6), np.float32))
    return model


MODELS = [
    _conv_bias_norm_relu,
    _norm_twice,
    _conv_also_used,
    _residual,
    _constants,
    _nested,
    _shared,
    _recurrent,
    _loops,
    _attention,
    _subclassed,
]


@pytest.mark.parametrize("make", MODELS)
def test_what_a_node_is_said_to_hold_is_the_output_of_the_layer(make: Any, tfjs_node: TfjsNode) -> None:
    model = tfjs_magic.convert(randomised(make()), format="graph")
    feed = samples_of(model.inputs)
    expected = expected_layers(model, feed)
    held = held_layers(model)
    assert [layer.label for layer in model.layers] == list(expected)
    assert held
    assert_matches(actual_layers(tfjs_node, model, feed), {label: expected[label] for label in held})


@pytest.mark.parametrize("make", [_conv_bias_norm_relu, _residual, _constants, _attention, _norm_twice])
def test_a_tfjs_layer_is_said_to_give_the_output_of_its_layer(make: Any, tfjs_node: TfjsNode) -> None:
    model = tfjs_magic.convert(randomised(make()), format="layers")
    feed = samples_of(model.inputs)
    expected = expected_layers(model, feed)
    assert all(layer.tensor for layer in model.layers)
    assert {layer.label for layer in model.layers} == set(expected)
    actual = actual_layers(tfjs_node, model, feed)
    assert len(actual) >= len(expected) - 1
    assert_matches(actual, {label: expected[label] for label in actual})


def test_what_another_thread_calls_meanwhile_is_not_told() -> None:
    """A cell may train the model while the widget asks for its layers."""
    model = randomised(_residual())
    told: list[str] = []

    def call() -> None:
        model(np.zeros((1, 6), np.float32))

    with layer_calls(model, lambda label, *_: told.append(label)):
        other = threading.Thread(target=call)
        other.start()
        other.join()
        assert told == []
        call()
    assert told == ["first", "drop", "second", "add", "head"]
    call()
    assert len(told) == 5
    assert not any("call" in vars(layer) for layer in model.layers)
