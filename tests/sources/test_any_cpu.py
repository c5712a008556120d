"""Python's side of the comparison on CPUs where TensorFlow lacks kernels."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import FLOAT32_TOLERANCE, relative_error
from tests.models import keras_outputs, layers, randomised
from tfjs_magic.sources.any_cpu import on_any_cpu

LACKS_LAYOUT = "The Conv2D op currently only supports the NHWC tensor format on the CPU."


def _only_compiled(error: type[tf.errors.OpError], message: str) -> Callable[..., Any]:
    """Double a tensor, but only where XLA compiles it."""

    def run(x: Any) -> Any:
        if tf.executing_eagerly():
            raise error(None, None, message)
        return {"y": 2 * x}

    return run


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (tf.errors.UnimplementedError, LACKS_LAYOUT),
        (tf.errors.InvalidArgumentError, "Conv2DCustomBackpropInputOp only supports NHWC."),
        (
            tf.errors.InvalidArgumentError,
            "Current CPU implementations do not yet support dilation rates larger than 1.",
        ),
        (tf.errors.InvalidArgumentError, "Depthwise convolution on CPU is only supported for NHWC format"),
        (tf.errors.InvalidArgumentError, "Current implementation only supports equal length strides."),
    ],
)
def test_xla_computes_what_has_no_kernel(error: type[tf.errors.OpError], message: str) -> None:
    run = on_any_cpu(_only_compiled(error, message))
    assert run(tf.constant([1.0, 2.0]))["y"].numpy().tolist() == [2, 4]
    assert run(x=tf.constant([3.0]))["y"].numpy().tolist() == [6]


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.InvalidArgumentError(None, None, "indices[0] = 9 is not in [0, 4)"),
        tf.errors.NotFoundError(None, None, "only supports"),
        ValueError("only supports"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_other_errors_stay_errors(error: Exception) -> None:
    """XLA would take an index beyond the table for the last one."""

    def run(x: Any) -> Any:
        if tf.executing_eagerly():
            raise error
        return x

    with pytest.raises(type(error)):
        on_any_cpu(run)(tf.constant(1.0))


def test_tensorflows_error_is_told_where_xla_fails_too() -> None:
    def run(x: Any) -> Any:
        if tf.executing_eagerly():
            raise tf.errors.UnimplementedError(None, None, LACKS_LAYOUT)
        return tf.strings.as_string(x)  # which XLA does not have

    with pytest.raises(tf.errors.UnimplementedError, match="NHWC"):
        on_any_cpu(run)(tf.constant(1.0))


WITHOUT_ONE_DNN = """
import sys
import keras, numpy as np, tensorflow as tf
import tfjs_magic
folder = sys.argv[1]
model = keras.models.load_model(f"{folder}/model.keras")
model.export(f"{folder}/saved", verbose=False)
x = np.load(f"{folder}/x.npy")
try:
    model(x)
except tf.errors.UnimplementedError:
    pass
else:
    raise AssertionError("Keras runs it itself")
function = tf.function(lambda x: model(x), input_signature=[tf.TensorSpec((None, 3, 8, 7), name="x")])
sources = [(model, "layers"), (model, "graph"), (function, "graph"), (f"{folder}/saved", "graph")]
converted = [tfjs_magic.convert(source, format=kind) for source, kind in sources]
outputs = [model.reference({model.inputs[0].name: x}) for model in converted]
np.save(f"{folder}/outputs.npy", [output for (output,) in map(dict.values, outputs)])
"""


def test_a_model_that_keras_cannot_run_converts_and_has_a_reference(tmp_path: Path) -> None:
    """In a process of its own: whether there is oneDNN is settled when TensorFlow is imported."""
    model = randomised(
        keras.Sequential(
            [
                keras.Input((3, 8, 7), name="x"),
                layers.Conv2D(4, 3, activation="relu", data_format="channels_first"),
                layers.Conv2DTranspose(2, 3, dilation_rate=2, data_format="channels_first"),
            ]
        )
    )
    model.save(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 7)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    words = [sys.executable, "-c", WITHOUT_ONE_DNN, str(tmp_path)]
    subprocess.run(words, check=True, env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"})
    (expected,) = keras_outputs(model, {"x": x}).values()
    for output in np.load(tmp_path / "outputs.npy"):
        assert relative_error(output, expected) <= FLOAT32_TOLERANCE
