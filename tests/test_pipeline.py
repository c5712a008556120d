"""From what the user holds to what TF.js computes, through the whole pipeline."""

from __future__ import annotations

import warnings
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
from tests.published import published
from tfjs_magic import convert, load
from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedModelError, UnsupportedOpsError, WeightError
from tfjs_magic.model import TfjsModel

layers = keras.layers
#: oneDNN, which cannot be switched off in this process, rounds deep models by this much.
PUBLISHED_TOLERANCE = 1e-4
SHARED = [
    models.dense,
    models.conv_bn_relu,
    models.prelu,
    models.depthwise,
    models.shared_weights,
    models.two_outputs,
    models.two_inputs_two_outputs,
    models.small_cnn,
    models.lstm_text,
    models.nested,
]


def _check(tfjs_node: TfjsNode, model: TfjsModel, *, tolerance: float = 1e-5, unknown: int = 8) -> None:
    """Let TF.js and the source compute the same two samples."""
    assert model.reference is not None
    feeds = [models.samples_of(model.inputs, seed, unknown=unknown) for seed in (1, 2)]
    expected = [_narrow(model.reference(feed)) for feed in feeds]
    assert_telling(*expected, tolerance=tolerance)
    for backend in BACKENDS:
        for got, want in zip(tfjs_node.run_each(model, feeds, backend), expected, strict=True):
            assert list(got) == [info.name for info in model.outputs]
            assert_matches(got, want, tolerance=tolerance)
            # TF.js itself leaks layers that are called twice.
            assert got.leaked_tensors == 0 or model.format == "layers-model"


def _narrow(outputs: dict[str, Array]) -> dict[str, Array]:
    return {name: x.astype(np.float32) if x.dtype.kind == "f" else x for name, x in outputs.items()}


def _saved(tmp_path: Path, module: tf.Module, **signatures: Any) -> Path:
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=signatures)
    return tmp_path / "saved"


def _signature(function: Callable[..., Any], *specs: tf.TensorSpec) -> Any:
    return tf.function(function, autograph=False).get_concrete_function(*specs)


# ---- Keras models


@pytest.mark.parametrize("build", SHARED)
def test_keras_models_as_graphs(tfjs_node: TfjsNode, build: Callable[[], Any]) -> None:
    _check(tfjs_node, convert(build(), format="graph"))


@pytest.mark.parametrize("build", SHARED)
def test_keras_models_by_themselves(tfjs_node: TfjsNode, build: Callable[[], Any]) -> None:
    model = convert(build())
    assert model.report.reasons
    _check(tfjs_node, model)


def _image_model(*stack: Any) -> Any:
    x = inputs = keras.Input((8, 8, 3))
    for layer in stack:
        x = layer(x)
    return models.randomised(keras.Model(inputs, x))


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(
            lambda: _image_model(layers.Conv2DTranspose(4, 3, strides=2), layers.BatchNormalization()), id="transposed"
        ),
        pytest.param(
            lambda: _image_model(layers.DepthwiseConv2D(3, depth_multiplier=2), layers.BatchNormalization()),
            id="depthwise",
        ),
        pytest.param(
            lambda: _image_model(layers.Conv2D(4, 3, activation="gelu"), layers.LayerNormalization()), id="gelu"
        ),
        pytest.param(lambda: _image_model(layers.DepthwiseConv2D(3), layers.LeakyReLU(0.3)), id="leaky-depthwise"),
        pytest.param(lambda: _image_model(layers.SeparableConv2D(4, 3), layers.LeakyReLU(0.3)), id="leaky-separable"),
        pytest.param(lambda: _image_model(layers.Dense(4, activation="silu"), layers.UnitNormalization()), id="silu"),
        pytest.param(
            lambda: _image_model(layers.UpSampling2D(2), layers.AveragePooling2D(3, padding="same")), id="upsampling"
        ),
        pytest.param(lambda: _image_model(layers.Reshape((64, 3)), layers.GRU(4, return_sequences=True)), id="gru"),
        pytest.param(
            lambda: _image_model(layers.Reshape((64, 3)), layers.Conv1D(4, 3), layers.GlobalMaxPooling1D()), id="conv1d"
        ),
        pytest.param(
            lambda: _image_model(layers.BatchNormalization(), layers.ReLU(), layers.Conv2D(2, 1)), id="norm-first"
        ),
    ],
)
def test_more_layers_as_graphs(tfjs_node: TfjsNode, model: Callable[[], Any]) -> None:
    _check(tfjs_node, convert(model(), format="graph"))


