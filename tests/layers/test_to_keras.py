"""Back from TF.js: the Keras model computes what TF.js computes, with the same names and the same weights."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.conformance.compare import assert_matches
from tests.conformance.node import JS_DIR, TfjsNode, find_node
from tests.layers.cases import CASES, IMAGE, LINE, SEQUENCE, on
from tests.layers.packing import converted, packed
from tests.models import keras_outputs, layers, randomised, samples_of
from tfjs_magic import UnsupportedModelError, convert, load
from tfjs_magic.artifacts import ConversionReport, WeightEntry
from tfjs_magic.layers.to_keras import keras_model
from tfjs_magic.model import TfjsModel
from tfjs_magic.weights.pack import pack_weights


@pytest.mark.parametrize("case", sorted(CASES.keys() - {"mask-composed"}))
@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
def test_there_and_back_gives_the_same_numbers(case: str) -> None:
    model = randomised(CASES[case]())
    result = converted(model)
    back = packed(result).to_keras()
    feed = samples_of(result.inputs)
    got, expected = (dict(enumerate(keras_outputs(one, feed).values())) for one in (back, model))
    assert_matches(got, expected)


def test_there_and_back_gives_the_same_weights_bit_for_bit() -> None:
    model = randomised(
        on(
            IMAGE,
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.DepthwiseConv2D(2, name="depthwise"),
            layers.Flatten(name="flat"),
            layers.Dense(3, "softmax", kernel_regularizer="l2", name="head"),
        )
    )
    model.get_layer("conv").trainable = False
    back = convert(model).to_keras()
    assert [layer.name for layer in back.layers] == [layer.name for layer in model.layers]
    assert back.name == model.name
    assert not back.get_layer("conv").trainable
    assert isinstance(back.get_layer("head").kernel_regularizer, keras.regularizers.L1L2)
    pairs = list(zip(back.weights, model.weights, strict=True))
    assert all(one.path == other.path for one, other in pairs)
    assert all(np.array_equal(np.asarray(one), np.asarray(other)) for one, other in pairs)


def test_quantized_weights_are_decoded() -> None:
    model = randomised(on(LINE, layers.Dense(40, name="wide"), layers.Dense(3)))
    quantized = convert(model, quantize="uint8")
    back = quantized.to_keras()
    kernel = np.asarray(back.get_layer("wide").kernel)
    assert np.array_equal(kernel, quantized.weights["wide/kernel"])
    assert not np.array_equal(kernel, np.asarray(model.get_layer("wide").kernel))


@pytest.mark.parametrize("dtype", ["float16", "uint8", "uint16"])
def test_the_way_to_keras_and_again_keeps_every_code(dtype: Any, tmp_path: Path) -> None:
    """Also through a ``.keras`` file, and as a graph model: what was decoded lies on steps, which give them again."""
    model = randomised(on(LINE, layers.Dense(40), layers.Dense(30), layers.Dense(3)))
    quantized = convert(model, format="layers", quantize=dtype)
    back = quantized.to_keras()
    back.save(tmp_path / "back.keras")
    for source in (back, tmp_path / "back.keras"):
        again = convert(source, format="layers", quantize=dtype)
        assert again.read_weights(0, again.nbytes) == quantized.read_weights(0, quantized.nbytes)
        assert all(np.array_equal(again.weights[name], quantized.weights[name]) for name in quantized.weights)
    graph = convert(back, format="graph", quantize={dtype: "kernel"})
    stored = {part.tobytes() for part in quantized.groups[0].parts}
    assert sum(part.tobytes() in stored for part in graph.groups[0].parts) == len(quantized.groups[0].parts)


def test_nested_and_shared_models_come_back(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    left, right = keras.Input((6,), name="left"), keras.Input((6,), name="right")
    shared = layers.Dense(4, "tanh", name="shared")
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="deep"), layers.ELU()], name="inner")
    middle_in = keras.Input((4,))
    middle = keras.Model(middle_in, layers.Add(name="sum")([inner(middle_in), middle_in]), name="middle")
    outputs = [middle(shared(left)), inner(layers.Subtract(name="minus")([shared(left), shared(right)]))]
    model = randomised(keras.Model([left, right], outputs, name="whole"))
    converted_model = convert(model, format="layers")
    back = load(converted_model.save(tmp_path / "web")).to_keras()
    assert {layer.name for layer in back.layers} >= {"left", "right", "shared", "inner", "middle"}
    feed = samples_of(converted_model.inputs)
    expected = list(keras_outputs(model, feed).values())
    assert_matches(
        dict(enumerate(map(np.asarray, back(list(feed.values()))))), dict(enumerate(map(np.asarray, expected)))
    )
    assert_matches(
        dict(enumerate(tfjs_node.run(converted_model, feed).values())), dict(enumerate(map(np.asarray, expected)))
    )


@pytest.fixture(scope="module")
def native_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of models that TF.js built, ran and saved itself."""
    directory = tmp_path_factory.mktemp("native")
    subprocess.run([str(find_node()), str(JS_DIR / "conformance" / "native_models.mjs"), str(directory)], check=True)
    return directory


