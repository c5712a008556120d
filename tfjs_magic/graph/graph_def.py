"""``GraphDef`` → :class:`Graph`: attributes become Python values, constants and variable reads become arrays."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.graph.ir import Attr, DType, FunctionRef, Graph, Node, Scalar, Shape
from tfjs_magic.graph.random_draws import draw_from_own_state
from tfjs_magic.graph.refs import NodeName, read_ref
from tfjs_magic.graph.resources import Handle, assigned_handles, bind_reads, users_of
from tfjs_magic.graph.tables import TableReader, bind_tables


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
    graph = Graph(
        (graph_node(node_def) for node_def in graph_def.node),
        inputs={name: NodeName(placeholder) for name, placeholder in inputs.items()},
        outputs={name: read_ref(ref) for name, ref in outputs.items()},
    )
    bound = {NodeName(name): handle for name, handle in handles.items()}
    draw_from_own_state(graph, states=assigned_handles(graph, bound) | _seeds(bound))
    bind_reads(graph, bound)
    bind_tables(graph, tables, users_of)
    _refuse_other_resources(graph)
    return graph


def _seeds(handles: Mapping[NodeName, Handle]) -> set[NodeName]:
    """Return the states of Keras's seed generators, also where what writes them is left out."""
    return {name for name, handle in handles.items() if handle.label.rpartition("/")[2] == "seed_generator_state"}


def graph_node(node_def: Any) -> Node:
    """Return a ``NodeDef`` as a :class:`Node`."""
    attrs = {key: _attr(value) for key, value in node_def.attr.items() if not key.startswith("_") and key != "value"}
    value = tf.make_ndarray(node_def.attr["value"].tensor) if node_def.op == "Const" else None
    return Node(
        node_def.name,
        node_def.op,
        inputs=[read_ref(ref) for ref in node_def.input if not ref.startswith("^")],
        controls=[NodeName(ref[1:]) for ref in node_def.input if ref.startswith("^")],
        attrs=attrs,
        value=value,
    )


def _attr(value: Any) -> Attr:
    kind = value.WhichOneof("value")
    if kind != "list":
        return _scalar(kind, getattr(value, kind))
    for field, items in value.list.ListFields():
        return tuple(_scalar(field.name, item) for item in items)
    return ()


def _scalar(kind: str, value: Any) -> Scalar:
    if kind == "type":
        return _dtype(value)
    if kind == "shape":
        return Shape(None if value.unknown_rank else tuple(None if d.size < 0 else d.size for d in value.dim))
    if kind == "func":
        return FunctionRef(value.name)
    if kind in {"s", "i", "f", "b"}:
        return value  # type: ignore[no-any-return]  # bytes, int, float, bool by definition of AttrValue
    msg = f"attribute of kind '{kind}' has no TF.js form."
    raise UnsupportedModelError(msg, stage="trace")


@functools.cache
def _dtype(number: int) -> DType:
    return DType(tf.as_dtype(number).name)


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
