"""A topology is read as TF.js reads it, whoever wrote it; a damaged one is refused with a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.graph_text import graph_text, parse_graph
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.graph.dtypes import dtype_name, enum_name
from tfjs_magic.graph.from_topology import graph_from_topology, refuse_unnamed_inputs
from tfjs_magic.graph.ir import Attr, DType, FunctionRef, Graph, Node, Shape
from tfjs_magic.graph.topology import graph_constants, graph_topology

TEXT = """
x: float32[?,3]
parts = Split(axis, x) num_split=2
a = MatMul(parts:1, w, ^x)
y = LeakyRelu(a) alpha=0.25
return first=y, second=parts:1
"""


def _graph() -> Graph:
    return parse_graph(TEXT, {"axis": np.asarray(0, np.int32), "w": np.ones((3, 3), np.float32)})


def _read(topology: dict[str, Any], graph: Graph, **weights: Any) -> Graph:
    known = {**dict(graph_constants(graph)), **weights}
    return graph_from_topology(topology, known, inputs=graph.inputs, outputs=graph.outputs)


def test_is_the_inverse_of_writing() -> None:
    graph = _graph()
    topology = json.loads(json.dumps(graph_topology(graph)))
    again = _read(topology, graph)
    assert graph_text(again) == graph_text(graph)
    assert again["w"].value is graph["w"].value
    assert graph_topology(again) == topology


@pytest.mark.parametrize(
    "value",
    [
        *(b"SAME", b"\xff\x00", True, False, -3, 2**40, float(np.float32(0.1)), DType("bfloat16")),
        *(Shape((None, 0, 3)), Shape(()), Shape(None), FunctionRef("f"), (1, 2), (b"a", b""), (DType("int64"),), ()),
    ],
    ids=repr,
)
def test_attributes_come_back(value: Attr) -> None:
    graph = Graph([Node("y", "Op", attrs={"a": value})], inputs={}, outputs={"y": "y"})
    topology = json.loads(json.dumps(graph_topology(graph)))
    found = _read(topology, graph)["y"].attrs["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param({"i": 3}, 3, id="number"),
        pytest.param({"s": [83, 65]}, b"SA", id="codes"),
        pytest.param({"s": "_w"}, b"\xff", id="url-safe-without-padding"),
        pytest.param({"type": 19}, DType("float16"), id="enum-by-number"),
        pytest.param({"f": "-Infinity"}, float("-inf"), id="infinity-as-text"),
        pytest.param({"f": 0.1}, float(np.float32(0.1)), id="float32"),
        pytest.param({"shape": {}}, Shape(()), id="scalar-without-dims"),
        pytest.param({"shape": {"dim": [{}, {"size": -1}]}}, Shape((0, None)), id="zero-left-out"),
        pytest.param({"list": {"f": [], "i": ["1"]}}, (1,), id="empty-lists-beside"),
    ],
)
def test_other_spellings_of_attributes(row: dict[str, Any], expected: Attr) -> None:
    node = {"name": "y", "op": "Op", "attr": {"a": row, "_class": {"list": {"s": ["YQ=="]}}, "unset": {}}}
    graph = graph_from_topology({"node": [node]}, {}, inputs={}, outputs={"y": "y:0"})
    assert graph["y"].attrs == {"a": expected}


@pytest.mark.parametrize(
    "name",
    [
        *("float32", "float64", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"),
        *("uint64", "bool", "string", "complex64", "complex128", "resource", "variant", "qint8", "quint16", "qint32"),
    ],
)
def test_dtypes_by_name_and_by_number(name: str) -> None:
    import tensorflow as tf

    assert dtype_name(enum_name(name)) == dtype_name(tf.as_dtype(name).as_datatype_enum) == name


def test_integers_get_their_declared_width_back() -> None:
    """The files hold int32, and a graph that mixes widths is none."""
    graph = parse_graph("y = AddV2(a, b)\nreturn y", {"a": np.array([7], np.int64), "b": np.array([1], np.uint8)})
    stored = {"a": np.array([7], np.int32), "b": np.array([300], np.int32)}
    again = _read(graph_topology(graph), graph, **stored)
    a, b = again["a"].value, again["b"].value
    assert a is not None
    assert b is not None
    assert (a.dtype, b.dtype, b.tolist()) == (np.int64, np.int32, [300])


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda t: t.update(node=[row for row in t["node"] if row["name"] != name])


def _row(topology: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in topology["node"] if row["name"] == name)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        pytest.param(lambda t: t.pop("node"), "damaged: KeyError", id="no-nodes"),
        pytest.param(lambda t: t["node"].append(t["node"][0]), "damaged: ValueError: node 'x' exists", id="twice"),
        pytest.param(_without("parts"), "damaged: 'parts.*no such node", id="dangling"),
        pytest.param(_without("y"), "damaged: 'y' is used", id="no-output"),
        pytest.param(lambda t: _row(t, "a").update(input=[3]), "damaged: AttributeError", id="odd-input"),
        pytest.param(lambda t: _row(t, "a").update(input=["parts:idx"]), "damaged: ValueError", id="odd-port"),
        pytest.param(lambda t: _row(t, "a")["attr"].update(T={"type": "DT_TINY"}), "dtype 'DT_TINY'", id="dtype"),
        pytest.param(lambda t: _row(t, "a")["attr"].update(s={"s": "é"}), "damaged: ValueError", id="base64"),
        pytest.param(lambda t: _row(t, "a")["attr"].update(T={"tensor": 3}), "is of kind 'tensor'", id="tensor"),
        pytest.param(lambda t: _row(t, "x").update(op="Relu"), "of type Relu; expected a Placeholder", id="input"),
        pytest.param(
            lambda t: _row(t, "y").update(op="Const", attr={}), "no weight for the constant 'y'", id="no-weight"
        ),
    ],
)
def test_refuses(edit: Callable[[dict[str, Any]], Any], message: str) -> None:
    graph = _graph()
    topology = json.loads(json.dumps(graph_topology(graph)))
    edit(topology)
    with pytest.raises(UnsupportedModelError, match=message) as caught:
        _read(topology, graph)
    assert "\n" not in str(caught.value)


def test_a_placeholder_that_is_no_input_is_refused_where_it_is_needed() -> None:
    graph = _graph()
    topology = json.loads(json.dumps(graph_topology(graph)))
    topology["node"].append({"name": "p", "op": "Placeholder", "attr": {}})
    refuse_unnamed_inputs(_read(topology, graph))
    _row(topology, "y")["input"].append("p")
    with pytest.raises(UnsupportedModelError, match="outputs need 'p', which the signature does not name"):
        refuse_unnamed_inputs(_read(topology, graph))