def test_attention_runs_on_every_backend(tfjs_node: TfjsNode) -> None:
    inputs = keras.Input((5, 8))
    model = convert(
        models.randomised(keras.Model(inputs, layers.MultiHeadAttention(2, 4)(inputs, inputs))), format="graph"
    )
    assert set(model.report.backends.values()) == {()}
    _check(tfjs_node, model)


def test_a_frozen_batch_norm_folds_away() -> None:
    ops = convert(models.conv_bn_relu(), format="graph").report.ops
    assert ops == {"_FusedConv2D": 2}


def test_inputs_that_look_alike_keep_their_order(tfjs_node: TfjsNode) -> None:
    """Same dtype and shape: only names and order tell them apart."""
    names = ("zebra", "apple", "mango")
    inputs = [keras.Input((3,), name=name) for name in names]
    outputs = {
        f"out_{name}": layers.Identity()(x * float(i)) for i, (name, x) in enumerate(zip(names, inputs, strict=True), 1)
    }
    model = convert(keras.Model(inputs, outputs), format="graph")
    assert [info.name for info in model.inputs] == list(names)
    _check(tfjs_node, model)


def test_inputs_as_a_dict(tfjs_node: TfjsNode) -> None:
    inputs = {"b": keras.Input((3,), name="b"), "a": keras.Input((3,), name="a")}
    model = convert(keras.Model(inputs, layers.Subtract()([inputs["b"], inputs["a"]])), format="graph")
    assert sorted(info.name for info in model.inputs) == ["a", "b"]
    _check(tfjs_node, model)


def test_a_dict_of_outputs_stays_one_in_javascript() -> None:
    model = convert(models.two_inputs_two_outputs(), format="graph")
    names = [info.name for info in model.outputs]
    assert model.model_json["userDefinedMetadata"]["structuredOutputKeys"] == names


def test_outputs_may_repeat_and_pass_through(tfjs_node: TfjsNode) -> None:
    inputs = keras.Input((3,), name="x")
    y = layers.Dense(2, name="y")(inputs)
    model = convert(models.randomised(keras.Model(inputs, [y, inputs, y])), format="graph")
    assert len({info.name for info in model.outputs}) == 3
    _check(tfjs_node, model)


def test_an_unused_input_stays(tfjs_node: TfjsNode) -> None:
    used, unused = keras.Input((3,), name="used"), keras.Input((2,), name="unused")
    model = convert(models.randomised(keras.Model([unused, used], layers.Dense(2)(used))), format="graph")
    assert [info.name for info in model.inputs] == ["unused", "used"]
    _check(tfjs_node, model)


def test_some_of_the_outputs(tfjs_node: TfjsNode) -> None:
    whole = models.two_inputs_two_outputs()
    model = convert(whole, outputs="area")
    assert (model.format, [info.name for info in model.outputs]) == ("graph-model", ["area"])
    feed = models.samples_of(model.inputs)
    expected = models.keras_outputs(whole, feed)["area"]
    assert_matches(tfjs_node.run(model, feed), {"area": expected})


def test_fixed_inputs(tfjs_node: TfjsNode) -> None:
    model = convert(models.conv_bn_relu(), inputs={"image": (1, 9, 8, 3)})
    assert model.format == "graph-model"
    assert model.inputs[0].shape == (1, 9, 8, 3)
    _check(tfjs_node, model)


