"""Lookup tables: in memory, in SavedModels of TensorFlow 1 and 2, from tensors and from vocabulary files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.sources.v1_models import save_v1
from tfjs_magic import convert, load
from tfjs_magic.errors import UnsupportedModelError, WeightError
from tfjs_magic.model import TfjsModel

v1 = tf.compat.v1
lookup = tf.lookup
WORDS = np.array(["bee", "gnu", "ant", "bée", "", "cat", "bee"], dtype=object)
FIELDS = lookup.TextFileIndex


def _vocabulary(directory: Path) -> str:
    file = directory / "animals.txt"
    file.write_text("ant\t10\nbee\t20\nbée\t30\ncat\t40\n", encoding="utf-8")
    return str(file)


def _same(node: TfjsNode, model: TfjsModel, feed: dict[str, Any], expected: dict[str, Any]) -> None:
    assert model.reference is not None
    assert_matches(model.reference(feed), expected)
    for backend in BACKENDS:
        got = node.run(model, feed, backend)
        assert_matches(got, expected)
        assert got.executed_async
        assert got.leaked_tensors == 0


class _Tables(tf.Module):
    def __init__(self, file: str) -> None:
        self.whole = lookup.StaticHashTable(
            lookup.TextFileInitializer(file, tf.string, FIELDS.WHOLE_LINE, tf.int64, FIELDS.LINE_NUMBER), -1
        )
        self.column = lookup.StaticHashTable(
            lookup.TextFileInitializer(file, tf.string, 0, tf.int64, 1, delimiter="\t"), -1
        )
        self.names = lookup.StaticHashTable(
            lookup.KeyValueTensorInitializer(tf.constant([10, 20, 40], tf.int64), ["Ant", "Bée", "Cat"]), "?"
        )
        self.unused = lookup.StaticHashTable(lookup.KeyValueTensorInitializer([2**40], [1.0]), 0.0)

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.string, name="word")])
    def __call__(self, word: Any) -> Any:
        number = self.column.lookup(word)
        return {
            "number": number,
            "name": self.names.lookup(number),
            "line": self.whole.lookup(word),
            "again": self.column.lookup(word[0]) + 1,
        }


@pytest.mark.parametrize("how", ["memory", "saved"])
def test_tables_of_tensorflow_2(tfjs_node: TfjsNode, tmp_path: Path, how: str) -> None:
    module = _Tables(_vocabulary(tmp_path))
    feed = {"word": WORDS[:6].reshape(2, 3)}
    expected = {name: value.numpy() for name, value in module(tf.constant(feed["word"])).items()}
    assert sorted(set(expected["number"].ravel().tolist())) == [-1, 10, 20, 30, 40]
    source: Any = module
    if how == "saved":
        tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.__call__)
        (tmp_path / "animals.txt").unlink()  # the SavedModel has its own copy
        source = tmp_path / "saved"
    model = convert(source)
    assert [info.name for info in model.inputs] == ["word"]
    _same(tfjs_node, model, feed, expected)
    assert model.model_json == convert(source).model_json


def test_a_table_in_a_loop_and_a_branch(tfjs_node: TfjsNode) -> None:
    rows = lookup.KeyValueTensorInitializer(tf.range(1, 6), tf.constant([2, 3, 4, 5, 1]))
    table = lookup.StaticHashTable(rows, 0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name="x")])
    def function(x: Any) -> Any:
        for _ in tf.range(tf.shape(x)[0]):
            x = table.lookup(x)
        return x if tf.reduce_sum(x) > 6 else table.lookup(x) * 10

    for x in (np.int32([1, 2, 7]), np.int32([5, 5, 4, 3])):
        _same(tfjs_node, convert(function), {"x": x}, {"output_0": function(x).numpy()})


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
def test_lookup_layers(tfjs_node: TfjsNode, mode: str) -> None:
    words, numbers = keras.Input((3,), dtype="string", name="words"), keras.Input((3,), dtype="int64", name="numbers")
    first = keras.layers.StringLookup(vocabulary=["cat", "ant", "bée"], output_mode=mode, num_oov_indices=2)
    second = keras.layers.IntegerLookup(vocabulary=[7, -3, 2**31 - 1], output_mode=mode)
    model = keras.Model([words, numbers], {"a": first(words), "b": second(numbers)})
    feed = {"words": WORDS[:6].reshape(2, 3), "numbers": np.int64([[7, 8, -3], [2**31 - 1, 0, 7]])}
    expected = model({"words": tf.constant(feed["words"]), "numbers": tf.constant(feed["numbers"])})
    web = convert(model, format="graph")
    for backend in BACKENDS:
        got = tfjs_node.run(web, feed, backend)
        assert_matches(got, {name: np.asarray(value) for name, value in expected.items()})


def _v1_table(kind: str, file: str) -> Any:
    if kind == "tensors":
        return lookup.StaticHashTable(
            lookup.KeyValueTensorInitializer(["ant", "bee", "bée"], tf.constant([10, 20, 30], tf.int64)), -1
        )
    return lookup.StaticHashTable(lookup.TextFileInitializer(file, tf.string, 0, tf.int64, 1, delimiter="\t"), -1)


@pytest.mark.parametrize("kind", ["tensors", "file"])
def test_tables_of_tensorflow_1(tfjs_node: TfjsNode, tmp_path: Path, kind: str) -> None:
    with v1.Graph().as_default():
        word = v1.placeholder(tf.string, (None, 2), name="word")
        table = _v1_table(kind, _vocabulary(tmp_path))
        lookup.StaticHashTable(lookup.KeyValueTensorInitializer(["unused"], [1]), 0)
        outputs = {"number": table.lookup(word) * 2}
        feeds = [{"word": WORDS[:4].reshape(2, 2)}, {"word": WORDS[4:6].reshape(1, 2)}]
        expected = save_v1(
            tmp_path / "net", {"serving_default": ({"word": word}, outputs)}, feeds=feeds,
            main_op=v1.tables_initializer(),
            assets_collection=[v1.get_default_graph().get_tensor_by_name("asset_path:0")] if kind == "file" else [],
        )  # fmt: skip
    (tmp_path / "animals.txt").unlink(missing_ok=True)
    for feed, wanted in zip(feeds, expected, strict=True):
        _same(tfjs_node, convert(tmp_path / "net"), feed, wanted)


def test_a_saved_model_with_tables_is_packed_again(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    module = _Tables(_vocabulary(tmp_path))
    module.__call__.get_concrete_function()
    web = convert(module)
    web.save(tmp_path / "web")
    again = convert(load(tmp_path / "web"), weight_shard_size_bytes=64)
    feed = {"word": WORDS[:6].reshape(2, 3)}
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(again, feed, backend), tfjs_node.run(web, feed, backend))


def _writes() -> Callable[..., Any]:
    table = lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    table.insert("a", 1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="x")])
    def function(x: Any) -> Any:
        table.insert(x, tf.range(tf.size(x, tf.int64)))
        return table.lookup(x)

    function.table = table
    return function


def _reads(keys: Any, values: Any, default: Any) -> Callable[..., Any]:
    table = lookup.StaticHashTable(lookup.KeyValueTensorInitializer(keys, values), default)

    @tf.function(input_signature=[tf.TensorSpec([None], table.key_dtype, name="x")])
    def function(x: Any) -> Any:
        return table.lookup(x)

    function.table = table
    return function


@pytest.mark.parametrize(
    ("make", "error", "reason"),
    [
        (_writes, UnsupportedModelError, "is used by 'LookupTableInsertV2'"),
        (
            lambda: _reads([b"\xff\xfe", b"a"], [1, 2], 0),
            UnsupportedModelError,
            r"the key b'\\xff\\xfe', which is no UTF",
        ),
        (lambda: _reads([2**40], [1], 0), WeightError, "int32 only"),
    ],
    ids=["written", "bytes", "wide"],
)
def test_what_cannot_be_looked_up_is_refused(make: Callable[[], Any], error: type[Exception], reason: str) -> None:
    function = make()
    with pytest.raises(error, match=reason):
        convert(function)
