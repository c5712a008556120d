"""Keras models whose layers are wired by Python code: Keras remembers what shapes they were called with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tfjs_magic import convert
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.model import TfjsModel


class _ConvNorm(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="conv_norm")
        self.stack = [
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]

    def call(self, image: Any, *, training: bool | None = None) -> Any:
        x = image
        for layer in self.stack:
            x = layer(x, training=training) if layer is self.stack[1] or layer is self.stack[2] else layer(x)
        return x


class _DictInOut(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="dicts")
        self.dense = keras.layers.Dense(3)

    def call(self, features: Any) -> Any:
        return {"z": self.dense(features["b"]) - features["a"], "a": features["a"] * 2.0}


class _Tokens(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="tokens")
        self.embedding = keras.layers.Embedding(10, 4)

    def call(self, ids: Any) -> Any:
        x = self.embedding(ids)
        return x, keras.ops.mean(x, axis=1)


class _TwoArguments(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="two")
        self.dense = keras.layers.Dense(3)

    def call(self, x: Any, y: Any) -> Any:
        return self.dense(x) - y


def _called(model: Any, *examples: Any) -> Any:
    model(*examples)
    return models.randomised(model)


def _check(tfjs_node: TfjsNode, model: TfjsModel) -> None:
    assert model.reference is not None
    feeds = [models.samples_of(model.inputs, seed, unknown=3) for seed in (1, 2)]
    expected = [model.reference(feed) for feed in feeds]
    assert_telling(*expected)
    for backend in BACKENDS:
        for got, want in zip(tfjs_node.run_each(model, feeds, backend), expected, strict=True):
            assert list(got) == [info.name for info in model.outputs]
            assert_matches(got, want)


def _conv_norm() -> Any:
    return _called(_ConvNorm(), np.zeros((2, 6, 6, 2), np.float32))


def _dicts() -> Any:
    return _called(_DictInOut(), {"b": np.zeros((2, 3), np.float32), "a": np.zeros((2, 3), np.float32)})


@pytest.mark.parametrize(
    ("build", "inputs", "outputs"),
    [
        pytest.param(_conv_norm, {"image": (None, 6, 6, 2)}, ["output_0"], id="conv-norm"),
        pytest.param(_dicts, {"a": (None, 3), "b": (None, 3)}, ["a", "z"], id="dicts"),
    ],
)
def test_shapes_are_remembered_from_the_call(
    tfjs_node: TfjsNode, build: Callable[[], Any], inputs: dict[str, Any], outputs: list[str]
) -> None:
    model = convert(build())
    assert {info.name: info.shape for info in model.inputs} == inputs
    assert [info.name for info in model.outputs] == outputs
    assert any("subclassed" in reason for reason in model.report.reasons)
    _check(tfjs_node, model)


def test_inputs_give_the_dtype_that_keras_forgets(tfjs_node: TfjsNode) -> None:
    source = _called(_Tokens(), np.zeros((2, 5), np.int32))
    model = convert(source, inputs={"ids": tf.TensorSpec((None, 5), tf.int32)})
    assert [(info.dtype, info.upper_bound) for info in model.inputs] == [("int32", 10)]
    _check(tfjs_node, model)


def test_inputs_name_the_arguments_of_call(tfjs_node: TfjsNode) -> None:
    source = _called(_TwoArguments(), np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32))
    with pytest.raises(UnsupportedModelError, match=r"also takes 'y'.* Pass inputs="):
        convert(source)
    model = convert(source, inputs={"x": (None, 3), "y": (None, 3)})
    assert [info.name for info in model.inputs] == ["x", "y"]
    _check(tfjs_node, model)


def test_training_the_source_is_noticed() -> None:
    source = _dicts()
    model = convert(source)
    assert model.reference is not None
    assert not model.reference.changed()
    source.dense.bias.assign(source.dense.bias + 1.0)
    assert model.reference.changed()


def test_layers_format_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="subclassed model"):
        convert(_dicts(), format="layers")


def test_a_model_that_was_never_called_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="Call it on an example"):
        convert(_DictInOut())


@pytest.mark.parametrize("form", ["graph", "layers"])
def test_the_batch_that_a_sequential_was_fed_binds_nobody(tfjs_node: TfjsNode, form: Any) -> None:
    dense = keras.layers
    model = keras.Sequential([dense.Conv2D(4, 3), dense.BatchNormalization(), dense.Flatten(), dense.Dense(3)])
    model.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    model.fit(rng.normal(size=(8, 6, 6, 1)), rng.normal(size=(8, 3)), batch_size=8, verbose=0)
    assert model.inputs[0].shape == (8, 6, 6, 1)  # what Keras took for its own
    converted = convert(model, format=form)
    assert [info.shape for info in (*converted.inputs, *converted.outputs)] == [(None, 6, 6, 1), (None, 3)]
    for examples in (1, 3, 8):
        feed = {converted.inputs[0].name: rng.normal(size=(examples, 6, 6, 1)).astype(np.float32)}
        assert converted.reference is not None
        for backend in BACKENDS:
            assert_matches(tfjs_node.run(converted, feed, backend), converted.reference(feed))


def test_the_batch_of_a_state_and_that_of_one_example_stay() -> None:
    state = keras.Sequential([keras.Input((5, 2), batch_size=4), keras.layers.LSTM(3, stateful=True)])
    one = keras.Sequential([keras.Input((5,), batch_size=1), keras.layers.Dense(3)])
    assert [convert(model).inputs[0].shape for model in (state, one)] == [(4, 5, 2), (1, 5)]
    assert convert(one, format="graph").inputs[0].shape == (1, 5)


def test_the_batch_that_a_layer_asks_for_stays(tfjs_node: TfjsNode) -> None:
    rows = keras.layers.Lambda(lambda x: keras.ops.reshape(x, (x.shape[0], -1)))
    model = keras.Sequential([keras.Input((2, 3), batch_size=4, name="x"), rows, keras.layers.Dense(2)])
    converted = convert(model)
    assert converted.inputs[0].shape == (4, 2, 3)
    feed = {"x": np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)}
    assert converted.reference is not None
    assert_matches(tfjs_node.run(converted, feed, "wasm"), converted.reference(feed))


def test_a_wish_may_choose_another_batch() -> None:
    one = keras.Sequential([keras.Input((5,), batch_size=1, name="x"), keras.layers.Dense(3)])
    shapes = [(None, 5), (7, 5)]
    assert [convert(one, inputs={"x": shape}).inputs[0].shape for shape in shapes] == shapes
    state = keras.Sequential([keras.Input((5, 2), batch_size=4, name="x"), keras.layers.LSTM(3, stateful=True)])
    with pytest.raises(UnsupportedModelError, match="does not fit"):
        convert(state, inputs={"x": (1, 5, 2)}, format="graph")
