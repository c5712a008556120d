"""``GraphDef`` → :class:`Graph`: attributes become Python values, constants and variable reads become arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.graph.ir import Array, Attr, DType, FunctionRef, Graph, Node, Scalar, Shape, node_of
from tfjs_magic.graph.tables import TableReader, bind_tables

#: Ops that hand a resource on unchanged: what inlining puts between a handle and its read.
_FORWARDING = frozenset({"Identity", "Enter", "Exit", "Switch", "_SwitchN", "Merge", "NextIteration"})
#: Ops that only look at a resource. Any other consumer may assign it.
_READS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape", "VarIsInitializedOp"})


@dataclasses.dataclass(frozen=True)
class Handle:
    """What a ``VarHandleOp`` in the graph stands for.

    Attributes:
        label: The name that its weight gets.
        array: The value; a view of the variable's own buffer.
    """

    label: str
    array: Array


def graph_from_graph_def(
    graph_def: Any,
    *,
    handles: Mapping[str, Handle],
    tables: Mapping[str, TableReader],
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
) -> Graph:
    """Build the graph; every read of a handle becomes the one ``Const`` of its variable.

    Raises:
        UnsupportedModelError: A variable that the graph assigns is read on the way to an output, a read cannot be
            traced to one variable, or an output needs another resource.
    """
    refs = {name: _canonical(ref) for name, ref in outputs.items()}
    graph = Graph((graph_node(node_def) for node_def in graph_def.node), inputs=inputs, outputs=refs)
    _bind_reads(graph, handles)
    bind_tables(graph, tables, _users)
    _refuse_other_resources(graph)
    return graph


def graph_node(node_def: Any) -> Node:
    """Return a ``NodeDef`` as a :class:`Node`."""
    attrs = {key: _attr(value) for key, value in node_def.attr.items() if not key.startswith("_") and key != "value"}
    value = tf.make_ndarray(node_def.attr["value"].tensor) if node_def.op == "Const" else None
    return Node(
        node_def.name,
        node_def.op,
        inputs=[_canonical(ref) for ref in node_def.input if not ref.startswith("^")],
        controls=[ref[1:] for ref in node_def.input if ref.startswith("^")],
        attrs=attrs,
        value=value,
    )


def _canonical(ref: str) -> str:
    return ref.removesuffix(":0")


def _attr(value: Any) -> Attr:
    kind = value.WhichOneof("value")
    if kind != "list":
        return _scalar(kind, getattr(value, kind))
    for field, items in value.list.ListFields():
        return tuple(_scalar(field.name, item) for item in items)
    return ()


def _scalar(kind: str, value: Any) -> Scalar:
    if kind == "type":
        return DType(tf.as_dtype(value).name)
    if kind == "shape":
        return Shape(None if value.unknown_rank else tuple(None if d.size < 0 else d.size for d in value.dim))
    if kind == "func":
        return FunctionRef(value.name)
    if kind in {"s", "i", "f", "b"}:
        return value  # type: ignore[no-any-return]  # bytes, int, float, bool by definition of AttrValue
    msg = f"attribute of kind '{kind}' has no TF.js form."
    raise UnsupportedModelError(msg, stage="trace")


# ---------------------------------------------------------------------- reads of variables


def _bind_reads(graph: Graph, handles: Mapping[str, Handle]) -> None:
    """Replace every read by its variable's weight, then drop the handles.

    Inlining leaves reads behind chains of Identity, Enter and Switch; each is followed back to the one handle. A bare
    constant inside a v1 loop frame equals ``Enter(is_constant)`` in TF.js 4.22. The chain stays as a control input:
    what a branch or a loop body returns must be held back there (``passes/strip_control_inputs.py``).
    """
    assigned = _assigned_handles(graph, handles)
    _refuse_reads_of_assigned(graph, assigned, handles)
    weights: dict[str, str] = {}
    for node in graph:
        if node.op not in _READS or not (sources := _handles_behind(graph, node.inputs[0])):
            continue
        if len(sources) > 1 or not sources <= handles.keys():
            msg = f"node '{node.name}' reads {quoted_list(sources)}; expected one variable behind a read."
            raise UnsupportedModelError(msg, stage="trace", node=node.name)
        (name,) = sources
        if name in assigned:
            continue
        if name not in weights:
            weights[name] = graph.add_constant(handles[name].label, handles[name].array)
        _replace_read(graph, node, weights[name])
    graph.remove_unused()


def _replace_read(graph: Graph, node: Node, weight: str) -> None:
    """Put a node that yields what the read did in its place; it waits for the same branch or iteration."""
    controls = list(node.controls)
    if graph[node.inputs[0]].op in _FORWARDING:  # a control input has no port, so an identity says which branch it is
        attrs: dict[str, Attr] = {"T": DType("resource")}
        pivot = Node(graph.fresh_name(f"{node.name}/pivot"), "Identity", [node.inputs[0]], attrs)
        controls.append(graph.add(pivot).name)
    name = node.name
    if node.op == "ReadVariableOp":
        read = Node(name, "Identity", [weight], {"T": node.attrs["dtype"]}, controls=controls)
    elif node.op == "VariableShape":
        array = graph[weight].value
        assert array is not None
        dtype = node.attrs.get("out_type", DType("int32"))
        shape = graph.add_constant(f"{name}/value", np.asarray(array.shape, dtype=str(dtype)))
        read = Node(name, "Identity", [shape], {"T": dtype}, controls=controls)
    elif node.op == "ResourceGather":
        axis = graph.add_constant(f"{name}/axis", np.zeros((), np.int32))
        attrs = _gather_types(node) | {"Taxis": DType("int32"), "batch_dims": node.attrs.get("batch_dims", 0)}
        read = Node(name, "GatherV2", [weight, node.inputs[1], axis], attrs, controls=controls)
    elif node.op == "ResourceGatherNd":
        read = Node(name, "GatherNd", [weight, node.inputs[1]], _gather_types(node), controls=controls)
    else:
        return  # VarIsInitializedOp: the op check names it
    graph.replace_node(name, read)


def _refuse_other_resources(graph: Graph) -> None:
    """Refuse what a captured resource that is no variable computes: TF.js would wait for an input that nobody knows."""
    public = set(graph.inputs.values())
    if left := [node.name for node in graph if node.op == "Placeholder" and node.name not in public]:
        users = sorted({consumer.op for name in left for consumer in graph.consumers(name)})
        msg = (
            f"The model uses a resource that is no variable, such as a lookup table, through {quoted_list(users)}, and "
            "such resources cannot be converted. Look the values up before the model, or convert the part behind it."
        )
        raise UnsupportedModelError(msg, stage="trace", node=graph.consumers(left[0])[0].name)


def _gather_types(node: Node) -> dict[str, Attr]:
    return {"Tparams": node.attrs["dtype"], "Tindices": node.attrs["Tindices"]}


def _handles_behind(graph: Graph, ref: str) -> set[str]:
    """Return the names of the resource nodes that a ref may come from."""
    found: set[str] = set()
    seen: set[str] = set()
    stack = [node_of(ref)]
    while stack:
        name = stack.pop()
        if name in seen:
            continue
        seen.add(name)
        node = graph[name]
        if node.op == "Merge":
            stack += map(node_of, node.inputs)
        elif node.op in _FORWARDING:  # a Switch's second input is its predicate
            stack.append(node_of(node.inputs[0]))
        else:
            found.add(name)
    return found


def _assigned_handles(graph: Graph, handles: Mapping[str, Handle]) -> set[str]:
    """Return the handles that some op may write: whatever takes them and neither reads nor forwards."""
    return {name for name in handles if name in graph and any(n.op not in _READS for n in _users(graph, name))}


def _users(graph: Graph, handle: str) -> list[Node]:
    """Return the nodes that end up with the resource."""
    users: list[Node] = []
    seen = {handle}
    stack = [handle]
    while stack:
        name = stack.pop()
        for consumer in graph.consumers(name):
            if consumer.name in seen or name not in map(node_of, consumer.inputs):
                continue
            seen.add(consumer.name)
            if consumer.op in _FORWARDING:
                stack.append(consumer.name)
            else:
                users.append(consumer)
    return users


def _refuse_reads_of_assigned(graph: Graph, assigned: set[str], handles: Mapping[str, Handle]) -> None:
    if not assigned:
        return
    needed: set[str] = set()
    stack = [node_of(ref) for ref in graph.outputs.values()]
    while stack:
        name = stack.pop()
        if name in needed:
            continue
        needed.add(name)
        stack += map(node_of, graph[name].inputs)
    if stateful := sorted({handles[name].label for name in assigned if name in needed}):
        msg = (
            f"The model writes the variable {quoted_list(stateful)} while it computes its outputs, and TF.js graph "
            "models hold no variables. Convert a function that takes the state as an input and returns it."
        )
        raise UnsupportedModelError(msg, stage="trace", node=stateful[0])
