"""Keras 2: models in memory, and files that only it can read."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.models import samples_of
from tests.published import published, published_sample
from tfjs_magic import convert
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.model import TfjsModel
from tfjs_magic.sources.any_cpu import on_any_cpu

tf_keras = pytest.importorskip("tf_keras", reason="tf_keras, the extra keras2, is not installed")
layers = tf_keras.layers


def _randomised(model: Any) -> Any:
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.2, 1, w.shape) * rng.choice([-1, 1], w.shape) for w in model.get_weights()])
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_variance.assign(np.abs(layer.moving_variance))
    return model


def _sequential() -> Any:
    return tf_keras.Sequential(
        [
            layers.Conv2D(4, 3, input_shape=(8, 8, 3)),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )


def _named_inputs() -> Any:
    a, b = (tf_keras.Input((3,), name=name) for name in ("zebra", "apple"))
    return tf_keras.Model([a, b], [layers.Subtract(name="minus")([a, b]), layers.Dense(2, name="first")(b)])


def _dictionary() -> Any:
    inputs = {name: tf_keras.Input((3,), name=name) for name in ("zebra", "apple")}
    return tf_keras.Model(inputs, layers.Dense(2)(layers.Subtract()([inputs["zebra"], inputs["apple"]])))


def _recurrent() -> Any:
    return tf_keras.Sequential(
        [layers.LSTM(4, input_shape=(5, 3), return_sequences=True), layers.Bidirectional(layers.GRU(2))]
    )


def _any_size() -> Any:
    return tf_keras.Sequential(
        [layers.Conv2D(3, 3, input_shape=(None, None, 2)), layers.Conv2D(2, 5), layers.GlobalMaxPooling2D()]
    )


def _channels_first() -> Any:
    """Many a CPU runs no such convolution."""
    return tf_keras.Sequential(
        [
            layers.Conv2D(4, 3, strides=2, data_format="channels_first", input_shape=(3, 8, 7)),
            layers.MaxPooling2D(data_format="channels_first"),
        ]
    )


def _hard_sigmoid() -> Any:
    """Of Keras 2, which Keras 3 computes otherwise and TF.js alike."""
    return tf_keras.Sequential(
        [
            layers.LSTM(3, recurrent_activation="hard_sigmoid", input_shape=(5, 2)),
            layers.Dense(2, activation="hard_sigmoid"),
        ]
    )


@pytest.mark.parametrize(
    "build", [_sequential, _named_inputs, _dictionary, _recurrent, _hard_sigmoid, _any_size, _channels_first]
)
def test_models_in_memory(tfjs_node: TfjsNode, build: Callable[[], Any]) -> None:
    model = _randomised(build())
    web = convert(model)
    assert web.format == "layers-model"
    assert sorted(info.name for info in web.inputs) == sorted(model.input_names)
    assert [info.name for info in web.outputs] == model.output_names
    assert web.reference is not None
    feed = samples_of(web.inputs, 3)
    given: Any = {name: feed[name] for name in feed} if build is _dictionary else [feed[n] for n in model.input_names]
    expected = on_any_cpu(model)(given if len(feed) > 1 else given[0], training=False)
    expected = expected if isinstance(expected, list) else [expected]
    for backend in BACKENDS:
        wanted = dict(zip(model.output_names, map(np.asarray, expected), strict=True))
        assert_matches(tfjs_node.run(web, feed, backend), wanted)
    assert not web.reference.changed()
    model.set_weights([w + 1 for w in model.get_weights()])
    assert web.reference.changed()


def test_sequences_of_known_length_need_no_loop() -> None:
    web = convert(_recurrent(), format="graph")
    assert not any("executeAsync" in note for note in web.report.notes)
    assert not any(op.startswith("TensorList") for op in web.report.ops)


def test_an_unbuilt_model_says_what_to_do() -> None:
    with pytest.raises(UnsupportedModelError, match=r"Keras 2 model 'sequential.*' has no known inputs"):
        convert(tf_keras.Sequential([layers.Dense(2)]))


def test_a_layers_model_is_refused_with_the_reason() -> None:
    with pytest.raises(UnsupportedModelError, match=r"Keras 2 model '.*' cannot become a layers model"):
        convert(_own_layer(), format="layers")
    (reason,) = convert(_own_layer()).report.reasons
    assert "Its classes 'Twice' are your own" in reason


class Twice(layers.Layer):
    """A user's own."""

    def call(self, x: Any) -> Any:
        return 2 * x


def _own_layer() -> Any:
    return tf_keras.Sequential([layers.Dense(2, input_shape=(3,)), Twice()])