def test_keras_files(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    source = models.small_cnn()
    for suffix in (".keras", ".h5"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras calls h5 legacy
            source.save(tmp_path / f"model{suffix}")
        model = convert(str(tmp_path / f"model{suffix}"))
        _check(tfjs_node, model)


def test_integer_inputs_have_bounds() -> None:
    model = convert(models.lstm_text(), format="graph")
    assert [(info.dtype, info.upper_bound) for info in model.inputs] == [("int32", 11)]


@pytest.mark.parametrize("quantize", ["float16", "uint8", "uint16"])
def test_quantized_weights_are_what_the_model_says(tfjs_node: TfjsNode, quantize: str) -> None:
    """TF.js computes with the decoded weights; Python with the same gives the same."""
    source = models.dense()
    model = convert(source, format="graph", quantize=quantize)
    assert model.nbytes < convert(source, format="graph").nbytes
    decoded = sorted(model.weights.values(), key=lambda array: array.shape)
    for variable in source.weights:
        (match,) = [array for array in decoded if array.shape == tuple(variable.shape)]
        variable.assign(match)
    feed = models.samples_of(model.inputs)
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(model, feed, backend), models.keras_outputs(source, feed))


def test_a_model_is_a_snapshot(tfjs_node: TfjsNode) -> None:
    source = models.dense()
    model = convert(source, format="graph")
    feed = models.samples_of(model.inputs)
    assert model.reference is not None
    before = model.reference(feed)
    assert not model.reference.changed()
    source.compile("sgd", "mse")
    source.fit(np.ones((4, 6)), np.ones((4, 3)), verbose=0)
    assert model.reference.changed()
    assert_matches(tfjs_node.run(model, feed), before)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    source = models.conv_bn_relu()
    first, second = (convert(source, format="graph").save(tmp_path / name) for name in "ab")
    assert {p.name: p.read_bytes() for p in first.iterdir()} == {p.name: p.read_bytes() for p in second.iterdir()}


def test_saved_and_loaded(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    model = convert(models.two_inputs_two_outputs(), format="graph", weight_shard_size_bytes=100)
    again = load(model.save(tmp_path / "web"))
    assert (again.inputs, again.outputs) == (tuple(model.inputs), tuple(model.outputs))
    feed = models.samples_of(model.inputs)
    assert_matches(tfjs_node.run(again, feed), tfjs_node.run(model, feed), tolerance=0)


# ---- SavedModels


class Arithmetic(tf.Module):
    """Two signatures over one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable(np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32))

    def first(self, zeta: tf.Tensor, alpha: tf.Tensor) -> dict[str, tf.Tensor]:
        y = tf.nn.relu((zeta - 2 * alpha) @ self.weight)
        return {"sum": tf.reduce_sum(y, 1), "all": y, "again": y}

    def second(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.exp(x)}


@pytest.fixture
def saved_model(tmp_path: Path) -> Path:
    module = Arithmetic()
    zeta, alpha = (tf.TensorSpec([None, 3], name=name) for name in ("zeta", "alpha"))
    first = _signature(module.first, zeta, alpha)
    return _saved(
        tmp_path, module, serving_default=first, other=_signature(module.second, tf.TensorSpec([2], name="x"))
    )


def test_saved_model(tfjs_node: TfjsNode, saved_model: Path) -> None:
    model = convert(saved_model)
    assert {info.name for info in model.inputs} == {"alpha", "zeta"}
    assert {info.name for info in model.outputs} == {"again", "all", "sum"}
    assert model.report.reasons == ("SavedModel 'saved', signature 'serving_default' is a graph.",)
    _check(tfjs_node, model)


def test_nan_among_the_weights_is_no_change(tmp_path: Path) -> None:
    module = tf.Module()
    module.weight = tf.Variable([np.nan, 1.0])
    function = _signature(lambda x: {"y": x * module.weight}, tf.TensorSpec([2], name="x"))
    for source in (_saved(tmp_path, module, serving_default=function), function):
        reference = convert(source).reference
        assert reference is not None
        assert not reference.changed()


def test_nodes_of_a_saved_model_keep_their_names(saved_model: Path) -> None:
    """As TensorFlow lays a signature out: its body is one call."""
    names = {node["name"] for node in convert(saved_model).topology["node"]}
    assert any(name.startswith("StatefulPartitionedCall/") for name in names)
    assert not any(name.startswith("StatefulPartitionedCall/StatefulPartitionedCall") for name in names)


def test_another_signature(tfjs_node: TfjsNode, saved_model: Path) -> None:
    model = convert(str(saved_model), signature="other")
    assert [info.name for info in model.outputs] == ["y"]
    _check(tfjs_node, model)


def test_a_saved_keras_model(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    source = models.lstm_text()
    source.export(tmp_path / "saved", verbose=False)
    _check(tfjs_node, convert(tmp_path / "saved"))


def test_integers_and_scalars(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    module = tf.Module()
    specs = tf.TensorSpec([], tf.int64, name="n"), tf.TensorSpec([None], tf.uint8, name="x")
    function = _signature(lambda n, x: {"y": tf.cast(x, tf.int64) * n, "z": n + 1}, *specs)
    model = convert(_saved(tmp_path, module, serving_default=function))
    feed = {"n": np.array(3), "x": np.array([1, 200], np.uint8)}
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(model, feed, backend), {"y": np.array([3, 600]), "z": np.array(4)})


@pytest.mark.parametrize(
    ("name", "path", "options"),
    [
        ("mnist_cnn_keras38", "original/model.keras", {}),
        ("mnist_cnn_keras38", "original/model.keras", {"format": "graph"}),
        ("raman_autoencoder_keras3", "original/autoencoder.keras", {"format": "graph"}),
        ("ner_lstm_keras3", "original", {"format": "graph"}),
        ("reversi_keras_savedmodel", "original/model", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else (value or {}).get("format", ""),
)
def test_published_models(tfjs_node: TfjsNode, name: str, path: str, options: dict[str, Any]) -> None:
    """Their own samples, and the outputs that TensorFlow gave where they were published."""
    source = published(name) / path
    if source.is_dir() and not (source / "saved_model.pb").exists():
        (source,) = source.glob("*.keras")
    _check(tfjs_node, convert(source, **options), tolerance=PUBLISHED_TOLERANCE)


@pytest.mark.parametrize(
    ("name", "dtype"), [("times_three_float", np.float32), ("times_two_int", np.int32), ("int64_multiply", np.int64)]
)
def test_published_scalar_models(tfjs_node: TfjsNode, name: str, dtype: type[np.generic]) -> None:
    model = convert(published("tfjs_node_test_savedmodels") / "original" / name)
    feed = {
        info.name: np.full([size or 1 for size in info.shape or ()], 7 + i, dtype)
        for i, info in enumerate(model.inputs)
    }
    assert model.reference is not None
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(model, feed, backend), model.reference(feed))


# ---- bad input: one clear sentence


class Subclassed(keras.Model):
    """A model that knows no inputs."""

    def call(self, x: Any) -> Any:
        return x


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param(
            "no/such/model", r"'no/such/model' does not exist; expected a Keras model, or the path", id="path"
        ),
        pytest.param(Path(__file__), r"test_pipeline\.py' is of no kind that can be converted", id="file"),
        pytest.param(Path(__file__).parent, r"holds no saved_model\.pb, so it is no SavedModel", id="directory"),
        pytest.param(3, "An object of type builtins.int is no model", id="number"),
        pytest.param(None, "An object of type builtins.NoneType is no model", id="none"),
        pytest.param(keras.Model, "An object of type builtins.type is no model", id="class"),
        pytest.param(layers.Dense(3), r"A Keras layer \(keras\..*Dense\) is no model.*Wrap it", id="layer"),
        pytest.param(
            keras.Sequential([layers.Dense(3)], name="lazy"),
            "model 'lazy' has no known inputs: it is not built",
            id="unbuilt",
        ),
        pytest.param(Subclassed(name="sub"), "model 'sub' has no known inputs|is subclassed", id="subclassed"),
    ],
)
def test_refuses_what_is_no_model(source: object, message: str) -> None:
    with pytest.raises(UnsupportedModelError, match=message) as caught:
        convert(source)
    assert "\n" not in str(caught.value)


def test_refuses_damaged_files(tmp_path: Path) -> None:
    (tmp_path / "broken.keras").write_bytes(b"no zip")
    with pytest.raises(UnsupportedModelError, match=r"broken\.keras' is damaged or no Keras file: ") as caught:
        convert(tmp_path / "broken.keras")
    assert "\n" not in str(caught.value)
    (tmp_path / "half.keras").write_bytes(b"PK no zip")
    with pytest.raises(UnsupportedModelError, match=r"half\.keras' is damaged: File is not a zip file\.$"):
        convert(tmp_path / "half.keras")
    (tmp_path / "saved_model.pb").write_bytes(b"no protobuf")
    with pytest.raises(UnsupportedModelError, match="is damaged or no SavedModel") as caught:
        convert(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda x: keras.layers.Dense(2)(x) + 1.0, "'Add'"),
        (lambda x: keras.ops.flip(x[:, :2]), "'Flip', 'GetItem'"),
        (lambda x: keras.ops.mean(x, axis=1), "'Mean'"),
    ],
)
def test_operations_in_an_hdf5_file_lead_to_a_keras_file(
    tmp_path: Path, make: Callable[[Any], Any], named: str, *, trust: bool
) -> None:
    x = keras.Input((4,))
    keras.Model(x, make(x)).save(tmp_path / "m.h5")
    with pytest.raises(UnsupportedModelError, match=f"holds {named}, operations of keras.ops .* a .keras file"):
        convert(tmp_path / "m.h5", trust=trust)


def test_a_class_without_options_of_a_layer_is_no_operation(tmp_path: Path) -> None:
    class Mine(keras.layers.Layer):
        def get_config(self) -> dict[str, Any]:
            return {"name": self.name}

        def call(self, inputs: Any) -> Any:
            return inputs

    x = keras.Input((4,))
    keras.Model(x, Mine()(x)).save(tmp_path / "m.h5")
    with pytest.raises(UnsupportedModelError, match="the class 'Mine'"):
        convert(tmp_path / "m.h5")


def test_code_in_a_file_needs_trust(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Lambda(lambda x: x + 1, name="lambda")])
    model.save(tmp_path / "m.keras")
    with pytest.raises(UnsupportedModelError, match=r"the Lambda layer 'lambda'.*pass trust=True"):
        convert(tmp_path / "m.keras")


def test_a_saved_model_has_no_layers(saved_model: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="cannot become a layers model: it holds a graph") as caught:
        convert(saved_model, format="layers")
    assert caught.value.stage == "layers"


def test_an_unknown_signature_is_refused_with_the_known_ones(saved_model: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="no signature or function 'third'; it has"):
        convert(saved_model, signature="third")


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.pb", "m.tar.gz", "model.json"])
def test_says_what_a_git_lfs_pointer_is(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n")
    with pytest.raises(UnsupportedModelError, match=r"is a Git LFS pointer, .* run 'git lfs pull'"):
        convert(tmp_path / name)


def test_a_saved_model_without_signatures_gives_its_call(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 2], name="x")])
        def __call__(self, x: Any) -> Any:
            return {"y": 3 * x}

        @tf.function(input_signature=[tf.TensorSpec([None, 2], name="x")])
        def half(self, x: Any) -> Any:
            return x / 2

    tf.saved_model.save(Model(), str(tmp_path / "saved"))
    x = np.array([[1.0, 2.5]], np.float32)
    called, halved = convert(tmp_path / "saved"), convert(tmp_path / "saved", signature="half")
    assert called.report.source == "SavedModel 'saved', function '__call__'"
    assert_matches(tfjs_node.run(called, {"x": x}), {"y": 3 * x})
    assert_matches(tfjs_node.run(halved, {"x": x}), {"output_0": x / 2})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"outputs": ["speed"]}, "has no output 'speed'; it has 'area', 'label'", id="output"),
        pytest.param({"outputs": []}, r"outputs names \[\]", id="no-output"),
        pytest.param({"outputs": ["area", "area"]}, "at most once", id="output-twice"),
        pytest.param({"inputs": {"speed": (1,)}}, "inputs names 'speed'; .* has 'extra', 'image'", id="input"),
        pytest.param({"inputs": {"image": (1, 5, 5, 1)}}, "Input 'image' has shape .* does not fit", id="shape"),
        pytest.param({"outputs": ["area"], "format": "layers"}, "only a graph model has them", id="layers"),
        pytest.param(
            {"quantize": {"uint8": "*", "uint16": "*"}}, "matches the pattern '\\*' of uint16 and uint8", id="two"
        ),
    ],
)
def test_refuses_what_does_not_fit_the_model(options: dict[str, Any], message: str) -> None:
    with pytest.raises((UnsupportedModelError, WeightError), match=message):
        convert(models.two_inputs_two_outputs(), **options)


def test_unsupported_ops_are_named_at_once_with_their_nodes(tmp_path: Path) -> None:
    spec = tf.TensorSpec([4], name="x")
    function = _signature(lambda x: {"y": tf.math.lgamma(x, name="first") + tf.math.digamma(x, name="second")}, spec)
    path = _saved(tmp_path, tf.Module(), serving_default=function)
    with pytest.raises(
        UnsupportedOpsError, match=r"does not have Digamma \(node .*second'\), Lgamma \(node .*first'\)"
    ) as caught:
        convert(path)
    assert sorted(caught.value.ops) == ["Digamma", "Lgamma"]
    assert convert(path, skip_op_check=True).report.ops["Lgamma"] == 1


def test_an_unsupported_op_names_its_layer() -> None:
    inputs = keras.Input((4,))
    outputs = layers.Lambda(tf.math.lgamma, name="my_layer")(inputs)
    with pytest.raises(UnsupportedOpsError, match=r"Lgamma \(node '.*my_layer.*/Lgamma'\)"):
        convert(keras.Model(inputs, outputs), format="graph")


def test_a_hostile_layer_name_is_refused_as_graph_only() -> None:
    name = "<img src=x onerror=alert(1)>"
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, name=name)])
    with pytest.raises(UnsupportedModelError, match="TensorFlow cannot trace layers named '<img src=x"):
        convert(model, format="graph")


def test_a_subclassed_model_is_converted_once_it_is_wrapped(tfjs_node: TfjsNode) -> None:
    inputs = keras.Input((3,))
    _check(tfjs_node, convert(keras.Model(inputs, Subclassed()(inputs) * 2), format="graph"))


def test_steps_are_told() -> None:
    steps: list[str] = []
    model = convert(models.dense(), format="graph", progress=steps.append)
    assert steps == ["load", "trace", "grappler", "passes", "pack"]
    assert list(model.report.seconds) == steps


def test_fixed_inputs_of_a_saved_model_reach_the_graph(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((8, 8, 3), name="image"), keras.layers.Flatten(), keras.layers.Dense(4)])
    model.export(tmp_path / "exported", verbose=False)
    converted = convert(tmp_path / "exported", inputs={"image": (1, 8, 8, 3)})
    assert [info.shape for info in converted.inputs] == [(1, 8, 8, 3)]
    inputs = {"image": np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype(np.float32)}
    assert_matches(tfjs_node.run(converted, inputs, backend="wasm"), converted.reference(inputs))


@pytest.mark.parametrize("wish", [{"nope": (1, 8)}, {"x": (1, 9)}, {"x": (1, 8, 1)}, {"x": (0, 8)}])
def test_inputs_that_do_not_fit_are_refused(tmp_path: Path, wish: dict[str, Any]) -> None:
    model = keras.Sequential([keras.Input((8,), name="x"), keras.layers.Dense(2)])
    model.export(tmp_path / "exported", verbose=False)
    for source in (model, tmp_path / "exported"):
        with pytest.raises(UnsupportedModelError, match=r"does not fit it|inputs names 'nope'"):
            convert(source, inputs=wish, format="graph")


def test_a_free_dimension_may_be_written_as_minus_one() -> None:
    model = keras.Sequential([keras.Input((8,), name="x"), keras.layers.Dense(2)])
    assert convert(model, inputs={"x": (-1, 8)}, format="graph").inputs[0].shape == (None, 8)


def test_a_model_that_keras_itself_cannot_run_is_one_sentence() -> None:
    class Broken(keras.layers.Layer):
        def call(self, inputs: Any, training: bool = True) -> Any:  # noqa: FBT001, FBT002 - Keras's signature
            if training is False:
                raise ValueError("out of order")
            return inputs

    x = keras.Input((4,))
    model = keras.Model(x, Broken()(x), name="broken")
    with pytest.raises(
        UnsupportedModelError,
        match=r"'broken' cannot be traced with 'input_layer.*: ValueError.*Keras itself fails on it",
    ):
        convert(model, format="graph")


def test_auto_gives_each_reason_once_and_says_not_what_it_does_itself() -> None:
    gru = [keras.layers.GRU(2, return_sequences=True, name=f"gru_{i}") for i in range(5)]
    model = keras.Sequential([keras.Input((None, 2)), *gru])
    reasons = convert(model).report.reasons
    assert len(reasons) == 2
    assert reasons[1].startswith("5 layers, 'gru_0', 'gru_1', 'gru_2' … and 2 more: ")
    assert "format='graph'" not in reasons[1]
    with pytest.raises(UnsupportedModelError, match="format='graph'"):
        convert(model, format="layers")


def test_a_layers_model_is_never_told_to_be_a_graph_model_that_fails_too() -> None:
    gru = keras.Sequential([keras.Input((3, 2), batch_size=1), keras.layers.GRU(2, stateful=True, name="gru")])
    for form in ("layers", "auto"):
        with pytest.raises(UnsupportedModelError, match=r"writes the variable '[^']*gru/rnn_state' while") as caught:
            convert(gru, format=form)
        assert "Train it with reset_after=False." in str(caught.value)
        assert "format='graph'" not in str(caught.value)


def test_a_quantization_pattern_means_the_same_in_both_formats() -> None:
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(4, name="dense_1"), keras.layers.Dense(2, name="out")]
    )
    for form in ("layers", "graph"):
        specs = convert(model, format=form, quantize={"uint8": "dense_1/kernel"}).groups[0].specs
        assert [spec.shape for spec in specs if spec.quantization] == [(8, 4)]


def test_random_numbers_are_mentioned() -> None:
    function = tf.function(lambda x: x + tf.random.uniform([3])).get_concrete_function(tf.TensorSpec((3,), name="x"))
    (note,) = (note for note in convert(function).report.notes if "random" in note)
    assert "RandomUniform" in note


def test_a_ragged_output_is_refused() -> None:
    x = keras.Input((), dtype="string")
    model = keras.Model(x, layers.TextVectorization(vocabulary=["a"], ragged=True, name="words")(x))
    with pytest.raises(UnsupportedModelError, match="returns a RaggedTensor as 'words'; expected dense tensors"):
        convert(model, format="graph")
