"""Sizes are looked at before bytes: what a file does not hold is not allocated, and no pipe is waited for."""

from __future__ import annotations

import contextlib
import json
import os
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

from tests import models
from tfjs_magic import convert, load
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.layers.weight_budget import weights_within
from tfjs_magic.sources.keras_wiring import check_wiring
from tfjs_magic.sources.sizes import MOST_TEXT_BYTES


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    return convert(models.dense(), format="layers").save(tmp_path / "web")


def _edit(file: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(file.read_text())
    edit(document)
    file.write_text(json.dumps(document))


def _layer(document: dict[str, Any], class_name: str) -> dict[str, Any]:
    rows = document["modelTopology"]["model_config"]["config"]["layers"]
    return next(row["config"] for row in rows if row["class_name"] == class_name)


def test_options_do_not_ask_for_more_than_the_weights_hold(layers: Path) -> None:
    _edit(layers / "model.json", lambda d: _layer(d, "Dense").update(units=10**8))
    with pytest.raises(UnsupportedModelError, match=r"asks for weights of shape .*100000000.*more than the file holds"):
        load(layers).to_keras()
    with pytest.raises(UnsupportedModelError, match="more than the file holds"):
        convert(layers, format="graph")


def test_nor_do_those_of_a_keras_file(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = members["config.json"].replace(b'"units": 3', b'"units": 1000000000')
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(UnsupportedModelError, match="more than the file holds"):
        convert(tmp_path / "m.keras")


def test_a_budget_ends_with_its_block() -> None:
    before = keras.layers.Layer.add_weight
    with weights_within(keras.layers.Layer, 10), weights_within(keras.layers.Layer, 5):
        keras.layers.Dense(2).build((None, 3))
    assert keras.layers.Layer.add_weight is before
    keras.layers.Dense(2).build((None, 3))


def test_a_hole_is_no_weight(layers: Path) -> None:
    (shard,) = layers.glob("*.bin")
    with shard.open("r+b") as file:
        file.truncate(2**32)
    with pytest.raises(UnsupportedModelError, match="were never written"):
        load(layers)


@pytest.mark.parametrize("name", ["m.pb", "m.keras", "m.h5", "web/model.json"])
def test_nor_is_a_file_of_holes_a_model(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    with (tmp_path / name).open("wb") as file:
        file.truncate(2**31 - 1)
    with pytest.raises(UnsupportedModelError):
        convert(tmp_path / name)


@pytest.mark.parametrize(
    "weight",
    [
        *({"shape": shape} for shape in ([4.7, 5.2], ["4", "5"], [True, 20], [-4, -5], [4, 2**31], 20, None)),
        *({"dtype": dtype} for dtype in ("float64", "bfloat16", 1, None)),
        *({"name": name} for name in (3, None, ["a"])),
        *(
            {"quantization": {"dtype": dtype, "scale": scale, "min": low}}
            for dtype, scale, low in (
                ("uint8", 0, 0.0),
                ("uint8", -1.0, 0.0),
                ("uint8", "1", 0.0),
                ("uint8", True, 0.0),
                ("uint8", 1.0, None),
                ("uint16", None, 0.0),
                ("int8", 1.0, 0.0),
            )
        ),
    ],
    ids=str,
)
def test_numbers_of_a_manifest_are_what_they_say(layers: Path, weight: dict[str, Any]) -> None:
    _edit(layers / "model.json", lambda d: d["weightsManifest"][0]["weights"][0].update(weight))
    with pytest.raises(UnsupportedModelError, match=r"expected|hold \d+ bytes|JSON"):
        load(layers)


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_nor_is_a_scale_without_an_end(layers: Path, token: str) -> None:
    rule = {"dtype": "uint8", "scale": "TOKEN", "min": 0.0}
    _edit(layers / "model.json", lambda d: d["weightsManifest"][0]["weights"][0].update(quantization=rule))
    file = layers / "model.json"
    file.write_text(file.read_text().replace('"TOKEN"', token))
    with pytest.raises(UnsupportedModelError, match=r"no number of JSON|expected"):
        load(layers)


def test_a_shard_is_named_once_and_a_long_list_is_cut(layers: Path) -> None:
    group = json.loads((layers / "model.json").read_text())["weightsManifest"][0]
    _edit(layers / "model.json", lambda d: d["weightsManifest"][0].update(paths=group["paths"] * 3000))
    with pytest.raises(UnsupportedModelError, match="twice") as caught:
        load(layers)
    assert len(str(caught.value)) < 500
    names = [f"{i}.bin" for i in range(3000)]
    for name in names:
        (layers / name).write_bytes(b"x")
    _edit(layers / "model.json", lambda d: d["weightsManifest"][0].update(paths=names))
    with pytest.raises(UnsupportedModelError, match=r"and 29\d\d more") as caught:
        load(layers)
    assert len(str(caught.value)) < 500


@pytest.mark.timeout(120)
def test_a_layer_of_many_calls_comes_to_an_end(tmp_path: Path) -> None:
    x = keras.Input((2,))
    shared = keras.layers.ReLU(name="again")
    model = keras.Model(x, shared(shared(x)))
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    layer = next(row for row in config["config"]["layers"] if row["class_name"] == "ReLU")
    first, second = layer["inbound_nodes"]
    layer["inbound_nodes"] = [first, *[second] * 3000]
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    before = time.process_time()
    with contextlib.suppress(UnsupportedModelError):
        convert(tmp_path / "m.keras")
    assert time.process_time() - before < 30


def test_text_has_a_limit(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_bytes(b"[" + b"1," * (MOST_TEXT_BYTES // 2) + b"1]")
    with pytest.raises(UnsupportedModelError, match="expected at most"):
        load(tmp_path)
    (tmp_path / "model.json").write_text("[" + "{}," * 3_000_000 + "{}]")
    with pytest.raises(UnsupportedModelError, match="objects; expected at most"):
        load(tmp_path)


def test_an_archive_unpacks_to_what_it_may_hold(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * 200_000_000)
    with pytest.raises(UnsupportedModelError, match="has 200000000 bytes; expected at most"):
        convert(tmp_path / "m.keras")


def _long_name(archive: tarfile.TarFile) -> None:
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 10**7
    with open(os.devnull, "rb"), open("/dev/zero", "rb") as zeros:  # noqa: PTH123 - devices
        archive.addfile(member, zeros)


def _sparse(archive: tarfile.TarFile) -> None:
    member = tarfile.TarInfo("saved_model.pb")
    member.type = tarfile.GNUTYPE_SPARSE
    archive.addfile(member)


@pytest.mark.parametrize(("write", "message"), [(_long_name, "a header in it has"), (_sparse, "neither a file nor")])
def test_headers_of_an_archive_are_short(tmp_path: Path, write: Any, message: str) -> None:
    with tarfile.open(tmp_path / "m.tar.gz", "w:gz") as archive:
        write(archive)
    with pytest.raises(UnsupportedModelError, match=message):
        convert(tmp_path / "m.tar.gz")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.pb", "m.tar.gz", "model.json"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(UnsupportedModelError):
        convert(tmp_path / name)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "name", ["fingerprint.pb", "variables/variables.index", "assets/x", "debug/saved_model_debug_info.pb"]
)
def test_nor_in_a_saved_model(tmp_path: Path, name: str) -> None:
    module = tf.Module()
    spec = [tf.TensorSpec([None, 4])]
    module.f = tf.function(lambda x: x * 2, input_signature=spec, autograph=False)
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.f)
    (tmp_path / "saved" / name).unlink(missing_ok=True)
    (tmp_path / "saved" / name).parent.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / "saved" / name)
    with pytest.raises(UnsupportedModelError, match="is no file"):
        convert(tmp_path / "saved")


@pytest.mark.timeout(60)
def test_a_saved_model_has_few_files(tmp_path: Path) -> None:
    module = tf.Module()
    module.f = tf.function(lambda x: x * 2, input_signature=[tf.TensorSpec([None, 4])], autograph=False)
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.f)
    (tmp_path / "saved" / "assets").rmdir()
    (tmp_path / "saved" / "assets").symlink_to("/usr")
    with pytest.raises(UnsupportedModelError, match="holds over 10000 files"):
        convert(tmp_path / "saved")


def test_a_graph_has_a_limit(tmp_path: Path) -> None:
    nodes = [{"name": str(i), "op": "NoOp"} for i in range(100_001)]
    document = {"format": "graph-model", "modelTopology": {"node": nodes}, "weightsManifest": []}
    (tmp_path / "model.json").write_text(json.dumps(document))
    with pytest.raises(UnsupportedModelError, match="has 100001 nodes; expected at most"):
        convert(tmp_path)


def test_layers_that_wait_for_each_other_are_refused() -> None:
    """Keras would wait with them."""

    def row(name: str, *refs: Any) -> dict[str, Any]:
        return {"class_name": "Dense", "name": name, "config": {}, "inbound_nodes": [[list(ref) for ref in refs]]}

    source = {"class_name": "InputLayer", "name": "x", "config": {}, "inbound_nodes": []}
    check_wiring("m", {"layers": [source, row("a", ("x", 0, 0, {})), row("b", ("a", 0, 0, {}), ("x", 0, 0, {}))]})
    with pytest.raises(UnsupportedModelError, match="the layers 'a', 'b' take tensors that no layer gives"):
        check_wiring("m", {"layers": [source, row("a", ("b", 0, 0, {})), row("b", ("a", 0, 0, {}))]})
    with pytest.raises(UnsupportedModelError, match="the layers 'a' take"):
        check_wiring("m", {"config": {"layers": [source, row("a", ("x", 3, 0, {}))]}})
    nested = {**row("n", ("x", 0, 0, {})), "config": {"layers": [source]}}
    check_wiring("m", {"layers": [source, nested, row("a", ("n", 1, 0, {}))]})
