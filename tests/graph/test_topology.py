"""The JSON form of a graph is protobuf's, and TensorFlow reads it back."""

from __future__ import annotations

import numpy as np
import pytest

from tests.graph_text import parse_graph, run_tensorflow
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.graph.dtypes import enum_name
from tfjs_magic.graph.ir import Attr, DType, FunctionRef, Graph, Node, Shape
from tfjs_magic.graph.topology import graph_constants, graph_topology, shape_json


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(b"SAME", {"s": "U0FNRQ=="}, id="bytes"),
        pytest.param(True, {"b": True}, id="bool"),
        pytest.param(-3, {"i": "-3"}, id="int"),
        pytest.param(2**40, {"i": "1099511627776"}, id="long"),
        pytest.param(0.1, {"f": 0.1}, id="float"),
        pytest.param(float(np.float32(0.2)), {"f": 0.2}, id="float32-without-noise"),
        pytest.param(DType("bfloat16"), {"type": "DT_BFLOAT16"}, id="dtype"),
        pytest.param(Shape((None, 3)), {"shape": {"dim": [{"size": "-1"}, {"size": "3"}]}}, id="shape"),
        pytest.param(Shape(()), {"shape": {"dim": []}}, id="scalar-shape"),
        pytest.param(Shape(None), {"shape": {"unknownRank": True}}, id="unknown-shape"),
        pytest.param(FunctionRef("f"), {"func": {"name": "f"}}, id="function"),
        pytest.param((1, 2), {"list": {"i": ["1", "2"]}}, id="list"),
        pytest.param((b"a", b"b"), {"list": {"s": ["YQ==", "Yg=="]}}, id="list-of-bytes"),
        pytest.param((), {"list": {}}, id="empty-list"),
    ],
)
def test_attributes(value: Attr, expected: object) -> None:
    graph = Graph([Node("y", "Op", attrs={"a": value})], inputs={}, outputs={})
    assert graph_topology(graph)["node"] == [{"name": "y", "op": "Op", "attr": {"a": expected}}]


def test_constants_stand_beside_the_graph() -> None:
    weight = np.ones((2, 3), np.float32)
    graph = parse_graph("x: float32[2]\ny = MatMul(x, w, ^x)\nreturn y", {"w": weight})
    rows = {row["name"]: row for row in graph_topology(graph)["node"]}
    assert rows["y"]["input"] == ["x", "w", "^x"]
    assert rows["w"]["attr"] == {
        "dtype": {"type": "DT_FLOAT"},
        "value": {"tensor": {"dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": "2"}, {"size": "3"}]}}},
    }
    assert [(name, array is weight) for name, array in graph_constants(graph)] == [("w", True)]


def test_strings_are_constants_too() -> None:
    graph = parse_graph("y = Identity(w)\nreturn y", {"w": np.array([b"a"], object)})
    (row,) = (row for row in graph_topology(graph)["node"] if row["name"] == "w")
    assert row["attr"]["dtype"] == {"type": "DT_STRING"}


@pytest.mark.parametrize(
    "name", ["float32", "float64", "float16", "bfloat16", "int64", "uint8", "bool", "string", "complex64", "resource"]
)
def test_names_of_dtypes(name: str) -> None:
    import tensorflow as tf

    attr = tf.compat.v1.AttrValue(type=enum_name(name))
    assert tf.as_dtype(attr.type).name == name


def test_tensorflow_reads_it_back() -> None:
    graph = parse_graph("x: float32[2,3]\na = MatMul(x, w)\ny = Relu(a)\nreturn y", {"w": np.eye(3, dtype=np.float32)})
    x = np.array([[-1, 2, -3], [4, -5, 6]], np.float32)
    assert np.array_equal(run_tensorflow(graph, [{"x": x}])[0]["y"], np.maximum(x, 0))
    assert shape_json(Shape((2, 3))) == {"dim": [{"size": "2"}, {"size": "3"}]}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_refuses_numbers_that_json_has_not(value: float) -> None:
    graph = parse_graph("x: float32[3]\ny = LeakyRelu(x)\nreturn y")
    graph["y"].attrs["alpha"] = value
    with pytest.raises(UnsupportedModelError, match=rf"'alpha' of node 'y' \(LeakyRelu\) is {value}, and"):
        graph_topology(graph)
