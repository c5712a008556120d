"""Whatever a damaged file provokes in Keras, TensorFlow or the system is one sentence of ours."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

from tests import models
from tfjs_magic import convert, load
from tfjs_magic.errors import TfjsMagicError, UnsupportedModelError
from tfjs_magic.sources.boundary import one_sentence
from tfjs_magic.sources.paths import kind_of


def _said(call: Callable[[], Any]) -> str:
    with pytest.raises(TfjsMagicError) as caught:
        call()
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 8100
    return message


def test_any_error_becomes_ours_and_stays_its_cause() -> None:
    with (
        pytest.raises(UnsupportedModelError, match=r"^'m' is damaged, .*: KeyError: 'a'\.$") as caught,
        one_sentence("'m'"),
    ):
        raise KeyError("a")
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(KeyboardInterrupt), one_sentence("'m'"):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda c: c.pop("units"), id="no-units"),
        pytest.param(lambda c: c.update(units=-4), id="negative"),
        pytest.param(lambda c: c.update(units="x"), id="text"),
        pytest.param(lambda c: c.update(activation=["x"]), id="activation"),
        pytest.param(lambda c: c.update(kernel_initializer={}), id="initializer"),
        pytest.param(lambda c: c.update(name=[]), id="name"),
        pytest.param(lambda c: c.clear(), id="nothing"),
    ],
)
def test_bad_options_on_the_way_back_to_keras(tmp_path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    saved = convert(models.dense(), format="layers").save(tmp_path / "web")
    document = json.loads((saved / "model.json").read_text())
    rows = document["modelTopology"]["model_config"]["config"]["layers"]
    edit(next(row["config"] for row in rows if row["class_name"] == "Dense"))
    (saved / "model.json").write_text(json.dumps(document))
    _said(lambda: load(saved).to_keras())
    _said(lambda: convert(saved, format="graph"))


def test_a_layer_without_a_class(tmp_path: Path) -> None:
    topology = {"class_name": "Sequential", "config": [{"config": {"name": "a"}}]}
    (tmp_path / "model.json").write_text(json.dumps({"modelTopology": topology, "weightsManifest": []}))
    assert "KeyError: 'class_name'" in _said(lambda: convert(tmp_path, format="graph"))


@pytest.mark.parametrize("depth", [300, 2000])
def test_nesting_without_an_end(tmp_path: Path, depth: int) -> None:
    inner: dict[str, Any] = {"class_name": "Dense", "config": {"name": "d", "units": 1}}
    for i in range(depth // 10):
        inner = {"class_name": "Sequential", "config": {"name": f"s{i}", "layers": [inner]}}
    (tmp_path / "model.json").write_text(json.dumps({"modelTopology": inner, "weightsManifest": []}))
    _said(lambda: convert(tmp_path, format="graph"))


@pytest.mark.parametrize("text", [b"", b"{", b"null", b"[]", b"\xff", b"[" * 10**5, b'{"config": 3}'])
def test_a_config_that_is_none(tmp_path: Path, text: bytes) -> None:
    import zipfile

    import h5py

    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", text)
    assert "m.keras" in _said(lambda: convert(tmp_path / "m.keras"))
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = 5 if text == b"null" else text[:1000]
    _said(lambda: convert(tmp_path / "m.h5"))


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda d: d["modelTopology"]["node"][0].update(op=3), id="op"),
        pytest.param(lambda d: d["modelTopology"].update(library="x"), id="library"),
        pytest.param(lambda d: d.update(userDefinedMetadata={"structuredOutputKeys": 5}), id="keys"),
        pytest.param(lambda d: d["modelTopology"]["node"][0].update(attr=[1]), id="attr"),
        pytest.param(lambda d: d.update(modelTopology=5), id="topology"),
    ],
)
def test_a_graph_model_with_odd_parts(tmp_path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    saved = convert(models.dense(), format="graph").save(tmp_path / "web")
    document = json.loads((saved / "model.json").read_text())
    edit(document)
    (saved / "model.json").write_text(json.dumps(document))
    with contextlib.suppress(UnsupportedModelError):  # an attribute that TF.js does not read is none of ours
        convert(saved)


@pytest.mark.parametrize(("own", "kind"), [("first", "circle"), ("last", "circle"), ("port", "port")])
def test_a_circle_or_a_port_that_is_not_there(tmp_path: Path, own: str, kind: str) -> None:
    saved = convert(models.dense(), format="graph").save(tmp_path / "web")
    document = json.loads((saved / "model.json").read_text())
    nodes = [node for node in document["modelTopology"]["node"] if node.get("input")]
    first = nodes[0]["input"][0].partition(":")[0]
    nodes[0]["input"][0] = {"first": nodes[0]["name"], "last": nodes[-1]["name"], "port": f"{first}:1"}[own]
    (saved / "model.json").write_text(json.dumps(document))
    expected = "need their own results" if kind == "circle" else "has 1 outputs, counted from 0"
    assert expected in _said(lambda: convert(saved))


@pytest.mark.parametrize("path", ["x" * 5000, "~nosuchuser_of_tests/m.keras", "a/" * 3000 + "m.keras", "a\0b.keras"])
def test_paths_that_the_system_does_not_take(path: str) -> None:
    for call in (lambda: convert(path), lambda: load(path)):
        assert len(_said(call)) < 600
    with contextlib.suppress(UnsupportedModelError):
        assert kind_of(path) is None


def test_a_link_to_itself(tmp_path: Path) -> None:
    saved = convert(models.dense(), format="graph").save(tmp_path / "web")
    (shard,) = saved.glob("*.bin")
    shard.unlink()
    shard.symlink_to(shard.name)
    _said(lambda: convert(saved))


def test_a_folder_is_a_version_by_its_digits(tmp_path: Path) -> None:
    (tmp_path / "²").mkdir()
    _said(lambda: convert(tmp_path))


def test_a_constant_whose_shape_lies(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4], name="x")
        tf.add(x, tf.constant([1.0, 2.0, 3.0, 4.0], name="c"), name="out")
    for size in (3, 5, -1, 10**12):
        graph_def = graph.as_graph_def()
        constant = next(node for node in graph_def.node if node.name == "c")
        constant.attr["value"].tensor.tensor_shape.dim[0].size = size
        (tmp_path / "m.pb").write_bytes(graph_def.SerializeToString())
        _said(lambda: convert(tmp_path / "m.pb", outputs="out"))


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    saved = convert(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), format="layers").save(tmp_path / "w")
    document = json.loads((saved / "model.json").read_text())
    document["weightsManifest"][0]["weights"][0]["name"] = "n" * 100_000
    (saved / "model.json").write_text(json.dumps(document))
    _said(lambda: load(saved).to_keras())
