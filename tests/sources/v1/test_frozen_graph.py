"""Frozen graphs: the outputs that the user names, and only what they need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.published import published, published_sample
from tests.sources.v1_models import check, feeds_of, normal, v1
from tfjs_magic import convert
from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedModelError

FEEDS = feeds_of(x=(3, 8))


def _graph() -> tf.Graph:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, (None, 8), name="x")
        v1.placeholder(tf.float32, (), name="unused")
        scale = v1.placeholder_with_default(tf.constant(0.5), (), name="scale")
        hidden = tf.nn.relu(x @ tf.constant(normal(8, 64), name="kernel"))
        logits = tf.multiply(hidden @ tf.constant(normal(64, 4, seed=1)), scale, name="logits")
        tf.split(logits, 2, axis=1, name="halves")
        with v1.control_dependencies([v1.assert_positive(scale)]):
            tf.identity(logits, name="asserted")
    return graph


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    path = tmp_path / "net.pb"
    path.write_bytes(_graph().as_graph_def().SerializeToString())
    return path


def _expected(*outputs: str, scale: float = 0.5) -> list[dict[str, Array]]:
    with v1.Session(graph=_graph()) as session:
        names = [name.removesuffix(":0") for name in outputs]
        fetches = {name: name if ":" in name else f"{name}:0" for name in names}
        return [session.run(fetches, {"x:0": feed["x"], "scale:0": scale}) for feed in FEEDS]


@pytest.mark.parametrize("outputs", [["logits"], ["logits:0"], ["halves:1", "logits"], ["asserted"]], ids="-".join)
def test_computes_the_named_outputs(tfjs_node: TfjsNode, frozen: Path, outputs: list[str]) -> None:
    model = convert(frozen, outputs=outputs)
    assert [info.name for info in model.inputs] == ["x"]
    assert [info.name for info in model.outputs] == [name.removesuffix(":0") for name in outputs]
    assert model.report.source == "Frozen graph 'net.pb'"
    check(tfjs_node, model, FEEDS, _expected(*outputs))


def test_the_one_end_is_the_output(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.exp(v1.placeholder(tf.float32, (None, 8), name="x"), name="y")
    (tmp_path / "one.pb").write_bytes(graph.as_graph_def().SerializeToString())
    model = convert(tmp_path / "one.pb")
    assert model.report.notes == ("'y' is its output: the one node that nothing consumes. outputs= names others.",)
    check(tfjs_node, model, FEEDS, [{"y": np.exp(feed["x"])} for feed in FEEDS])


def test_a_placeholder_with_a_default_becomes_an_input_when_it_is_named(tfjs_node: TfjsNode, frozen: Path) -> None:
    model = convert(frozen, outputs=["logits"], inputs={"scale": ()})
    assert {info.name: info.shape for info in model.inputs} == {"x": (None, 8), "scale": ()}
    feeds = [{**feed, "scale": np.array(3, np.float32)} for feed in FEEDS]
    check(tfjs_node, model, feeds, _expected("logits", scale=3))


def test_a_placeholder_that_keeps_its_default_is_noted(frozen: Path) -> None:
    (note,) = convert(frozen, outputs=["logits"]).report.notes
    assert note == "'scale' keeps its default 0.5; to make it an input, name it in inputs=."
    (note,) = convert(frozen, outputs=["logits"], inputs={"scale": ()}).report.notes
    assert note == "'scale' is an input; its default was 0.5."


def test_a_placeholder_with_a_default_is_an_input_where_there_is_no_other(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.exp(v1.placeholder_with_default(tf.zeros([2]), (None,), name="x"), name="y")
    (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    model = convert(tmp_path / "net.pb", outputs=["y"])
    assert [(info.name, info.shape) for info in model.inputs] == [("x", (None,))]
    assert model.report.notes == ("'x' is an input; its default was [0.0, 0.0].",)
    assert model.reference is not None
    assert model.reference({"x": np.log([2, 3, 4])})["y"] == pytest.approx([2, 3, 4])


def _decoding() -> tf.Graph:
    with tf.Graph().as_default() as graph:
        pixels = tf.io.decode_jpeg(v1.placeholder(tf.string, (), name="contents"), 3)
        resized = tf.image.resize(tf.cast(pixels, tf.float32)[None], (8, 8))
        scaled = tf.multiply(resized, v1.placeholder(tf.float32, (), name="scale"), name="scaled")
        with v1.control_dependencies([v1.assert_less(resized, 99.0)]):
            top, bottom = tf.split(scaled, 2, axis=1, name="halves")
        tf.multiply(top, tf.matmul(bottom, tf.constant(normal(3, 3))), name="y")
    return graph


@pytest.mark.parametrize(
    ("names", "left"),
    [
        pytest.param({"scaled:0": (1, 8, 8, 3)}, [], id="one"),
        pytest.param({"resize/ResizeBilinear": None}, ["scale"], id="beside-an-input"),
        pytest.param({"halves:1": None, "halves": (1, 4, 8, 3)}, [], id="two-of-one-node"),
    ],
)
def test_begins_at_a_tensor_inside(tfjs_node: TfjsNode, tmp_path: Path, names: dict[str, Any], left: list[str]) -> None:
    path = tmp_path / "net.pb"
    path.write_bytes(_decoding().as_graph_def().SerializeToString())
    model = convert(path, outputs=["y"], inputs=names)
    public = [*left, *(name.removesuffix(":0") for name in names)]
    assert [info.name for info in model.inputs] == public
    assert f"The model begins at '{public[-1]}': what computes it is left out." in model.report.notes
    feeds = [{info.name: normal(*(info.shape or ()), seed=seed) for info in model.inputs} for seed in (1, 2)]
    jpeg = tf.io.encode_jpeg(tf.ones((9, 9, 3), tf.uint8)).numpy()  # only for the assertion, which is left out, too
    with v1.Session(graph=_decoding()) as session:
        keys = {name: name if ":" in name else f"{name}:0" for name in public}
        others = {"contents:0": jpeg, "scale:0": 1}
        expected = [session.run({"y": "y:0"}, {**others, **{keys[n]: feed[n] for n in public}}) for feed in feeds]
    check(tfjs_node, model, feeds, expected)


def _branching() -> tf.Graph:
    with tf.Graph().as_default() as graph:
        v1.disable_control_flow_v2()
        x = v1.placeholder(tf.float32, (3,), name="x")
        chosen = v1.cond(tf.reduce_sum(x) > 0, lambda: tf.multiply(x, 2, name="twice"), lambda: x - 1)
        body = lambda i, a: (i + 1, tf.sin(a, name="sin"))  # noqa: E731
        done = v1.while_loop(lambda i, _: i < 3, body, (0, tf.exp(chosen, name="before")))[1]
        tf.identity(done + 0.5, name="y")
        v1.enable_control_flow_v2()
    return graph


@pytest.mark.parametrize("name", ["before", "cond/Merge", "while/Exit_1"])
def test_begins_beside_loops_and_branches(tmp_path: Path, name: str) -> None:
    (tmp_path / "net.pb").write_bytes(_branching().as_graph_def().SerializeToString())
    model = convert(tmp_path / "net.pb", outputs=["y"], inputs={name: (3,)})
    assert model.reference is not None
    with v1.Session(graph=_branching()) as session:
        feed = normal(3)
        assert model.reference({name: feed})["y"] == pytest.approx(session.run("y:0", {f"{name}:0": feed}))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cond/twice", "lies in a loop or a branch of .* Name a tensor before or behind it"),
        ("while/Merge_1", "lies in a loop or a branch"),
        ("speed", "inputs names 'speed'; .* has 'x', and its outputs are computed from no tensor of that name"),
        ("before:3", "Input 'before:3' of .* is tensor 'before:3'; the node has 1 outputs"),
    ],
)
def test_refuses_to_begin(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "net.pb").write_bytes(_branching().as_graph_def().SerializeToString())
    with pytest.raises(UnsupportedModelError, match=message):
        convert(tmp_path / "net.pb", outputs=["y"], inputs={name: None})


def test_outputs_that_are_always_the_same(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.nn.softmax(tf.constant(normal(2, 3)) @ tf.constant(normal(3, 2)), name="y")
    (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    model = convert(tmp_path / "net.pb", outputs=["y"])
    assert model.inputs == ()
    assert model.report.notes == ("It needs no input: its outputs are always the same.",)
    expected = {"y": np.asarray(tf.nn.softmax(normal(2, 3) @ normal(3, 2)))}
    assert model.reference is not None
    assert_matches(model.reference({}), expected)
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(model, {}, backend), expected)


def test_inputs_fixes_shapes(tfjs_node: TfjsNode, frozen: Path) -> None:
    model = convert(frozen, outputs=["logits"], inputs={"x": (3, 8)})
    assert (model.inputs[0].shape, model.outputs[0].shape) == ((3, 8), (3, 4))
    check(tfjs_node, model, FEEDS, _expected("logits"))


def test_no_dimensions_mean_an_unknown_rank_in_old_graphs(tfjs_node: TfjsNode, tmp_path: Path) -> None:
    graph_def = v1.GraphDef()
    node = graph_def.node.add(name="x", op="Placeholder")
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    node.attr["shape"].shape.SetInParent()
    exp = graph_def.node.add(name="y", op="Exp", input=["x"])
    exp.attr["T"].type = tf.float32.as_datatype_enum
    graph_def.versions.producer = 20
    (tmp_path / "old.pb").write_bytes(graph_def.SerializeToString())
    model = convert(tmp_path / "old.pb", outputs=["y"])
    assert model.inputs[0].shape is None
    check(tfjs_node, model, FEEDS, [{"y": np.exp(feed["x"])} for feed in FEEDS])


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        pytest.param(None, r"name them with outputs=.*'asserted', 'halves'", id="none"),
        pytest.param(["speed"], r"has no node 'speed'; nodes that nothing consumes are 'asserted'", id="unknown"),
        pytest.param(["halves:2"], "is tensor 'halves:2'; the node has 2 outputs", id="port"),
        pytest.param(["logits:a"], "has no node 'logits:a'", id="odd-port"),
    ],
)
def test_refuses_outputs(frozen: Path, outputs: list[str] | None, message: str) -> None:
    with pytest.raises(UnsupportedModelError, match=message) as caught:
        convert(frozen, outputs=outputs)
    assert "\n" not in str(caught.value)


def test_refuses_an_input_that_is_not_needed(frozen: Path) -> None:
    with pytest.raises(UnsupportedModelError, match=r"inputs names 'unused'; Frozen graph 'net\.pb' has 'x'"):
        convert(frozen, outputs=["logits"], inputs={"unused": ()})


@pytest.mark.parametrize("name", ["m.pb", "saved_model.pb"])
def test_part_of_a_saved_model_is_named(tmp_path: Path, name: str) -> None:
    module = tf.Module()
    module.f = tf.function(lambda x: x + 1, input_signature=[tf.TensorSpec([2], name="x")])
    tf.saved_model.save(module, tmp_path / "saved")
    path = (tmp_path / "saved" / "saved_model.pb").rename(tmp_path / "saved" / name)
    with pytest.raises(UnsupportedModelError, match=r"is part of a SavedModel, no frozen graph; pass its directory"):
        convert(path, outputs=["y"])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"no protobuf", r"net\.pb' is damaged or no frozen graph: it holds no GraphDef", id="text"),
        pytest.param(b"", r"net\.pb' holds a graph without nodes", id="empty"),
    ],
)
def test_refuses_unreadable_files(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "net.pb").write_bytes(data)
    with pytest.raises(UnsupportedModelError, match=message):
        convert(tmp_path / "net.pb", outputs=["y"])


def test_refuses_a_graph_that_is_not_frozen(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, (2,), name="x")
        tf.add(x, v1.get_variable("bias", (2,), use_resource=False), name="y")
    (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(UnsupportedModelError, match="needs the variable 'bias', so it is not frozen"):
        convert(tmp_path / "net.pb", outputs=["y"])


@pytest.mark.parametrize("name", ["ae0", "fc-layers", "gru", "lstm", "regression"])
def test_published_models(tfjs_node: TfjsNode, name: str) -> None:
    folder = "tf2onnx_frozen_graphs"
    path = published(folder) / "original" / f"{name}.pb"
    feed, expected = published_sample(folder, name)
    model = convert(path, outputs=list(expected))
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(model, feed, backend), expected)