@pytest.mark.needs_node
@pytest.mark.parametrize("name", ["convolutional", "functional", "images", "recurrent", "volumes"])
def test_models_that_tfjs_saved_compute_what_tfjs_computes(name: str, native_models: Path) -> None:
    directory = native_models / name
    loaded = load(directory)
    back = loaded.to_keras()
    reference = json.loads((directory / "reference.json").read_text())
    inputs, expected = ([_tensor(row) for row in reference[key]] for key in ("inputs", "outputs"))
    got = back(inputs if len(inputs) > 1 else inputs[0])
    got = [np.asarray(one) for one in (got if isinstance(got, list) else [got])]
    assert_matches(dict(enumerate(got)), dict(enumerate(expected)))
    assert np.array_equal(
        sorted(map(np.sum, loaded.weights.values())), sorted(np.sum(np.asarray(w)) for w in back.weights)
    )


def _tensor(row: dict[str, Any]) -> Any:
    return np.array(row["values"], np.float32).reshape(row["shape"])


# ---------------------------------------------------------------------- Keras 2


def _official(model: Any, directory: Path) -> Path:
    """Write a Keras 2 model as the official converter lays it out: its own config, and its own weight names."""
    topology = {"keras_version": "2.15.0", "backend": "tensorflow", "model_config": json.loads(model.to_json())}
    entries = [WeightEntry(variable.name.removesuffix(":0"), variable.numpy()) for variable in model.weights]
    group = pack_weights(entries, patterns={}, shard_size_bytes=2**22)
    header = {"generatedBy": "keras v2.15.0", "convertedBy": "TensorFlow.js Converter v4.22.0"}
    written = TfjsModel(
        format="layers-model",
        inputs=(),
        outputs=(),
        topology=topology,
        header=header,
        groups=(group,),
        report=ConversionReport("test"),
    )
    return written.save(directory)


def _keras2_models() -> dict[str, Callable[[], Any]]:
    tf_keras = pytest.importorskip("tf_keras", reason="tf_keras, the extra keras2, is not installed")
    old = tf_keras.layers

    def functional() -> Any:
        tokens, image = tf_keras.Input((6,), name="tokens"), tf_keras.Input((8, 7, 3), name="image")
        x = old.Bidirectional(old.LSTM(3, recurrent_activation="hard_sigmoid"))(old.Embedding(9, 4)(tokens))
        inner = tf_keras.Sequential([old.Conv2D(4, 3, input_shape=(8, 7, 3)), old.BatchNormalization(), old.ReLU(6.0)])
        y = old.GlobalAveragePooling2D()(inner(image))
        gate = old.Dense(4, activation="sigmoid", name="gate")
        joined = old.Concatenate()([x, old.Multiply()([gate(y), y])])
        return tf_keras.Model([tokens, image], [old.Dense(3, "softmax")(joined), gate(y)], name="old")

    def sequential() -> Any:
        return tf_keras.Sequential(
            [
                old.DepthwiseConv2D(3, input_shape=(8, 7, 3), depth_multiplier=2, activation="hard_sigmoid"),
                old.LeakyReLU(0.1),
                old.ZeroPadding2D(1),
                old.Conv2D(4, 3, activation="swish"),
                old.LayerNormalization(),
                old.Reshape((-1, 4)),
                old.GRU(3, reset_after=False, return_sequences=True),
                old.TimeDistributed(old.Dense(2)),
            ]
        )

    return {"functional": functional, "sequential": sequential}


