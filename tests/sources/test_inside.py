"""Models that begin at a tensor inside: functions, SavedModels and Keras models, against TensorFlow in real TF.js."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.sources.v1_models import normal
from tfjs_magic import convert
from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedModelError, UnsupportedOpsError
from tfjs_magic.model import TfjsModel


def _check(tfjs_node: TfjsNode, model: TfjsModel, feeds: list[dict[str, Array]], expected: list[Any]) -> None:
    """Compare TF.js and the reference with what TensorFlow computed."""
    assert model.reference is not None
    for backend in BACKENDS:
        for feed, got, want in zip(feeds, tfjs_node.run_each(model, feeds, backend), expected, strict=True):
            wanted = {name: np.asarray(value) for name, value in want.items()}
            assert_matches(got, wanted)
            assert_matches(model.reference(feed), wanted)


class _Photos(tf.Module):
    """Decodes a JPEG file, and has a variable and a table behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(normal(3, 2))
        rows = tf.lookup.KeyValueTensorInitializer([0, 1], tf.constant([0.25, -3.0]))
        self.table = tf.lookup.StaticHashTable(rows, 7.0)

    @tf.function(input_signature=[tf.TensorSpec((), tf.string, name="file"), tf.TensorSpec((), tf.int32, name="kind")])  # type: ignore[untyped-decorator]
    def __call__(self, file: Any, kind: Any) -> Any:
        pixels = tf.cast(tf.io.decode_jpeg(file, 3), tf.float32)
        return self.behind(tf.image.resize(pixels, (4, 4), name="resized"), kind)

    def behind(self, pixels: Any, kind: Any) -> dict[str, Any]:
        pixels = tf.multiply(pixels, 2.0, name="scaled")
        y = tf.cond(tf.reduce_sum(pixels) > 0, lambda: pixels @ self.kernel, lambda: -pixels @ self.kernel[::-1])
        return {"sum": tf.reduce_sum(y) + self.table.lookup(kind), "y": y}


@pytest.mark.parametrize("saved", [False, True], ids=["module", "saved-model"])
@pytest.mark.parametrize("name", ["scaled", "StatefulPartitionedCall/scaled:0"])
def test_behind_a_decoder(tfjs_node: TfjsNode, tmp_path: Path, name: str, *, saved: bool) -> None:
    photos = _Photos()
    source: Any = tmp_path / "photos" if saved else photos
    if saved:
        tf.saved_model.save(photos, source)
    with pytest.raises(UnsupportedOpsError, match=r"DecodeJpeg \(node 'StatefulPartitionedCall/DecodeJpeg'\)"):
        convert(source)
    model = convert(source, inputs={name: (4, 4, 3)})
    public = name.removesuffix(":0")
    assert [(info.name, info.dtype, info.shape) for info in model.inputs] == [
        ("kind", "int32", ()),
        (public, "float32", (4, 4, 3)),
    ]
    assert f"The model begins at '{public}': what computes it is left out." in model.report.notes
    feeds = [{public: normal(4, 4, 3, seed=seed), "kind": np.array(seed, np.int32)} for seed in range(3)]
    _check(tfjs_node, model, feeds, [photos.behind(feed[public] / 2, tf.constant(feed["kind"])) for feed in feeds])
    del source, photos
    assert model.reference is not None
    assert model.reference(feeds[0]).keys() == {"sum", "y"}  # what it reads is kept alive


def test_a_free_shape_is_kept_or_fixed(tfjs_node: TfjsNode) -> None:
    signature = [tf.TensorSpec((None, None), name="x")]
    function = tf.function(lambda x: tf.exp(tf.nn.relu(x, name="positive")), input_signature=signature)
    assert convert(function, inputs={"positive": None}).inputs[0].shape == (None, None)
    model = convert(function, inputs={"positive": (2, None)})
    assert model.inputs[0].shape == (2, None)
    _check(tfjs_node, model, [{"positive": normal(2, 3)}], [{"output_0": np.exp(normal(2, 3))}])