def test_graph_format_on_demand(tfjs_node: TfjsNode) -> None:
    model = _randomised(_named_inputs())
    web = convert(model, format="graph")
    assert web.format == "graph-model"
    feed = samples_of(web.inputs, 3)
    expected = dict(zip(model.output_names, map(np.asarray, model([feed["zebra"], feed["apple"]])), strict=True))
    assert_matches(tfjs_node.run(web, feed), expected)


def test_a_published_file_that_keras_3_cannot_load(tfjs_node: TfjsNode, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = (published("ethnicolr_wiki_lstm_h5") / "original").glob("*.h5")
    web = convert(file)
    feed, expected = published_sample("ethnicolr_wiki_lstm_h5", "")
    feed = dict(zip((info.name for info in web.inputs), feed.values(), strict=True))
    expected = dict(zip((info.name for info in web.outputs), expected.values(), strict=True))
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(web, feed, backend), expected)
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    with pytest.raises(UnsupportedModelError, match=r"which Keras 2\.\S+ wrote: .*pip install 'tfjs-magic\[keras2\]'"):
        convert(file)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning")
def test_a_lambda_of_keras_2_needs_trust(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    model = tf_keras.Sequential([layers.Lambda(lambda x: x * 2 + 1, name="twice", input_shape=(3,))])
    model.save(tmp_path / "old.h5")
    with pytest.raises(
        UnsupportedModelError,
        match=r"brings .*: the Lambda layer 'twice'\. .*pass trust=True",
    ):
        convert(tmp_path / "old.h5")
    web = convert(tmp_path / "old.h5", trust=True)
    feed = {web.inputs[0].name: np.float32([[1, -2, 3]])}
    assert_matches(tfjs_node.run(web, feed), {web.outputs[0].name: np.float32([[3, -3, 7]])})


@pytest.mark.filterwarnings("ignore")  # tf_keras's own
def test_a_saved_model_of_keras_2_gives_its_layers(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    model = tf_keras.Sequential([layers.Reshape([2, 3], input_shape=[6]), layers.LSTM(4), layers.Dense(2)])
    model.save(tmp_path / "saved")
    web = convert(tmp_path / "saved", format="layers")
    assert (web.format, convert(tmp_path / "saved").format) == ("layers-model", "graph-model")
    x = np.random.default_rng(1).normal(size=(5, 6)).astype(np.float32)
    for backend in BACKENDS:
        got = tfjs_node.run(web, {web.inputs[0].name: x}, backend)
        assert_matches(got, {web.outputs[0].name: model(x).numpy()})


@pytest.mark.filterwarnings("ignore")
def test_a_saved_model_with_a_lambda_needs_trust(tmp_path: Path) -> None:
    tf_keras.Sequential([layers.Lambda(lambda x: x * 2, name="twice", input_shape=(3,))]).save(tmp_path / "saved")
    with pytest.raises(UnsupportedModelError, match=r"brings along .*: the Lambda layer 'twice'"):
        convert(tmp_path / "saved", format="layers")
    (tmp_path / "saved" / "keras_metadata.pb").write_bytes(b"\xff\xff")
    with pytest.raises(UnsupportedModelError, match=r"keras_metadata\.pb' is damaged"):
        convert(tmp_path / "saved", format="layers")


def test_keras_3_files_under_the_other_name(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    for right, wrong in ((".keras", ".h5"), (".h5", ".keras")):
        model.save(tmp_path / f"right{right}")
        folder = tmp_path / right.removeprefix(".")
        folder.mkdir()
        shutil.copy(tmp_path / f"right{right}", folder / f"wrong{wrong}")
        web: TfjsModel = convert(folder / f"wrong{wrong}")
        assert [path.name for path in folder.iterdir()] == [f"wrong{wrong}"]
        feed = {web.inputs[0].name: np.float32([[1, -2, 3, 0.5]])}
        assert_matches(tfjs_node.run(web, feed), {web.outputs[0].name: model(feed[web.inputs[0].name]).numpy()})


@pytest.mark.parametrize("name", ["net.weights.h5", "net.h5"])
def test_weights_alone_say_what_to_do(tmp_path: Path, name: str) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.save_weights(tmp_path / "net.weights.h5")
    (tmp_path / "net.weights.h5").rename(tmp_path / name)
    with pytest.raises(
        UnsupportedModelError, match=rf"holds weights alone, no model\. Build .*load_weights\('{name}'\)"
    ):
        convert(tmp_path / name)


def test_an_example_that_is_too_large_is_not_tried() -> None:
    """A shape says what it likes: 10^10 numbers would be drawn to compare the two Keras."""
    model = tf_keras.Sequential([tf_keras.Input((10**5, 10**5)), tf_keras.layers.ReLU()])
    with pytest.raises(UnsupportedModelError, match=r"could not be tried on numbers: one example has \d{11} numbers"):
        convert(model, format="layers")
