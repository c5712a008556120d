"""Frozen graphs: the outputs that the user names, and only what they need."""

from __future__ import annotations

from pathlib import Path

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
    assert note == "'scale' keeps its default; to make it an input, name it in inputs=."
    assert not convert(frozen, outputs=["logits"], inputs={"scale": ()}).report.notes


def test_a_placeholder_with_a_default_as_the_only_input_is_named(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.exp(v1.placeholder_with_default(tf.zeros([2]), (None,), name="x"), name="y")
    (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(UnsupportedModelError, match=r"need no input but 'x', .* Name it as inputs=\{'x': shape\}\."):
        convert(tmp_path / "net.pb", outputs=["y"])
    assert [info.name for info in convert(tmp_path / "net.pb", outputs=["y"], inputs={"x": [None]}).inputs] == ["x"]


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
        pytest.param(["kernel"], "need no placeholder, so they are constant", id="constant"),
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
