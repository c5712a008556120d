"""Converted while TensorFlow is doing something else, a model is the same as at the top of a program."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.sources.v1_models import normal, v1
from tfjs_magic import convert
from tfjs_magic.model import TfjsModel

Convert = Callable[[], TfjsModel]


def _in_a_function(run: Convert) -> TfjsModel:
    done = []

    @tf.function  # type: ignore[untyped-decorator]
    def traced(x: Any) -> Any:
        done.append(run())
        return x

    traced(tf.constant(1.0))
    return done[0]


def _in_a_session(run: Convert) -> TfjsModel:
    with tf.Graph().as_default(), v1.Session():
        return run()


def _under_a_tape(run: Convert) -> TfjsModel:
    with tf.GradientTape():
        return run()


def _in_a_strategy(run: Convert) -> TfjsModel:
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        return run()


def _on_a_replica(run: Convert) -> TfjsModel:
    done: list[TfjsModel] = []
    tf.distribute.MirroredStrategy(["/cpu:0"]).run(lambda: done.append(run()))
    return done[0]


def _model() -> Any:
    layers = keras.layers
    model = keras.Sequential([keras.Input((5, 3)), layers.LSTM(4), layers.BatchNormalization(), layers.Dense(2)])
    model.set_weights([np.abs(normal(*weight.shape, seed=seed)) for seed, weight in enumerate(model.get_weights())])
    return model


class _Module(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(normal(3, 2))

    @tf.function(input_signature=[tf.TensorSpec((None, 3), name="x")])  # type: ignore[untyped-decorator]
    def __call__(self, x: Any) -> Any:
        return tf.nn.relu(x @ self.kernel)


@pytest.mark.parametrize(
    "within",
    [_in_a_function, _in_a_session, _under_a_tape, _in_a_strategy, _on_a_replica],
    ids=lambda one: one.__name__,
)
@pytest.mark.parametrize("kind", ["memory-layers", "memory-graph", "file-layers", "saved-model"])
def test_the_same_within(tmp_path: Path, within: Callable[[Convert], TfjsModel], kind: str) -> None:
    source: Any = _Module() if kind == "saved-model" else _model()
    path = tmp_path / ("m.keras" if kind == "file-layers" else "m")
    if kind == "saved-model":
        tf.saved_model.save(source, path)
        source = path
    elif kind == "file-layers":
        source.save(path)
        source = path

    def run() -> TfjsModel:
        return convert(source, format="layers" if kind.endswith("layers") else "graph")

    expected, model = run(), within(run)
    assert model.model_json == expected.model_json
    assert all(np.array_equal(model.weights[name], array) for name, array in expected.weights.items())
    assert model.reference is not None
    assert expected.reference is not None
    feed = {info.name: normal(*(side or 2 for side in info.shape or ())) for info in model.inputs}
    for name, value in expected.reference(feed).items():
        assert np.array_equal(model.reference(feed)[name], value)


def test_a_model_of_keras_2_in_a_session_has_the_sessions_weights() -> None:
    tf_keras = pytest.importorskip("tf_keras", reason="tf_keras, the extra keras2, is not installed")
    with tf.Graph().as_default(), v1.Session():
        model = tf_keras.Sequential([tf_keras.Input((3,)), tf_keras.layers.Dense(2, name="head")])
        kernel, _ = model.get_weights()
        for form in ("layers", "graph"):
            assert np.array_equal(convert(model, format=form).weights["head/kernel"], kernel)


def test_with_eager_execution_off(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(tmp_path / "m.keras")
    code = (
        "import sys, tensorflow as tf\ntf.compat.v1.disable_eager_execution()\nimport tfjs_magic\n"
        "forms = [tfjs_magic.convert(sys.argv[1], format=form).format for form in ('layers', 'graph')]\n"
        "sys.exit(forms != ['layers-model', 'graph-model'])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "m.keras")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
