"""The Node harness itself: if it could not tell right from wrong, no conformance test could."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.handmade import graph_model, handmade_model, node
from tests.conformance.node import Backend, JsError, TfjsNode
from tfjs_magic.artifacts import Array, TensorInfo
from tfjs_magic.model import TfjsModel

BACKENDS: tuple[Backend, ...] = ("cpu", "wasm")


def _dense_layers_model(kernel: Array, bias: Array) -> TfjsModel:
    """Make a functional model with one Dense layer."""
    dense = {
        "class_name": "Dense",
        "name": "dense",
        "config": {"name": "dense", "units": kernel.shape[1], "activation": "linear", "use_bias": True},
        "inbound_nodes": [[["x", 0, 0, {}]]],
    }
    source = {
        "class_name": "InputLayer",
        "name": "x",
        "config": {"name": "x", "batch_input_shape": [None, kernel.shape[0]], "dtype": "float32"},
        "inbound_nodes": [],
    }
    config = {
        "name": "m",
        "layers": [source, dense],
        "input_layers": [["x", 0, 0]],
        "output_layers": [["dense", 0, 0]],
    }
    return handmade_model(
        "layers-model",
        {
            "keras_version": "3",
            "backend": "tensorflow",
            "model_config": {"class_name": "Functional", "config": config},
        },
        {"dense/kernel": kernel, "dense/bias": bias},
        [TensorInfo("pixels", "float32", (None, kernel.shape[0]))],
        [TensorInfo("scores", "float32", (None, kernel.shape[1]))],
    )


def _matmul_graph(kernel: Array) -> TfjsModel:
    nodes = [node("x", "Placeholder"), node("kernel", "Const"), node("y", "MatMul", "x", "kernel")]
    return graph_model(nodes, {"kernel": kernel}, y="float32")


@pytest.fixture
def kernel(rng: np.random.Generator) -> Array:
    """A kernel (3, 4) without structure."""
    return rng.normal(size=(3, 4)).astype(np.float32)


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(7)


@pytest.mark.parametrize("backend", BACKENDS)
def test_layers_model_agrees_with_numpy(
    tfjs_node: TfjsNode, backend: Backend, kernel: Array, rng: np.random.Generator
) -> None:
    """Names are the user's, by position; 40 examples are more than predict's default batch of 32."""
    bias = rng.normal(size=4).astype(np.float32)
    samples = [rng.normal(size=(40, 3)).astype(np.float32) for _ in range(2)]
    expected = [{"scores": sample @ kernel + bias} for sample in samples]
    assert_telling(*expected)
    results = tfjs_node.run_each(_dense_layers_model(kernel, bias), [{"pixels": sample} for sample in samples], backend)
    for result, reference in zip(results, expected, strict=True):
        assert_matches(result, reference)
    assert (results[-1].leaked_tensors, results[-1].leaked_per_run) == (0, 0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_graph_model_agrees_with_numpy(
    tfjs_node: TfjsNode, backend: Backend, kernel: Array, rng: np.random.Generator
) -> None:
    samples = [rng.normal(size=(2, 3)).astype(np.float32) for _ in range(2)]
    expected = [{"y": sample @ kernel} for sample in samples]
    assert_telling(*expected)
    results = tfjs_node.run_each(_matmul_graph(kernel), [{"x": sample} for sample in samples], backend)
    for result, reference in zip(results, expected, strict=True):
        assert_matches(result, reference)
        assert not result.executed_async
    assert (results[-1].leaked_tensors, results[-1].leaked_per_run) == (0, 0)


def test_names_are_those_of_the_signature(tfjs_node: TfjsNode) -> None:
    """Here the signature calls node x "y" and node y "x": names that would fit by chance must not."""
    model = graph_model([node("x", "Placeholder"), node("y", "Placeholder"), node("z", "Sub", "x", "y")], z="float32")
    inputs = model.model_json["signature"]["inputs"]
    inputs["x"], inputs["y"] = inputs["y"], inputs["x"]
    result = tfjs_node.run(model, {"x": np.float32(1), "y": np.float32(3)})
    assert_matches(result, {"z": np.float32(2)}, tolerance=0)


def test_outputs_that_are_inputs_weights_or_equal_are_freed_once(tfjs_node: TfjsNode, kernel: Array) -> None:
    model = graph_model(
        [node("x", "Placeholder"), node("kernel", "Const"), node("y", "Neg", "x")], {"kernel": kernel}, y="float32"
    )
    outputs = model.model_json["signature"]["outputs"]
    outputs |= {"again": outputs["y"], "input": {"name": "x:0"}, "weight": {"name": "kernel:0"}}
    feeds = [{"x": np.float32(value)} for value in (1, 2, 3)]
    results = tfjs_node.run_each(model, feeds)
    for feed, result in zip(feeds, results, strict=True):
        expected = {"y": -feed["x"], "again": -feed["x"], "input": feed["x"], "weight": kernel}
        assert_matches(result, expected, tolerance=0)
    assert (results[-1].leaked_tensors, results[-1].leaked_per_run) == (0, 0)


def test_wrong_weights_are_noticed(tfjs_node: TfjsNode, kernel: Array) -> None:
    """The comparison fails on an error of 1e-3 in one weight of twelve."""
    x = np.ones((1, 3), np.float32)
    wrong = kernel.copy()
    wrong[0, 0] += 1e-3 * np.abs(x @ kernel).max()
    with pytest.raises(AssertionError, match=r"output 'y' is off by 0\.001"):
        assert_matches(tfjs_node.run(_matmul_graph(wrong), {"x": x}), {"y": x @ kernel})


def test_runs_a_directory(tfjs_node: TfjsNode, kernel: Array, tmp_path: Path) -> None:
    model = _dense_layers_model(kernel, np.zeros(4, np.float32))
    (tmp_path / "model.json").write_text(json.dumps(model.model_json))
    for name, pieces in model.groups[0].shards():
        (tmp_path / name).write_bytes(b"".join(pieces))
    x = np.ones((1, 3), np.float32)
    assert_matches(tfjs_node.run(tmp_path, {"x": x}), {"dense": x @ kernel})


@pytest.mark.parametrize("backend", BACKENDS)
def test_data_dependent_shape_runs_async(tfjs_node: TfjsNode, backend: Backend) -> None:
    nodes = [node("x", "Placeholder", dtype="bool"), node("y", "Where", "x", dtype="bool")]
    result = tfjs_node.run(graph_model(nodes, y="int32"), {"x": np.array([True, False, True])}, backend)
    assert result.executed_async
    assert_matches(result, {"y": np.array([[0], [2]])})


@pytest.mark.parametrize(
    "x",
    [
        pytest.param(np.array([[1.5, -2.5]], np.float32), id="float32"),
        pytest.param(np.array([2**31 - 1, -(2**31)]), id="int64-that-fits"),
        pytest.param(np.array([[True], [False]]), id="bool"),
        pytest.param(np.array([["ä", ""], ["<b>", "x" * 300]]), id="str"),
        pytest.param(np.array([b"\xff\x00", b"a"], object), id="bytes-that-are-no-utf8"),
        pytest.param(np.array([1 + 2j, -3j], np.complex64), id="complex64"),
        pytest.param(np.zeros((0, 3), np.float32), id="empty"),
        pytest.param(np.float32(3.25), id="scalar"),
    ],
)
def test_every_dtype_survives_the_way_there_and_back(tfjs_node: TfjsNode, x: Array) -> None:
    kinds = {"f": "float32", "i": "int32", "b": "bool", "U": "string", "O": "string", "c": "complex64"}
    dtype = kinds[np.asarray(x).dtype.kind]
    nodes = [node("x", "Placeholder", dtype=dtype), node("y", "Identity", "x", dtype=dtype)]
    expected = np.char.encode(x, "utf-8").astype(object) if np.asarray(x).dtype.kind == "U" else x
    result = tfjs_node.run(graph_model(nodes, y=dtype), {"x": x})
    assert_matches(result, {"y": expected}, tolerance=0)
    assert result.leaked_tensors == 0


def test_wider_integers_are_refused(tfjs_node: TfjsNode) -> None:
    with pytest.raises(ValueError, match="'x' holds integers outside int32"):
        tfjs_node.run(Path(), {"x": np.array([2**31])})


@pytest.mark.parametrize("backend", BACKENDS)
def test_js_error_carries_its_message_and_the_next_model_runs(
    tfjs_node: TfjsNode, backend: Backend, kernel: Array
) -> None:
    nodes = [node("x", "Placeholder"), node("y", "Erfc", "x")]
    with pytest.raises(JsError, match="Erfc") as caught:
        tfjs_node.run(graph_model(nodes, y="float32"), {"x": np.zeros(1, np.float32)}, backend)
    assert "run.mjs" in caught.value.stack
    x = np.ones((1, 3), np.float32)
    assert_matches(tfjs_node.run(_matmul_graph(kernel), {"x": x}, backend), {"y": x @ kernel})


def test_dead_process_is_said_and_replaced(tfjs_node: TfjsNode, kernel: Array) -> None:
    model, feed = _matmul_graph(kernel), {"x": np.ones((1, 3), np.float32)}
    expected = tfjs_node.run(model, feed)
    assert tfjs_node._node._process is not None
    tfjs_node._node._process.kill()
    with pytest.raises(RuntimeError, match="Node ended with code -9 without a reply"):
        tfjs_node.run(model, feed)
    assert_matches(tfjs_node.run(model, feed), expected, tolerance=0)


def test_wrong_input_name_is_said(tfjs_node: TfjsNode, kernel: Array) -> None:
    with pytest.raises(JsError, match=r"inputs given are \[z\]; the model has \[x\]"):
        tfjs_node.run(_matmul_graph(kernel), {"z": np.zeros((1, 3), np.float32)})


def test_missing_shard_is_said(tfjs_node: TfjsNode, kernel: Array, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(json.dumps(_matmul_graph(kernel).model_json))
    with pytest.raises(JsError, match=r"group1-shard\dof3\.bin"):
        tfjs_node.run(tmp_path, {"x": np.zeros((1, 3), np.float32)})
