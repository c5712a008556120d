"""A TF.js model is a source like any other: no number changes that nobody asked to change."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import models
from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS, parse_graph, tfjs_model
from tests.passes.operands import operands
from tfjs_magic import convert, load
from tfjs_magic.artifacts import Array, ManifestGroup, Quantization, TensorInfo, WeightEntry, WeightSpec
from tfjs_magic.errors import UnsupportedModelError, UnsupportedOpsError
from tfjs_magic.model import TfjsModel
from tfjs_magic.weights.pack import pack_weights


def _samples(model: TfjsModel) -> list[dict[str, Array]]:
    return [models.samples_of(model.inputs, seed) for seed in (1, 2)]


def _same_weights(model: TfjsModel, other: TfjsModel) -> bool:
    left, right = model.weights, other.weights
    return list(left) == list(right) and all(
        left[name].dtype == right[name].dtype and left[name].tobytes() == right[name].tobytes() for name in left
    )


def _check_same_outputs(tfjs_node: TfjsNode, model: TfjsModel | Path, again: TfjsModel, **options: float) -> None:
    feeds = _samples(again)
    for backend in BACKENDS:
        expected = tfjs_node.run_each(model, feeds, backend)
        assert_telling(*expected)
        for got, want in zip(tfjs_node.run_each(again, feeds, backend), expected, strict=True):
            assert_matches(got, want, tolerance=options.get("tolerance", 0))


# ---- our own models


@pytest.mark.parametrize(
    ("build", "form"),
    [
        pytest.param(models.conv_bn_relu, "graph", id="conv"),
        pytest.param(models.dense, "graph", id="dense"),
        pytest.param(models.lstm_text, "graph", id="loops"),
        pytest.param(models.two_inputs_two_outputs, "graph", id="two-by-two"),
        pytest.param(models.small_cnn, "layers", id="layers"),
        pytest.param(models.lstm_text, "layers", id="layers-lstm"),
    ],
)
def test_converting_again_changes_no_number(
    tfjs_node: TfjsNode, tmp_path: Path, build: Callable[[], Any], form: Any
) -> None:
    model = convert(build(), format=form)
    again = convert(model.save(tmp_path / "web"))
    assert (again.format, again.reference) == (model.format, None)
    assert [(info.name, info.shape) for info in again.inputs] == [(info.name, info.shape) for info in model.inputs]
    assert [info.name for info in again.outputs] == [info.name for info in model.outputs]
    assert _same_weights(model, again)
    assert {key: again.model_json[key] for key in model.model_json if key != "modelTopology"} == {
        key: model.model_json[key] for key in model.model_json if key != "modelTopology"
    }
    assert again.report.ops == model.report.ops
    _check_same_outputs(tfjs_node, model, again)


@pytest.mark.parametrize("dtype", ["float16", "uint8", "uint16"])
@pytest.mark.parametrize("form", ["graph", "layers"])
def test_quantized_weights_keep_their_codes(tfjs_node: TfjsNode, tmp_path: Path, form: Any, dtype: Any) -> None:
    model = convert(models.dense(), format=form, quantize=dtype)
    saved = model.save(tmp_path / "web") / "model.json"
    for again in (convert(saved), convert(saved, quantize=dtype), convert(saved, weight_shard_size_bytes=50)):
        assert again.groups[0].specs == model.groups[0].specs
        assert again.read_weights(0, again.nbytes) == model.read_weights(0, model.nbytes)
        assert f"2 weights keep the {dtype} codes that they had." in again.report.notes
        _check_same_outputs(tfjs_node, model, again)


@pytest.mark.parametrize("dtype", ["float16", "uint8", "uint16"])
@pytest.mark.parametrize(
    ("build", "note"),
    [
        pytest.param(models.dense, "2 weights keep the {} codes that they had.", id="dense"),
        pytest.param(models.conv_bn_relu, "2 weights had been quantized to {} in steps", id="batch-norms-folded"),
    ],
)
def test_a_quantized_layers_model_keeps_its_codes_as_a_graph(
    tfjs_node: TfjsNode, build: Callable[[], Any], note: str, dtype: Any
) -> None:
    layers = convert(build(), format="layers", quantize=dtype)
    graph = convert(layers, format="graph")
    assert note.format(dtype) in " ".join(graph.report.notes)
    shape = layers.inputs[0].shape or ()
    feed = np.random.default_rng(0).normal(size=(2, *shape[1:])).astype(np.float32)
    (want,), (have,) = (tfjs_node.run(web, {web.inputs[0].name: feed}).values() for web in (layers, graph))
    assert np.abs(have - want).max() <= 1e-5 * np.abs(want).max()


@pytest.mark.parametrize("form", ["graph", "layers"])
def test_quantized_weights_are_decoded_for_another_dtype_and_the_report_says_how_coarse_they_were(
    tfjs_node: TfjsNode, tmp_path: Path, form: Any
) -> None:
    source = models.dense()
    exact = convert(source, format=form)
    model = convert(source, format=form, quantize="uint8")
    first = next(spec.name for spec in model.groups[0].specs if spec.quantization)
    again = convert(model.save(tmp_path / "web") / "model.json", quantize={"uint16": first})
    assert sorted(spec.quantization.dtype for spec in again.groups[0].specs if spec.quantization) == ["uint16", "uint8"]
    assert np.allclose(again.weights[first], model.weights[first], atol=1e-4)
    kept, decoded = again.report.notes
    assert kept == "1 weights keep the uint8 codes that they had."
    assert decoded.startswith("1 weights had been quantized to uint8 in steps of up to ")
    step = float(decoded.split("up to ")[1].split(";")[0])
    worst = float(np.abs(exact.weights[first] - model.weights[first]).max())
    assert step / 4 < worst <= step * 1.05
    _check_same_outputs(tfjs_node, model, again, tolerance=1e-3)


@pytest.mark.parametrize("form", ["graph", "layers"])
def test_weights_can_be_quantized_and_cut_afterwards(tmp_path: Path, form: Any) -> None:
    source = models.dense()
    saved = convert(source, format=form).save(tmp_path / "web")
    again = convert(saved, quantize="uint8", weight_shard_size_bytes=50)
    at_once = convert(source, format=form, quantize="uint8", weight_shard_size_bytes=50)
    assert again.model_json["weightsManifest"] == at_once.model_json["weightsManifest"]
    assert again.read_weights(0, again.nbytes) == at_once.read_weights(0, at_once.nbytes)
    assert len(again.groups[0].shard_names) > 1


def test_a_model_in_memory_keeps_its_reference() -> None:
    for form in ("graph", "layers"):
        model = convert(models.dense(), format=form)
        again = convert(model)
        assert again.reference is model.reference is not None
        assert again.report.source == "TF.js model of Keras model 'dense_model'"
        assert _same_weights(model, again)


def test_some_of_the_outputs_with_their_keys(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    model = convert(models.two_inputs_two_outputs(), format="graph", metadata={"author": "a", "version": 1})
    again = convert(model.save(tmp_path / "web"), outputs="area", metadata={"version": 2})
    assert again.model_json["userDefinedMetadata"] == {
        "author": "a",
        "version": 2,
        "structuredOutputKeys": ["area"],
    }
    assert list(again.model_json["signature"]["outputs"]) == ["area"]
    assert len(again.weights) < len(model.weights)
    feed = models.samples_of(model.inputs)
    want = tfjs_node.run(model, feed)["area"]
    assert_matches(tfjs_node.run(again, feed), {"area": want}, tolerance=0)


# ---- models of other converters

_OFFICIAL = """
image: float32[?,5,5,2]
conv = _FusedConv2D(image, kernel, bias) fused_ops=[BiasAdd,Relu]
deep = FusedDepthwiseConv2dNative(conv, depth_kernel, depth_bias) fused_ops=[BiasAdd]
act = Prelu(deep, alpha)
logits = Mean(act, axes)
sure = Sigmoid(logits)
return first=logits, second=sure
"""


def _official(tmp_path: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    shapes = {"kernel": (3, 3, 2, 4), "bias": (4,), "depth_kernel": (2, 2, 4, 1), "depth_bias": (4,), "alpha": (4,)}
    constants = {**operands(**shapes), "axes": np.array([1, 2], np.int32)}
    saved = tfjs_model(parse_graph(_OFFICIAL, constants)).save(tmp_path / "official")
    document = json.loads((saved / "model.json").read_text())
    for row in document["modelTopology"]["node"]:
        if "fused_ops" in row["attr"]:  # the parser of the text knows no lists of bytes
            names = ["BiasAdd", "Relu"] if row["name"] == "conv" else ["BiasAdd"]
            row["attr"]["fused_ops"] = {"list": {"s": [base64.b64encode(name.encode()).decode() for name in names]}}
    edit(document)
    (saved / "model.json").write_text(json.dumps(document))
    return saved


def _move_signature(document: dict[str, Any]) -> None:
    document["userDefinedMetadata"] = {"signature": document.pop("signature"), "more": 1}


def test_a_signature_in_the_metadata_counts_and_moves(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    """TF.js prefers it to the one beside it, so that it may not stay."""
    saved = _official(tmp_path, _move_signature)
    again = convert(saved)
    assert again.model_json["userDefinedMetadata"] == {"more": 1}
    assert list(again.model_json["signature"]["outputs"]) == ["first", "second"]
    assert again.report.ops.keys() == {"_FusedConv2D", "FusedDepthwiseConv2dNative", "Prelu", "Mean", "Sigmoid"}
    _check_same_outputs(tfjs_node, load(saved), again, tolerance=1e-6)


def test_without_a_signature_the_ends_of_the_graph_are_its_outputs(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    saved = _official(tmp_path, lambda d: d.pop("signature"))
    again = convert(saved)
    assert [info.name for info in again.inputs] == ["image"]
    assert [info.name for info in again.outputs] == ["sure"]
    feeds = _samples(again)
    named = load(_official(tmp_path / "named", lambda _: None))
    for backend in BACKENDS:
        for got, want in zip(
            tfjs_node.run_each(again, feeds, backend), tfjs_node.run_each(named, feeds, backend), strict=True
        ):
            assert_matches(got, {"sure": want["second"]}, tolerance=1e-6)


def test_a_signature_of_names_alone_gets_dtypes_from_the_graph(tmp_path: Path) -> None:
    """The official converter 1.x wrote nothing but the outputs' names."""

    def edit(document: dict[str, Any]) -> None:
        document["userDefinedMetadata"] = {"signature": {"outputs": {"sure:0": {"name": "sure:0"}}}}
        del document["signature"]

    again = convert(_official(tmp_path, edit))
    assert [info.name for info in again.inputs] == ["image"]
    assert again.outputs == (TensorInfo("sure:0", "float32", None),)


