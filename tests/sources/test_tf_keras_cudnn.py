"""CuDNNLSTM and CuDNNGRU of Keras 2: what they compute is what tf_keras makes of their weights in an LSTM and a GRU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.models import samples_of
from tfjs_magic import convert
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.options import Format

tf_keras = pytest.importorskip("tf_keras", reason="tf_keras, the extra keras2, is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning")
layers = tf_keras.layers
CUDNN = {
    "LSTM": tf_keras.src.layers.rnn.cudnn_lstm.CuDNNLSTM,
    "GRU": tf_keras.src.layers.rnn.cudnn_gru.CuDNNGRU,
}
PLAIN = {"LSTM": layers.LSTM, "GRU": layers.GRU}


def _stack(rnns: Any, kind: str) -> Any:
    """Two of them, of which one reads backwards, behind each other; and a layer without."""
    rnn = rnns[kind]
    x = inputs = tf_keras.Input((5, 3), name="s")
    x = layers.Bidirectional(rnn(4, return_sequences=True, name="each"), name="both")(x)
    x = layers.LSTM(3, return_sequences=True, name="plain")(layers.BatchNormalization(name="norm")(x))
    return tf_keras.Model(inputs, rnn(2, go_backwards=True, name="back")(x))


def _nested(rnns: Any, kind: str) -> Any:
    x = tf_keras.Input((4, 3), name="in")
    inner = tf_keras.Model(x, rnns[kind](3, name="rnn")(x), name="inner")
    words = tf_keras.Input((2, 4, 3), name="s")
    each = layers.TimeDistributed(inner, name="each")(words)
    return tf_keras.Model(words, layers.Dense(2, name="d")(rnns[kind](3, name="outer")(each)))


def _randomised(model: Any) -> Any:
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.2, 1, w.shape) * rng.choice([-1, 1], w.shape) for w in model.get_weights()])
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_variance.assign(np.abs(layer.moving_variance))
    return model


def _reference(path: Path, model: Any) -> Any:
    model.load_weights(path)
    return lambda feed: np.asarray(model(feed["s"], training=False))


@pytest.mark.parametrize("build", [_stack, _nested])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("in_memory", [False, True], ids=["h5", "memory"])
def test_they_are_layers_of_any_machine(
    tmp_path: Path, tfjs_node: TfjsNode, build: Any, kind: str, *, in_memory: bool
) -> None:
    model = _randomised(build(CUDNN, kind))
    path = tmp_path / "model.h5"
    model.save(path)
    expected = _reference(path, build(PLAIN, kind))
    web = convert(model if in_memory else path, format="graph")
    assert not any(op.startswith("Cudnn") for op in web.report.ops)
    feeds = [samples_of(web.inputs, seed) for seed in (1, 2)]
    assert_telling(*({"y": expected(feed)} for feed in feeds))
    assert web.reference is not None
    assert_matches(web.reference(feeds[0]), {web.outputs[0].name: expected(feeds[0])})
    for backend in BACKENDS:
        for got, feed in zip(tfjs_node.run_each(web, feeds, backend), feeds, strict=True):
            assert_matches(got, {web.outputs[0].name: expected(feed)})


def _alone(rnns: Any) -> Any:
    return tf_keras.Sequential([tf_keras.Input((6, 3), name="s"), rnns["LSTM"](4, return_sequences=True)])


def test_an_lstm_becomes_a_layers_model(tmp_path: Path, tfjs_node: TfjsNode) -> None:
    path = tmp_path / "model.h5"
    _randomised(_alone(CUDNN)).save(path)
    expected = _reference(path, _alone(PLAIN))
    web = convert(path)
    feed = samples_of(web.inputs)
    assert (web.format, web.report.ops) == ("layers-model", {"LSTM": 1})
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(web, feed, backend), {web.outputs[0].name: expected(feed)})


def test_training_the_source_is_noticed() -> None:
    model = _randomised(_nested(CUDNN, "GRU"))
    web = convert(model)
    assert web.reference is not None
    assert not web.reference.changed()
    model.layers[-1].bias.assign(model.layers[-1].bias + 1.0)
    assert web.reference.changed()


@pytest.mark.parametrize("form", ["auto", "layers", "graph"])
def test_among_layers_of_an_own_class_they_are_refused(form: Format) -> None:
    class Own(tf_keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x * 2.0

    model = tf_keras.Sequential([tf_keras.Input((5, 3)), CUDNN["LSTM"](4), Own()], name="mixed")
    with pytest.raises(UnsupportedModelError, match="cuDNN layers of Keras 2 model 'mixed' cannot be replaced"):
        convert(model, format=form)
