"""TF.js's ``modelTopology`` → :class:`Graph`: the inverse of ``graph/topology.py``, for files of any converter.

Source: protobuf's JSON mapping of ``tensorflow/core/framework/graph.proto`` and ``types.proto``, as tfjs-converter
``src/operations/operation_mapper.ts`` reads it, 4.22.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.graph.dtypes import dtype_name
from tfjs_magic.graph.ir import Attr, FunctionRef, Graph, Node, Scalar, Shape
from tfjs_magic.graph.refs import NodeName, node_of, port_of, read_ref

_INTEGERS = frozenset({"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"})
#: What reading a damaged topology may provoke.
_DAMAGES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def graph_from_topology(
    topology: Mapping[str, Any],
    weights: Mapping[str, Array],
    *,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
) -> Graph:
    """Build the graph. Nodes have no static shapes, inputs and constants excepted: the file does not say them.

    Args:
        topology: ``modelTopology``; functions in its library are not read.
        weights: Name of a ``Const`` → its array as TF.js holds it. Not copied where the declared dtype is the same.
        inputs: The user's input name → tensor ref of its ``Placeholder``.
        outputs: The user's output name → tensor ref.

    Raises:
        UnsupportedModelError: It is damaged.
    """
    try:
        nodes = [_node(row, weights) for row in topology["node"]]
        placeholders = {name: node_of(read_ref(ref)) for name, ref in inputs.items()}
        graph = Graph(nodes, inputs=placeholders, outputs={name: read_ref(ref) for name, ref in outputs.items()})
        _refuse_dangling(graph)
        _refuse_circles(graph)
        _set_numbers_of_outputs(graph)
    except _DAMAGES as error:
        reason = f"{type(error).__name__}: {error}"
        raise UnsupportedModelError(f"modelTopology is damaged: {reason}.", stage="graph") from error
    graph.remove_unused()
    return graph


def _node(row: Mapping[str, Any], weights: Mapping[str, Array]) -> Node:
    name, op = NodeName(str(row["name"])), str(row["op"])
    rows = {key: value for key, value in (row.get("attr") or {}).items() if not key.startswith("_") and value}
    value = None
    if op == "Const":
        if name not in weights:
            raise UnsupportedModelError(
                f"The manifest has no weight for the constant '{name}': the model is damaged; convert its source.",
                stage="graph",
                node=name,
            )
        rows.pop("value", None)
        value = _as_declared(weights[name], rows.get("dtype"))
    refs = row.get("input") or ()
    return Node(
        name,
        op,
        inputs=[read_ref(ref) for ref in refs if not ref.startswith("^")],
        controls=[NodeName(ref[1:]) for ref in refs if ref.startswith("^")],
        attrs={key: _attr(name, key, value) for key, value in rows.items()},
        value=value,
        shapes=(_shape(rows["shape"]["shape"]),) if op == "Placeholder" and "shape" in rows else (),
    )


def _as_declared(value: Array, row: Mapping[str, Any] | None) -> Array:
    """Restore the width that the topology declares: the files have int32 only."""
    if row is None or value.dtype != np.int32 or (dtype := dtype_name(row["type"])) not in _INTEGERS:
        return value
    declared = value.astype(str(dtype), copy=False)
    return declared if np.array_equal(declared, value) else value


def _attr(node: str, key: str, row: Mapping[str, Any]) -> Attr:
    ((kind, value),) = row.items()
    if kind != "list":
        return _scalar(node, key, kind, value)
    for item_kind, items in value.items():
        if items:
            return tuple(_scalar(node, key, item_kind, item) for item in items)
    return ()


def _scalar(node: str, key: str, kind: str, value: Any) -> Scalar:  # noqa: PLR0911 - one per kind of attribute
    match kind:
        case "s":
            return _bytes(value)
        case "b":
            return bool(value)
        case "i":
            return int(value)
        case "f":  # protobuf writes "NaN" and "Infinity" as strings
            return float(np.float32(float(value)))
        case "type":
            return dtype_name(value)
        case "shape":
            return _shape(value)
        case "func":
            return FunctionRef(str(value["name"]))
        case _:
            raise UnsupportedModelError(
                f"Attribute '{key}' of node '{node}' is of kind '{kind}'; expected a number, text, dtype, shape or "
                "function. Convert the source of the model again.",
                stage="graph",
                node=node,
            )


def _bytes(value: Any) -> bytes:
    """Return the bytes of an attribute: base64, or the list of codes that TF.js takes as well."""
    if isinstance(value, list):
        return bytes(value)
    text = str(value).translate(str.maketrans("-_", "+/"))
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _shape(row: Mapping[str, Any]) -> Shape:
    if row.get("unknownRank"):
        return Shape(None)
    sizes = [int(dim.get("size", 0)) for dim in row.get("dim") or ()]
    return Shape(tuple(None if size < 0 else size for size in sizes))


def _refuse_dangling(graph: Graph) -> None:
    refs = [*(ref for node in graph for ref in node.inputs), *graph.outputs.values()]
    names = [*map(node_of, refs), *(name for node in graph for name in node.controls), *graph.inputs.values()]
    unknown = [str(name) for name in names if name not in graph] + [str(ref) for ref in refs if port_of(ref) < 0]
    if unknown:
        raise UnsupportedModelError(
            f"modelTopology is damaged: '{unknown[0]}' is used, but there is no such node.", stage="graph"
        )
    for name, placeholder in graph.inputs.items():
        if (op := graph[placeholder].op) != "Placeholder":
            raise UnsupportedModelError(
                f"Input '{name}' is the result of '{placeholder}', of type {op}; expected a Placeholder. Convert "
                "the source of the model again, with the inputs that it needs.",
                stage="graph",
                node=placeholder,
            )


def _refuse_circles(graph: Graph) -> None:
    """Refuse nodes that need their own results; loops do so through NextIteration alone."""
    done: set[NodeName] = set()
    for root in graph:
        path, on_path = [root.name], {root.name}
        waiting = [iter(_needs(root))]
        while path and root.name not in done:
            name = next((one for one in waiting[-1] if one not in done), None)
            if name is None:
                done.add(path[-1])
                on_path.discard(path.pop())
                waiting.pop()
            elif name in on_path:
                circle = path[path.index(name) :]
                raise UnsupportedModelError(
                    f"modelTopology is damaged: the nodes {quoted_list(circle)} need their own results.",
                    stage="graph",
                    node=name,
                )
            else:
                path.append(name)
                on_path.add(name)
                waiting.append(iter(_needs(graph[name])))


def _needs(node: Node) -> list[NodeName]:
    return [] if node.op == "NextIteration" else [*map(node_of, node.inputs), *node.controls]


def _set_numbers_of_outputs(graph: Graph) -> None:
    """Let every node have as many outputs as are used: the file may hold ops of which nothing is known."""
    used: dict[NodeName, int] = {}
    for ref in (*(ref for node in graph for ref in node.inputs), *graph.outputs.values()):
        used[node_of(ref)] = max(used.get(node_of(ref), 0), port_of(ref) + 1)
    for name, number in used.items():
        graph[name].shapes = graph[name].shapes or (Shape(None),) * number


def refuse_unnamed_inputs(graph: Graph) -> None:
    """Refuse a graph whose outputs need a placeholder that is no input.

    Raises:
        UnsupportedModelError: Names every one.
    """
    public = set(graph.inputs.values())
    unnamed = [node.name for node in graph if node.op.startswith("Placeholder") and node.name not in public]
    if unnamed:
        raise UnsupportedModelError(
            f"The outputs need {quoted_list(unnamed)}, which the signature does not name among the inputs "
            f"{quoted_list(graph.inputs)}. Add what is missing to 'signature' in model.json.",
            stage="graph",
            node=unnamed[0],
        )