@pytest.mark.parametrize("name", ["functional", "sequential"])
def test_files_of_the_official_converter_come_back(name: str, tmp_path: Path, tfjs_node: TfjsNode) -> None:
    model = _keras2_models()[name]()
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.2, 1, w.shape) * rng.choice([-0.5, 0.5], w.shape) for w in model.get_weights()])
    for layer in model._flatten_layers():
        if type(layer).__name__ == "BatchNormalization":
            layer.moving_variance.assign(np.abs(layer.moving_variance))
    directory = _official(model, tmp_path / "web")
    inputs = [
        rng.integers(0, 9, (2, 6))
        if tensor.shape.rank == 2
        else rng.normal(size=(2, *tensor.shape[1:])).astype(np.float32)
        for tensor in model.inputs
    ]
    given = inputs if len(inputs) > 1 else inputs[0]
    loaded = load(directory)
    back = loaded.to_keras()
    got, expected = (
        dict(enumerate(np.asarray(one) for one in (outputs if isinstance(outputs, list) else [outputs])))
        for outputs in (back(given), model(given))
    )
    assert_matches(got, expected)
    feed = dict(zip((info.name for info in loaded.inputs), inputs, strict=True))
    in_tfjs = tfjs_node.run(loaded, feed)
    assert_matches(dict(enumerate(in_tfjs.values())), expected)


# ---------------------------------------------------------------------- weights alone


def test_weights_go_into_the_model_that_they_came_from(tfjs_node: TfjsNode) -> None:
    """As after training in TF.js: the same names, other numbers."""
    build = CASES["Bidirectional-concat"]
    model = randomised(build(), seed=1)
    result = packed(converted(model))
    other = randomised(keras.models.clone_model(model), seed=2)
    result.weights_into(other)
    assert all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(model.weights, other.weights, strict=True))
    feed = samples_of(result.inputs)
    assert_matches(tfjs_node.run(result, feed), keras_outputs(other, feed))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: on(LINE, layers.Dense(4, name="head")), "has shape"),
        (lambda: on(LINE, layers.Dense(3, name="tail")), "without 'tail/bias', 'tail/kernel'"),
        (lambda: on(LINE, layers.Dense(3, use_bias=False, name="head")), "with 'head/bias'"),
        (lambda: on(LINE, layers.Dense(3, "exponential", name="head")), "powers of e"),
        (lambda: on((4, 6), layers.Conv1DTranspose(3, 2, name="head")), "unlike those"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change: Callable[[], Any], message: str) -> None:
    result = convert(randomised(on(LINE, layers.Dense(3, name="head"))))
    target = change()
    before = [np.asarray(w).copy() for w in target.weights]
    with pytest.raises(UnsupportedModelError, match=message):
        result.weights_into(target)
    assert all(np.array_equal(a, np.asarray(b)) for a, b in zip(before, target.weights, strict=True))


def test_weights_in_another_form_are_refused() -> None:
    model = randomised(on(SEQUENCE, layers.DepthwiseConv1D(2, name="conv")))
    with pytest.raises(UnsupportedModelError, match="another form"):
        convert(model, format="layers").weights_into(model)


