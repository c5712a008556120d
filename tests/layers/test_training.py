"""One step of training in TF.js and in Keras, from the same weights on the same batch, gives the same weights."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.layers.cases import IMAGE, LINE, SEQUENCE, on, on_two
from tests.layers.packing import converted, packed
from tests.models import layers, randomised, samples_of
from tfjs_magic import convert
from tfjs_magic.options import Backend


def dense() -> Any:
    return on(LINE, layers.Dense(5, "tanh", kernel_regularizer="l2"), layers.Dense(3, bias_regularizer="l1"))


def convolutional() -> Any:
    return on(
        IMAGE,
        layers.Conv2D(4, 3, padding="same"),
        layers.BatchNormalization(momentum=0.5),
        layers.ReLU(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3),
    )


def frozen() -> Any:
    model = on(LINE, layers.Dense(5, "relu", name="frozen"), layers.Dense(3))
    model.get_layer("frozen").trainable = False
    return model


def recurrent() -> Any:
    return on(SEQUENCE, layers.LSTM(4), layers.Dense(3))


def rewritten() -> Any:
    """Layers that become several: they train as one."""
    return on(
        SEQUENCE,
        layers.Conv1D(4, 3, padding="causal", activation="leaky_relu"),
        layers.SeparableConv1D(4, 2),
        layers.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d"),
        layers.GlobalMaxPooling1D(keepdims=True),
        layers.Flatten(),
        layers.Dense(3, "hard_silu"),
    )


def shared() -> Any:
    """TF.js adds what regularizers say for each call, also of the model around a layer."""
    inner_in = keras.Input((4,))
    leaf = layers.Dense(4, "tanh", kernel_regularizer="l2", bias_regularizer="l1")
    inner = keras.Model(inner_in, leaf(leaf(inner_in)))
    inputs = keras.Input((4,), name="x")
    outer = layers.Dense(4, kernel_regularizer="l2")
    return keras.Model(inputs, layers.Dense(3)(outer(inner(outer(inner(inputs))))))


MODELS = {model.__name__: model for model in (dense, convolutional, frozen, recurrent, rewritten, shared)}
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "SGD": lambda: keras.optimizers.SGD(0.1),
    "Momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "Nesterov": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "Adam": lambda: keras.optimizers.Adam(0.01, beta_1=0.8),
    "Adamax": lambda: keras.optimizers.Adamax(0.01),
    "RMSprop": lambda: keras.optimizers.RMSprop(0.01, rho=0.8, momentum=0.5),
    "Adagrad": lambda: keras.optimizers.Adagrad(0.1, initial_accumulator_value=0.2),
}


def one_step(model: Any, targets: Any, tfjs_node: TfjsNode) -> list[tuple[str, Any, Any, Any]]:
    """Train both; give (path, before, after in Keras, after in TF.js) of every weight of the same form in both."""
    result = converted(model)
    assert result.training is not None, result.notes
    feed = samples_of(result.inputs, batch=4)
    trained = tfjs_node.train_once(packed(result), feed, [targets])
    before = {variable.path: np.asarray(variable).copy() for variable in model.weights}
    model.train_on_batch(next(iter(feed.values())) if len(feed) == 1 else list(feed.values()), targets)
    back = packed(result)
    by_value = {array.tobytes(): name for name, array in back.weights.items()}
    rows = []
    for variable in model.weights:
        old = before[variable.path]
        name = by_value.get(old.astype(np.float32).tobytes())
        if name is not None:
            new = trained[name].reshape(old.shape)
            rows.append((variable.path, old, np.asarray(variable), new))
    return rows


@pytest.mark.parametrize("name", MODELS)
def test_a_step_changes_the_weights_as_in_keras(name: str, tfjs_node: TfjsNode) -> None:
    model = randomised(MODELS[name]())
    model.compile(keras.optimizers.SGD(0.1), "mse")
    targets = np.random.default_rng(3).normal(size=(4, 3)).astype(np.float32)
    rows = one_step(model, targets, tfjs_node)
    assert len(rows) == len(model.weights)
    for path, before, in_keras, in_tfjs in rows:
        assert np.abs(in_keras - in_tfjs).max() <= 2e-6, path
        if "frozen" in path:
            assert np.array_equal(in_keras, before)
    assert max(np.abs(in_keras - before).max() for _, before, in_keras, _ in rows) > 1e-3


def transformer() -> Any:
    """Attention of several heads, of which each has its part of the weights in TF.js."""
    x = inputs = keras.Input(SEQUENCE, name="x")
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True))
    x = x + layers.GroupQueryAttention(2, 4, 2, use_gate=True)(x, x)
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_heads_are_trained_as_in_keras(backend: Backend, tfjs_node: TfjsNode) -> None:
    model = randomised(transformer())
    model.compile(keras.optimizers.SGD(0.1), "mse")
    result = converted(model)
    before = packed(result).weights
    feed, targets = samples_of(result.inputs, batch=4), np.random.default_rng(3).normal(size=(4, 3)).astype(np.float32)
    trained = tfjs_node.train_once(packed(result), feed, [targets], backend)
    model.train_on_batch(feed["x"], targets)
    after = packed(converted(model)).weights
    moved = {name: np.abs(after[name] - before[name]).max() for name in before}
    # A bias of the key moves all scores of a query alike, which the softmax takes away again.
    assert {name for name, most in moved.items() if most < 1e-5 and not re.search(r"_key_\d/bias", name)} == {
        f"{model.layers[1].name}_unseen/alpha"
    }
    for name, want in after.items():
        assert np.abs(trained[name].reshape(want.shape) - want).max() <= 2e-6, name


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_steps_of_a_gru_are_trained_as_in_keras(backend: Backend, tfjs_node: TfjsNode) -> None:
    first = layers.GRU(4, return_sequences=True, kernel_regularizer="l2", recurrent_regularizer="l1")
    model = randomised(on(SEQUENCE, first, layers.GRU(3, go_backwards=True), layers.Dense(3)))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    result = converted(model)
    before = packed(result).weights
    feed, targets = samples_of(result.inputs, batch=4), np.random.default_rng(3).normal(size=(4, 3)).astype(np.float32)
    trained = tfjs_node.train_once(packed(result), feed, [targets], backend)
    model.train_on_batch(feed["x"], targets)
    for name, want in packed(converted(model)).weights.items():
        assert np.abs(want - before[name]).max() > 1e-4, name
        assert np.abs(trained[name].reshape(want.shape) - want).max() <= 2e-6, name


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_steps_as_in_keras(name: str, tfjs_node: TfjsNode) -> None:
    model = randomised(dense())
    model.compile(OPTIMIZERS[name](), "mse")
    targets = np.random.default_rng(3).normal(size=(4, 3)).astype(np.float32)
    for path, before, in_keras, in_tfjs in one_step(model, targets, tfjs_node):
        moved = np.abs(in_keras - before).max()
        assert moved > 1e-3, path
        error = np.abs(in_keras - in_tfjs)
        # Adam's epsilon stands elsewhere in the formula, which shows where a gradient is as small as that.
        assert np.median(error) <= moved * 1e-4, path
        assert error.max() <= moved * (0.3 if name == "Adam" else 1e-3), path


@pytest.mark.parametrize(
    ("loss", "last"),
    [
        *(("mae", None), ("mape", None), ("msle", "sigmoid"), ("log_cosh", None), ("poisson", "softplus")),
        *(("kld", "softmax"), ("cosine_similarity", None), ("categorical_hinge", None)),
        *(("binary_crossentropy", "sigmoid"), ("categorical_crossentropy", "softmax")),
        *((keras.losses.MeanSquaredError(), None), (keras.losses.mean_squared_error, None)),
    ],
)
def test_every_loss_is_the_same(loss: Any, last: str | None, tfjs_node: TfjsNode) -> None:
    model = randomised(on(LINE, layers.Dense(5, "tanh"), layers.Dense(3, last)))
    model.compile(keras.optimizers.SGD(0.1), loss)
    targets = np.random.default_rng(3).dirichlet([1, 1, 1], 4).astype(np.float32)
    for path, _, in_keras, in_tfjs in one_step(model, targets, tfjs_node):
        assert np.abs(in_keras - in_tfjs).max() <= 1e-5 * max(1.0, np.abs(in_keras).max()), path


def test_sparse_labels(tfjs_node: TfjsNode) -> None:
    model = randomised(on(LINE, layers.Dense(3, "softmax")))
    model.compile(
        keras.optimizers.SGD(0.1),
        "sparse_categorical_crossentropy",
        metrics=["accuracy", "sparse_top_k_categorical_accuracy"],
    )
    result = converted(model)
    assert result.training is not None
    assert result.training["metrics"] == ["accuracy"]
    for path, _, in_keras, in_tfjs in one_step(model, np.array([[0.0], [2.0], [1.0], [1.0]], np.float32), tfjs_node):
        assert np.abs(in_keras - in_tfjs).max() <= 1e-6, path


def own_loss(truth: Any, predicted: Any) -> Any:
    return keras.ops.mean(truth - predicted)


def mean_squared_error(truth: Any, predicted: Any) -> Any:
    """A user's own, under a builtin's name."""
    return own_loss(truth, predicted)


class OwnMetric:
    """Keras cannot write it down, for want of get_config()."""

    def __call__(self, truth: Any, predicted: Any) -> Any:
        return own_loss(truth, predicted)


class OwnOptimizer(keras.optimizers.SGD):  # type: ignore[misc]
    def get_config(self) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("optimizer", "loss", "more", "said"),
    [
        ("adamw", "mse", {}, "no optimizer 'AdamW'"),
        ("adadelta", "mse", {}, "no optimizer 'Adadelta'"),
        (keras.optimizers.Adam(epsilon=1e-3), "mse", {}, "Adam uses epsilon=0.001 otherwise"),
        (keras.optimizers.SGD(float("inf")), "mse", {}, "infinite or not a number"),
        (keras.optimizers.Adam(beta_2={"config": 0.999}), "mse", {}, "the option beta_2 of its optimizer is no number"),
        (keras.optimizers.SGD(clipnorm=1.0), "mse", {}, "no clipnorm"),
        (keras.optimizers.Adam(amsgrad=True), "mse", {}, "no amsgrad"),
        (keras.optimizers.Adagrad(epsilon=1e-3), "mse", {}, "Adagrad with epsilon"),
        (keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 9)), "mse", {}, "no schedule"),
        ("sgd", "huber", {}, "no loss 'huber'"),
        ("sgd", "hinge", {}, "no loss 'hinge' as Keras computes it"),
        ("sgd", own_loss, {}, "'own_loss' is your own"),
        ("sgd", "mse", {"metrics": [[OwnMetric()], []]}, "cannot say how it was compiled (TypeError"),
        (OwnOptimizer(), "mse", {}, "no optimizer 'OwnOptimizer'"),
        ("sgd", mean_squared_error, {}, "'mean_squared_error' is your own"),
        ("sgd", keras.losses.BinaryCrossentropy(from_logits=True), {}, "from_logits=True"),
        ("sgd", ["mse", "mse"], {"loss_weights": [1.0, 2.0]}, "no loss_weights"),
    ],
)
def test_training_that_tfjs_does_otherwise_is_left_out_with_a_sentence(
    optimizer: Any, loss: Any, more: dict[str, Any], said: str
) -> None:
    model = on_two(LINE, lambda pair: [layers.Dense(1)(pair[0]), layers.Dense(1)(pair[1])])
    model.compile(optimizer, loss, **more)
    converted_model = convert(model, format="layers")
    assert "trainingConfig" not in converted_model.model_json
    (note,) = [note for note in converted_model.report.notes if "How the model is trained" in note]
    assert said in note


def test_a_model_that_is_not_compiled_says_nothing() -> None:
    converted_model = convert(on(LINE, layers.Dense(1)))
    assert "trainingConfig" not in converted_model.model_json
    assert not converted_model.report.notes


def test_losses_by_name_stand_in_the_order_of_the_outputs() -> None:
    model = on_two(LINE, lambda pair: [layers.Dense(1, name="b")(pair[0]), layers.Dense(1, name="a")(pair[1])])
    model.compile("adam", {"a": "mse", "b": "mae"})
    training = convert(model).model_json["trainingConfig"]
    assert training["loss"] == ["mean_absolute_error", "mean_squared_error"]
    assert training["optimizer_config"]["class_name"] == "Adam"


def test_files_carry_it_along(tmp_path: Path) -> None:
    model = randomised(dense())
    model.compile(keras.optimizers.Adam(0.02), "mse", metrics=["mae"])
    model.save(tmp_path / "model.keras")
    from_file = convert(tmp_path / "model.keras").model_json
    assert from_file["trainingConfig"] == convert(model).model_json["trainingConfig"]
    model.compile("sgd", own_loss)
    model.save(tmp_path / "own.keras")
    assert "trainingConfig" not in convert(tmp_path / "own.keras").model_json
