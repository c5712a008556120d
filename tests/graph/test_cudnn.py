"""Recurrent layers as Keras traces them where it finds a GPU; what it computes without one is right."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
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
from tfjs_magic.errors import UnsupportedOpsError

layers = keras.layers
BACK = {"go_backwards": True}


@pytest.fixture
def as_on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Keras believe that it traces on a GPU of NVIDIA; it then orders the gates as cuDNN does."""
    keras_rnn = importlib.import_module("keras.src.backend.tensorflow.rnn")
    monkeypatch.setattr(keras_rnn, "_is_gpu_available", lambda: not tf.executing_eagerly())
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {"is_cuda_build": True, "is_rocm_build": False})


def _on(*stack: Any, steps: int | None = 5) -> Any:
    x = inputs = keras.Input((steps, 3), name="x")
    for layer in stack:
        x = layer(x)
    return models.randomised(keras.Model(inputs, x))


def _masked() -> Any:
    """Steps at the end are masked; what is computed there is not seen."""
    x = inputs = keras.Input((5,), name="x", dtype="int32")
    x = layers.Embedding(9, 3, mask_zero=True)(x)
    return models.randomised(keras.Model(inputs, layers.LSTM(4)(layers.GRU(3, return_sequences=True)(x))))


def _with_states() -> Any:
    x, h = keras.Input((5, 3), name="x"), keras.Input((4,), name="h")
    sequence, *states = layers.LSTM(4, return_sequences=True, return_state=True)(x, initial_state=[h, h])
    return models.randomised(keras.Model([x, h], [sequence, *states]))


CASES: dict[str, Callable[[], Any]] = {
    "LSTM": lambda: _on(layers.LSTM(4)),
    "GRU": lambda: _on(layers.GRU(4)),
    "backwards": lambda: _on(layers.GRU(4, return_sequences=True, **BACK), layers.LSTM(3, go_backwards=True)),
    "Bidirectional": lambda: _on(layers.Bidirectional(layers.LSTM(4, return_sequences=True)), layers.Dense(2)),
    "any-length": lambda: _on(layers.LSTM(4, return_sequences=True), layers.GRU(3, **BACK), steps=None),
    "masked": _masked,
    "states": _with_states,
}


def _check(node: TfjsNode, web: Any, model: Any) -> None:
    feeds = [models.samples_of(web.inputs, seed) for seed in (1, 2)]
    for feed in feeds:
        if feed["x"].dtype == np.int32:
            feed["x"] = np.maximum(feed["x"], 1) * (np.arange(5) < [[5], [3]])
    expected = [models.keras_outputs(model, feed) for feed in feeds]
    assert_telling(*expected)
    for backend in BACKENDS:
        for got, want in zip(node.run_each(web, feeds, backend), expected, strict=True):
            assert_matches(dict(zip(want, got.values(), strict=True)), want)


@pytest.mark.usefixtures("as_on_gpu")
@pytest.mark.parametrize("name", CASES)
def test_a_loop_takes_the_place_of_the_kernel(tfjs_node: TfjsNode, name: str) -> None:
    model = CASES[name]()
    function = tf.function(lambda *tensors: model(list(tensors) if len(tensors) > 1 else tensors[0]))
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.name) for tensor in model.inputs]
    traced = function.get_concrete_function(*specs)
    assert any(op.type == "CudnnRNNV3" for op in traced.graph.get_operations())
    web = convert(traced)
    assert ("LoopCond" in web.report.ops) == (name == "any-length")
    assert ("SelectV2" in web.report.ops) == (name == "masked")
    _check(tfjs_node, web, model)


@pytest.mark.usefixtures("as_on_gpu")
def test_a_saved_model_that_was_exported_on_a_gpu(tmp_path: Path, tfjs_node: TfjsNode) -> None:
    model = CASES["Bidirectional"]()
    model.export(tmp_path / "model", verbose=False)
    _check(tfjs_node, convert(tmp_path / "model"), model)


_SHAPES = {"input": (5, 2, 3), "input_h": (1, 2, 4), "input_c": (1, 2, 4), "params": (4 * 4 * (3 + 4 + 2),)}


def _kernel(**options: Any) -> Any:
    """Trace the kernel itself, time first."""
    shapes = _SHAPES | options.pop("shapes", {})
    version = options.pop("version", "")
    lengths = {"sequence_lengths": [5, 3]} if version == "V3" else {}

    def run(**tensors: Any) -> Any:
        return getattr(tf.raw_ops, f"CudnnRNN{version}")(**tensors, **lengths, **options)[:2]

    specs = {name: tf.TensorSpec(shape, name=name) for name, shape in shapes.items()}
    return tf.function(run).get_concrete_function(**specs)


def _by_hand(feed: Any, act: Callable[[Any], Any], lengths: Any) -> dict[str, Any]:
    """Compute a simple RNN."""
    x, h, params = feed["input"], feed["input_h"][0], feed["params"]
    kernel, recurrent, biases = params[:12].reshape(4, 3), params[12:28].reshape(4, 4), params[28:].reshape(2, 4)
    outputs = []
    for time in range(5):
        new = act(x[time] @ kernel.T + h @ recurrent.T + biases.sum(axis=0))
        goes_on = np.array([[time < length] for length in lengths])
        h = np.where(goes_on, new, h)
        outputs.append(np.where(goes_on, new, 0))
    return {"output_0": np.stack(outputs), "output_1": h[None]}


@pytest.mark.parametrize("version", ["", "V2", "V3"])
@pytest.mark.parametrize(("mode", "act"), [("rnn_relu", lambda x: np.maximum(x, 0)), ("rnn_tanh", np.tanh)])
def test_simple_rnns_and_older_kernels(tfjs_node: TfjsNode, version: str, mode: str, act: Any) -> None:
    web = convert(_kernel(version=version, rnn_mode=mode, shapes={"params": (36,)}))
    feeds = [models.samples_of(web.inputs, seed) for seed in (1, 2)]
    for backend in BACKENDS:
        for got, feed in zip(tfjs_node.run_each(web, feeds, backend), feeds, strict=True):
            expected = _by_hand(feed, act, (5, 3) if version == "V3" else (5, 5))
            assert_matches(dict(zip(expected, got.values(), strict=True)), expected)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"direction": "bidirectional"}, id="both-directions"),
        pytest.param({"input_mode": "skip_input"}, id="no-kernel"),
        pytest.param({"version": "V3", "num_proj": 2}, id="projection"),
        pytest.param({"shapes": {"input_h": (2, 2, 4)}}, id="two-layers"),
        pytest.param({"shapes": {"input": (5, 2, None)}}, id="unknown-features"),
        pytest.param({"shapes": {"params": (99,)}}, id="other-weights"),
    ],
)
def test_what_the_loop_does_not_compute_is_refused(options: Any) -> None:
    with pytest.raises(UnsupportedOpsError, match="CudnnRNN"):
        convert(_kernel(**options))