# ---------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"class_name": "Resizing", "config": {"name": "bad", "height": 2, "width": 2}}, "'Resizing'"),
        ({"class_name": "UpSampling2D", "config": {"name": "bad", "interpolation": "bilinear"}}, "interpolation"),
        ({"class_name": "BatchNormalization", "config": {"name": "bad", "axis": [1]}}, "axis=1"),
        ({"class_name": "ReLU", "config": {"name": "bad", "threshold": 0.5}}, "threshold=0.5"),
        ({"class_name": "Dense", "config": {"name": "bad", "units": 2, "sparkle": 3}}, "sparkle=3"),
        ({"class_name": "Dense", "config": {"name": "bad", "units": 2, "activation": "wobble"}}, "wobble"),
    ],
)
def test_what_keras_cannot_hold_is_refused_by_name(entry: dict[str, Any], message: str) -> None:
    first = {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 8, 7, 3]}}
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": [first, entry]}}
    with pytest.raises(UnsupportedModelError, match=rf"Layer 'bad' cannot become a Keras layer: .*{message}"):
        keras_model(config, {})


@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
def test_a_product_of_masked_tensors_is_refused() -> None:
    """Keras's Multiply would use the mask that TF.js ignores."""
    result = packed(converted(CASES["mask-composed"]()))
    with pytest.raises(UnsupportedModelError, match="multiplies a masked tensor"):
        result.to_keras()


def test_a_graph_model_has_no_layers() -> None:
    graph = convert(on(LINE, layers.Dense(3)), format="graph")
    with pytest.raises(UnsupportedModelError, match="holds a graph, not layers"):
        graph.to_keras()
    with pytest.raises(UnsupportedModelError, match="holds a graph, not layers"):
        graph.weights_into(on(LINE, layers.Dense(3)))


def test_missing_and_left_over_weights_are_told() -> None:
    converted_model = convert(on(LINE, layers.Dense(3, name="head")))
    topology, weights = converted_model.topology, converted_model.weights
    with pytest.raises(UnsupportedModelError, match="no weight 'head/bias'"):
        keras_model(topology, {"head/kernel": weights["head/kernel"]})
    with pytest.raises(UnsupportedModelError, match="'other/kernel' belong to no layer"):
        keras_model(topology, {**weights, "other/kernel": weights["head/kernel"]})
    with pytest.raises(UnsupportedModelError, match=r"shape \(2,\); its layer expects \(3,\)"):
        keras_model(topology, {**weights, "head/bias": weights["head/bias"][:2]})


@pytest.mark.needs_node
def test_hard_sigmoid_of_tfjs_goes_there_and_back_unchanged(native_models: Path, tmp_path: Path) -> None:
    loaded = load(native_models / "recurrent")
    back = loaded.to_keras()
    again = convert(back, format="layers")
    assert again.weights.keys() == loaded.weights.keys()
    assert all(np.array_equal(again.weights[name], array) for name, array in loaded.weights.items())
    back.save(tmp_path / "back.keras")
    reading = """
import sys
import numpy as np, tfjs_magic
web, again = tfjs_magic.load(sys.argv[1]), tfjs_magic.convert(sys.argv[2], format="layers")
print(all(np.array_equal(again.weights[name], array) for name, array in web.weights.items()))
"""
    words = [sys.executable, "-c", reading, str(native_models / "recurrent"), str(tmp_path / "back.keras")]
    done = subprocess.run(words, check=True, capture_output=True, text=True)  # where to_keras() was never called
    assert done.stdout == "True\n"


def test_a_regularizer_of_a_layer_that_is_called_often_counts_once_in_keras() -> None:
    inner_in = keras.Input((4,))
    leaf = layers.Dense(4, kernel_regularizer=keras.regularizers.L2(0.25), name="leaf")
    inner = keras.Model(inner_in, leaf(leaf(inner_in)), name="inner")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, inner(inner(inputs)))
    web = packed(converted(model))
    (layer,) = (
        one
        for one in web.model_json["modelTopology"]["model_config"]["config"]["layers"][1]["config"]["layers"]
        if one["name"] == "leaf"
    )
    assert layer["config"]["kernel_regularizer"]["config"] == {"l1": 0.0, "l2": 0.0625}
    assert web.to_keras().get_layer("inner").get_layer("leaf").kernel_regularizer.l2 == 0.25
