"""Graph → TF.js's ``modelTopology``: the JSON form of a ``GraphDef``, with the arrays beside it.

Source: protobuf's JSON mapping (int64 as strings, bytes as base64) of ``tensorflow/core/framework/graph.proto``, as
tfjs-converter ``src/data/compiled_api.ts`` and ``src/operations/operation_mapper.ts`` read it, 4.22.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.graph.dtypes import enum_name
from tfjs_magic.graph.ir import Attr, DType, FunctionRef, Graph, Node, Scalar, Shape

#: TF.js parses ``versions`` and shows it as the model's version; the numbers are those of TF 2.x.
_VERSIONS = {"producer": 1882, "minConsumer": 12}


def graph_topology(graph: Graph) -> dict[str, Any]:
    """Return ``modelTopology``: constants appear by name, dtype and shape only.

    Raises:
        UnsupportedModelError: An attribute is infinite or not a number, which JSON has not.
    """
    return {"node": [_node(node) for node in graph], "library": {}, "versions": _VERSIONS}


def graph_constants(graph: Graph) -> list[tuple[str, Array]]:
    """Return the name and array of every constant, in the order of the graph."""
    return [(node.name, node.value) for node in graph if node.value is not None]


def shape_json(shape: Shape) -> dict[str, Any]:
    """Return a shape as JSON; an unknown dimension is "-1"."""
    if shape.dims is None:
        return {"unknownRank": True}
    return {"dim": [{"size": str(-1 if size is None else size)} for size in shape.dims]}


def _node(node: Node) -> dict[str, Any]:
    row: dict[str, Any] = {"name": node.name, "op": node.op}
    if node.inputs or node.controls:
        row["input"] = [*node.inputs, *(f"^{name}" for name in node.controls)]
    row["attr"] = {key: _attr(value) for key, value in sorted(node.attrs.items())}
    for key, value in node.attrs.items():
        numbers = [item for item in (value if isinstance(value, tuple) else (value,)) if isinstance(item, float)]
        if not all(map(math.isfinite, numbers)):
            raise UnsupportedModelError(
                f"The attribute '{key}' of node '{node.name}' ({node.op}) is {value!r}, and a model.json holds finite "
                "numbers only. Replace the layer that the node is named after.",
                stage="graph",
                node=node.name,
            )
    if node.value is not None:
        dtype = enum_name("string" if node.value.dtype == object else node.value.dtype.name)
        row["attr"] = {
            "dtype": {"type": dtype},
            "value": {"tensor": {"dtype": dtype, "tensorShape": shape_json(Shape(node.value.shape))}},
        }
    return row


def _attr(value: Attr) -> dict[str, Any]:
    if not isinstance(value, tuple):
        return _scalar(value)
    rows = [_scalar(item) for item in value]
    return {"list": {kind: [row[kind] for row in rows] for kind in (rows[0] if rows else ())}}


def _scalar(value: Scalar) -> dict[str, Any]:  # noqa: PLR0911 - one per kind of attribute
    match value:
        case bytes():
            return {"s": base64.b64encode(value).decode("ascii")}
        case bool():
            return {"b": value}
        case int():
            return {"i": str(value)}
        case float():
            return {"f": float(str(np.float32(value)))}
        case DType():
            return {"type": enum_name(value)}
        case Shape():
            return {"shape": shape_json(value)}
        case FunctionRef():
            return {"func": {"name": value.name}}
