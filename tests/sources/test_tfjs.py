"""Models on disk are read as they were written; hostile ones are refused with a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS, parse_graph, tfjs_model
from tests.passes.operands import operands
from tfjs_magic import load
from tfjs_magic.artifacts import ManifestGroup, TensorInfo, WeightEntry
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.model import TfjsModel
from tfjs_magic.weights.pack import pack_weights


def _model() -> TfjsModel:
    graph = parse_graph("x: float32[?,5]\ny = MatMul(x, w)\nz = AddV2(y, b)\nreturn out=z", operands(w=(5, 6), b=(6,)))
    return tfjs_model(graph)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return _model().save(tmp_path / "web")


def _edit(saved: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads((saved / "model.json").read_text())
    edit(document)
    (saved / "model.json").write_text(json.dumps(document))


@pytest.mark.parametrize("name", ["", "model.json"])
def test_reads_what_was_written(saved: Path, name: str) -> None:
    model = load(saved / name)
    original = _model()
    assert model.format == "graph-model"
    assert model.inputs == (TensorInfo("x", "float32", (None, 5)),)
    assert [info.name for info in model.outputs] == ["out"]
    assert model.reference is None
    assert model.weights.keys() == original.weights.keys()
    for weight, array in original.weights.items():
        assert np.array_equal(model.weights[weight], array)


def test_a_model_that_was_read_can_be_written_again(saved: Path, tmp_path: Path) -> None:
    again = load(saved).save(tmp_path / "again")
    assert {p.name: p.read_bytes() for p in again.iterdir()} == {p.name: p.read_bytes() for p in saved.iterdir()}


def test_shards_under_other_names_are_written_under_ours(tfjs_node: TfjsNode, saved: Path, tmp_path: Path) -> None:
    """TF.js itself saves "model.weights.bin"; what model.json names must be there."""
    data = b"".join(path.read_bytes() for path in sorted(saved.glob("*.bin")))
    for path in saved.glob("*.bin"):
        path.unlink()
    (saved / "weights").mkdir()
    (saved / "weights" / "first.bin").write_bytes(data[:7])
    (saved / "weights" / "rest.bin").write_bytes(data[7:])
    _edit(saved, lambda d: d["weightsManifest"][0].update(paths=["weights/first.bin", "weights/rest.bin"]))
    again = load(saved).save(tmp_path / "again")
    x = np.ones((2, 5), np.float32)
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(again, {"x": x}, backend), tfjs_node.run(_model(), {"x": x}, backend), tolerance=0)


def test_several_groups(tmp_path: Path, saved: Path) -> None:
    first, second = np.arange(3, dtype=np.float32), np.arange(4, dtype=np.int32)
    groups = [pack_weights([WeightEntry("a", first)]), pack_weights([WeightEntry("b", second)])]
    groups = [ManifestGroup(g.specs, g.parts, 8, index=i) for i, g in enumerate(groups, start=1)]
    for group in groups:
        for name, pieces in group.shards():
            (saved / name).write_bytes(b"".join(pieces))
    _edit(saved, lambda d: d.update(weightsManifest=[group.to_json() for group in groups]))
    model = load(saved)
    assert {name: array.tolist() for name, array in model.weights.items()} == {"a": [0, 1, 2], "b": [0, 1, 2, 3]}
    assert model.read_weights(8, 8) == first.tobytes()[8:] + second.tobytes()[:4]
    again = load(model.save(tmp_path / "again"))
    assert {name: array.tolist() for name, array in again.weights.items()} == {"a": [0, 1, 2], "b": [0, 1, 2, 3]}


def test_quantized_weights_and_strings(tmp_path: Path) -> None:
    entries = [WeightEntry("q", operands(q=(4, 4))["q"]), WeightEntry("s", np.array([b"a", b"bc"], object))]
    group = pack_weights(entries, patterns={"uint8": ("q",)})
    for name, pieces in group.shards():
        (tmp_path / name).write_bytes(b"".join(pieces))
    document = {"format": "graph-model", "modelTopology": {"node": []}, "weightsManifest": [group.to_json()]}
    (tmp_path / "model.json").write_text(json.dumps(document))
    model = load(tmp_path)
    assert np.array_equal(model.weights["q"], {e.name: e.data for e in _unpacked(group)}["q"])
    assert model.weights["s"].tolist() == [b"a", b"bc"]


def _unpacked(group: ManifestGroup) -> list[WeightEntry]:
    from tfjs_magic.weights.pack import unpack_weights

    return list(unpack_weights(group))


def test_unknown_rank_and_scalars(saved: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["signature"]["inputs"]["x"]["tensorShape"] = {"unknownRank": True}
        document["signature"]["outputs"]["out"]["tensorShape"] = {"dim": []}

    _edit(saved, edit)
    model = load(saved)
    assert (model.inputs[0].shape, model.outputs[0].shape) == (None, ())


def test_without_a_signature_the_placeholders_are_the_inputs(saved: Path) -> None:
    _edit(saved, lambda d: d.pop("signature"))
    assert load(saved).inputs == (TensorInfo("x", "float32", (None, 5)),)


# ---- hostile and damaged


def _first(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["weightsManifest"][0]
    return found


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        pytest.param(lambda d: _first(d).update(paths=["../secret"]), "'../secret', which is outside", id="parent"),
        pytest.param(lambda d: _first(d).update(paths=["a/../../secret"]), "which is outside", id="parent-inside"),
        pytest.param(
            lambda d: _first(d).update(paths=["/etc/passwd"]), "'/etc/passwd', which is outside", id="absolute"
        ),
        pytest.param(lambda d: _first(d).update(paths=["link"]), "'link', which is outside", id="link-outside"),
        pytest.param(lambda d: _first(d).update(paths=["gone.bin"]), "'gone.bin', which is not in", id="missing"),
        pytest.param(lambda d: _first(d).update(paths=["."]), "'.', which is not in", id="directory"),
        pytest.param(lambda d: _first(d).update(paths=["a\0b"]), "is damaged or no TF.js model", id="null-byte"),
        pytest.param(lambda d: _first(d).update(paths=[3]), "is damaged or no TF.js model", id="number-as-path"),
        pytest.param(lambda d: _first(d)["paths"].pop(), "hold 128 bytes; the manifest describes 144", id="short"),
        pytest.param(lambda d: _first(d)["weights"].pop(), r"hold 144 bytes; the manifest describes \d+", id="long"),
        pytest.param(lambda d: _first(d)["weights"][0].update(shape=[-5, 6]), r"shape \[-5, 6\]", id="negative-shape"),
        pytest.param(lambda d: _first(d)["weights"][0].update(shape=[2**62, 2**62]), r"shape \[46116", id="huge-shape"),
        pytest.param(lambda d: _first(d)["weights"][0].update(dtype="float8"), "dtype 'float8'", id="dtype"),
        pytest.param(lambda d: _first(d)["weights"][0].update(dtype="string"), "damaged|ends at byte", id="string"),
        pytest.param(
            lambda d: _first(d)["weights"][0].update(quantization={"dtype": "int4"}),
            "is quantized as",
            id="quantization",
        ),
        pytest.param(lambda d: d.update(format="tflite"), "format 'tflite'; expected 'graph-model' or", id="format"),
        pytest.param(lambda d: d.pop("weightsManifest"), "damaged or no TF.js model: KeyError", id="no-manifest"),
        pytest.param(lambda d: d.update(weightsManifest=3), "damaged or no TF.js model: TypeError", id="odd-manifest"),
        pytest.param(lambda d: d.pop("modelTopology"), "damaged or no TF.js model: KeyError", id="no-topology"),
        pytest.param(lambda d: d["signature"].update(inputs=3), "damaged or no TF.js model", id="odd-signature"),
    ],
)
def test_refuses(saved: Path, edit: Callable[[dict[str, Any]], None], message: str) -> None:
    (saved.parent / "secret").write_bytes(bytes(144))
    (saved / "link").symlink_to(saved.parent / "secret")
    _edit(saved, edit)
    with pytest.raises(UnsupportedModelError, match=message) as caught:
        load(saved)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="cut-off"),
        pytest.param("[1]", id="list"),
        pytest.param("null", id="null"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param("\ufeff\ud7ff", id="no-json"),
    ],
)
def test_refuses_what_is_no_model_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.json").write_text(text, encoding="utf-8")
    with pytest.raises(UnsupportedModelError, match=r"model\.json' is damaged or no TF\.js model"):
        load(tmp_path)


def test_a_missing_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match=r"model\.json' does not exist; expected a model\.json, or a dir"):
        load(tmp_path)