def _text_model() -> Any:
    text = keras.Input((1,), dtype="string", name="text")
    ids = keras.layers.TextVectorization(output_sequence_length=5, vocabulary=["a", "b", "c"], name="ids")(text)
    hidden = keras.layers.Embedding(6, 4, mask_zero=True, name="embedding")(ids)
    model = keras.Model(text, keras.layers.LSTM(3, name="lstm")(hidden))
    model.set_weights([normal(*weight.shape, seed=seed) for seed, weight in enumerate(model.get_weights())])
    return model


def test_behind_text_vectorization_by_the_layers_name(tfjs_node: TfjsNode) -> None:
    source = _text_model()
    nodes = {layer.name: len(layer._inbound_nodes) for layer in source.layers}
    model = convert(source, inputs={"ids": (None, 5)})
    assert nodes == {layer.name: len(layer._inbound_nodes) for layer in source.layers}
    assert [(info.name, info.dtype, info.shape) for info in model.inputs] == [("ids", "int32", (None, 5))]
    texts = tf.constant([["a b"], ["c c x a b"]])
    feed = {"ids": source.get_layer("ids")(texts).numpy().astype(np.int32)}
    _check(tfjs_node, model, [feed], [{"lstm": source(texts)}])


def test_a_mask_from_before_the_beginning_still_counts(tfjs_node: TfjsNode) -> None:
    source = _text_model()
    with pytest.raises(UnsupportedOpsError, match="StringSplitV2"):
        convert(source, inputs={"embedding": (None, 5, 4)})
    model = convert(source, inputs={"embedding": (None, 5, 4), "ids": (None, 5)})
    texts = tf.constant([["a b"], ["c c x a b"]])
    ids = source.get_layer("ids")(texts)
    feed = {"embedding": source.get_layer("embedding")(ids).numpy(), "ids": ids.numpy().astype(np.int32)}
    _check(tfjs_node, model, [feed], [{"lstm": source(texts)}])


def test_layers_that_give_no_one_tensor_are_refused() -> None:
    image = keras.Input((3,))
    shared = keras.layers.Dense(3, name="shared")
    model = keras.Model(image, shared(shared(image)))
    with pytest.raises(UnsupportedModelError, match=r"'shared' .* does not give one tensor: it is called several"):
        convert(model, inputs={"shared": None})


def test_a_layers_known_shape_is_the_inputs() -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(5, 3, name="conv"), keras.layers.ReLU()])
    assert convert(model, inputs={"conv": None}).inputs[0].shape == (None, 6, 6, 5)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_tensor_before_another_one_is_refused(tmp_path: Path, *, frozen: bool) -> None:
    signature = [tf.TensorSpec((2,), name="x")]
    source: Any = tf.function(lambda x: tf.exp(tf.nn.relu(tf.sin(x, "a"), "b"), "y"), input_signature=signature)
    if frozen:
        graph_def = source.get_concrete_function().graph.as_graph_def()
        source = tmp_path / "net.pb"
        source.write_bytes(graph_def.SerializeToString())
    with pytest.raises(UnsupportedModelError, match=r"inputs names 'a' of .* other tensors that it names"):
        convert(source, inputs={"a": None, "b": None}, **({"outputs": ["y"]} if frozen else {}))


class _Counter(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.count = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec((), name="x")])  # type: ignore[untyped-decorator]
    def __call__(self, x: Any) -> Any:
        self.count.assign_add(1.0)
        return tf.exp(x, name="exp") * self.count


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("speed", "has 'x', and its outputs are computed from no tensor of that name", id="unknown"),
        pytest.param("exp", "writes variables .* so it cannot begin at 'exp'", id="variable"),
    ],
)
def test_refusals_say_why(name: str, message: str) -> None:
    with pytest.raises(UnsupportedModelError, match=message):
        convert(_Counter(), inputs={name: None})