def test_quantized_integers_are_integers_again(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    """The official converter quantizes int32 weights too."""
    text = "x: int32[3]\ny = AddV2(x, table) T=int32\nreturn y"
    model = tfjs_model(parse_graph(text, {"table": np.array([0, 0, 0], np.int32)}))
    spec = WeightSpec("table", (3,), "int32", Quantization("uint8", scale=1.5, min=-4.0))
    group = ManifestGroup((spec,), (memoryview(bytes([1, 200, 255])),), 64)
    saved = dataclasses.replace(model, groups=(group,)).save(tmp_path / "web")
    again = convert(saved)
    assert again.weights["table"].tolist() == [-2, 296, 379]
    for backend in BACKENDS:
        feed = {"x": np.array([1, 2, 3], np.int32)}
        assert_matches(tfjs_node.run(again, feed, backend), tfjs_node.run(saved, feed, backend))


def test_the_optimizer_of_a_model_saved_by_tfjs_is_left_out(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    model = convert(models.dense(), format="layers")
    saved = model.save(tmp_path / "web")
    document = json.loads((saved / "model.json").read_text())
    (row,) = document["weightsManifest"]
    row["weights"].append({"name": "momentum", "shape": [2], "dtype": "float32", "group": "optimizer"})
    (saved / row["paths"][-1]).write_bytes((saved / row["paths"][-1]).read_bytes() + bytes(8))
    (saved / "model.json").write_text(json.dumps(document))
    again = convert(saved)
    assert again.report.notes == ("The state of the optimizer, saved with the model by TF.js, is left out.",)
    assert _same_weights(model, again)
    feed = models.samples_of(again.inputs)
    assert_matches(tfjs_node.run(again, feed), tfjs_node.run(model, feed), tolerance=0)


def test_what_was_not_folded_yet_is(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    text = "x: float32[?,5]\na = MatMul(x, w)\nb = Mul(a, s)\nc = AddV2(b, o)\ny = Relu6(c)\nreturn y"
    model = tfjs_model(parse_graph(text, operands(w=(5, 6), s=(6,), o=(6,))))
    again = convert(model.save(tmp_path / "web"))
    assert again.report.ops == {"_FusedMatMul": 1}
    _check_same_outputs(tfjs_node, model, again, tolerance=1e-6)


def test_an_op_that_tfjs_computes_wrongly_is_refused(tmp_path: Path) -> None:
    text = "x: float32[?,5]\nr = Relu(x)\ny = Cumsum(r, axis)\nreturn y"
    saved = tfjs_model(parse_graph(text, {"axis": np.asarray(-1, np.int32)})).save(tmp_path / "web")
    with pytest.raises(UnsupportedOpsError, match="Cumsum"):
        convert(saved)


_FUNCTION = {"signature": {"name": "f", "inputArg": [], "outputArg": []}, "nodeDef": [], "ret": {}}


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        pytest.param(
            lambda d: d["modelTopology"].update(library={"function": [_FUNCTION]}),
            "calls functions",
            id="functions",
        ),
        pytest.param(lambda d: d.update(modelInitializer={"node": []}), "uses lookup tables", id="tables"),
    ],
)
def test_a_graph_beyond_us_stays_as_it_is(
    tfjs_node: TfjsNode, tmp_path: Path, edit: Callable[[dict[str, Any]], None], reason: str
) -> None:
    saved = _official(tmp_path, edit)
    again = convert(saved, weight_shard_size_bytes=64)
    assert reason in again.report.reasons[0]
    assert any("Only the weights were packed again: the graph was not optimised" in note for note in again.report.notes)
    assert again.model_json["modelTopology"] == load(saved).model_json["modelTopology"]
    assert len(again.groups[0].shard_names) > 1
    _check_same_outputs(tfjs_node, load(saved), again)
    with pytest.raises(UnsupportedModelError, match=f"{reason}.*leave outputs=… out"):
        convert(saved, outputs="first")


def test_several_groups_become_one(tmp_path: Path) -> None:
    saved = convert(models.dense(), format="layers").save(tmp_path / "web")
    document = json.loads((saved / "model.json").read_text())
    rows = document["weightsManifest"][0]["weights"]
    weights = load(saved).weights
    document["weightsManifest"] = []
    for row in rows:
        group = pack_weights([WeightEntry(row["name"], weights[row["name"]])])
        name = f"{row['name'].replace('/', '_')}.bin"
        (saved / name).write_bytes(b"".join(group.parts))
        document["weightsManifest"].append({"paths": [name], "weights": [row]})
    (saved / "model.json").write_text(json.dumps(document))
    again = convert(saved)
    assert len(again.model_json["weightsManifest"]) == len(again.groups) == 1
    assert {name: array.tobytes() for name, array in again.weights.items()} == {
        name: array.tobytes() for name, array in weights.items()
    }


# ---- bad input: one clear sentence


@pytest.mark.parametrize(
    ("form", "options", "message"),
    [
        pytest.param("graph", {"format": "layers"}, "cannot become a layers model: it holds a graph", id="layers"),
        pytest.param("graph", {"inputs": {"features": (1, 6)}}, "cannot be fixed any more", id="inputs"),
        pytest.param("graph", {"signature": "serving_default"}, "one signature without a name", id="signature"),
        pytest.param("graph", {"outputs": "speed"}, "has no output 'speed'; it has 'kind', 'score'", id="output"),
        pytest.param("layers", {"outputs": "kind"}, "is a layers model. So it keeps all of its", id="layers-output"),
    ],
)
def test_refuses_what_does_not_fit(tmp_path: Path, form: Any, options: dict[str, Any], message: str) -> None:
    saved = convert(models.two_outputs(), format=form).save(tmp_path / "web")
    with pytest.raises(UnsupportedModelError, match=message) as caught:
        convert(saved, **options)
    assert "TF.js model" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    saved = _official(tmp_path, lambda d: d.update(signature={"outputs": {"y": {"name": "gone:0", "dtype": 1}}}))
    with pytest.raises(UnsupportedModelError, match="'gone' is used, but there is no such node"):
        convert(saved)
    (saved / "model.json").write_text("{")
    with pytest.raises(UnsupportedModelError, match=r"is damaged or no TF\.js model"):
        convert(saved)
