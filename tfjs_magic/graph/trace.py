"""Trace a function and put its weights beside the graph.

A variable becomes a ``VarHandleOp`` and stays behind its reads, so that no weight ever enters a protobuf: there is no
2 GB limit, grappler copies nothing, and the arrays are views of the variables' own buffers.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfjs_magic.artifacts import Array
from tfjs_magic.graph import grappler
from tfjs_magic.graph.graph_def import graph_from_graph_def
from tfjs_magic.graph.ir import DType, Graph, Shape
from tfjs_magic.graph.refs import NodeName, Ref, node_of
from tfjs_magic.graph.resources import Handle, make_handle
from tfjs_magic.graph.tables import TableReader
from tfjs_magic.naming import first_free

#: Larger constants leave the graph; grappler folds with small ones (shapes, axes, loop bounds).
_LARGEST_CONSTANT_BYTES = 1024


@dataclasses.dataclass(frozen=True, eq=False)
class GraphDefFunction:
    """A function as a ``GraphDef`` with its variables beside it; what a concrete function becomes.

    Attributes:
        graph_def: Edited in place when it is traced.
        handles: Name of a ``VarHandleOp`` in the graph → the variable behind it.
        side_effects: Names of nodes that must run although no output needs them.
        tables: Name of a handle in the graph → what reads the lookup table behind it.
    """

    graph_def: Any
    handles: Mapping[str, Handle] = dataclasses.field(default_factory=dict)
    side_effects: Sequence[str] = ()
    tables: Mapping[str, TableReader] = dataclasses.field(default_factory=dict)


def trace(function: Any, *, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> Graph:
    """Turn a function into a :class:`Graph` without calls; weights are views of the variables.

    Args:
        function: A ``tf.types.experimental.ConcreteFunction``, or a :class:`GraphDefFunction`.
        inputs: The user's input name → name of the placeholder in the function's graph.
        outputs: The user's output name → tensor ref in the function's graph.

    Raises:
        UnsupportedModelError: A variable is assigned and reaches an output.
    """
    function = graph_def_function(function)  # again after unrolling, which leaves large constants of its own
    graph_def, handles = function.graph_def, function.handles
    keep = dict.fromkeys([*inputs.values(), *(node_of(Ref(ref)) for ref in outputs.values()), *function.side_effects])
    optimized = grappler.optimize(graph_def, keep=keep)
    graph = graph_from_graph_def(optimized, handles=handles, tables=function.tables, inputs=inputs, outputs=outputs)
    _infer_shapes(graph, optimized)
    return graph


def graph_def_function(function: Any) -> GraphDefFunction:
    """Return a function with its variables and large constants beside its graph."""
    if isinstance(function, GraphDefFunction):
        constants = _constants_to_handles(function.graph_def)
        return dataclasses.replace(function, handles={**function.handles, **constants})
    func_graph, graph_def = function.graph, function.graph.as_graph_def()
    captured = _renamed_captures(func_graph, graph_def)
    variables = {id(variable.handle): variable for variable in func_graph.variables}
    handles = _captures_to_handles(captured, variables, graph_def)
    tables = {
        name: functools.partial(_export, external)
        for name, external in captured.items()
        if external.dtype == tf.resource and id(external) not in variables
    }
    handles |= _constants_to_handles(graph_def)
    return GraphDefFunction(graph_def, handles, [op.name for op in func_graph.control_outputs], tables)


def _renamed_captures(func_graph: Any, graph_def: Any) -> dict[str, Any]:
    """Return placeholder → what it captures, under names without TensorFlow's counter: same source, same bytes."""
    variables = {id(variable.handle) for variable in func_graph.variables}
    names: dict[str, str] = {}
    taken = {node.name for node in graph_def.node}
    tables, others = _free_names("lookup_table", taken), _free_names("captured", taken)
    for external, internal in func_graph.captures:
        is_table = internal.dtype == tf.resource and id(external) not in variables
        names[internal.op.name] = next(tables if is_table else others)
    for node in graph_def.node:
        node.name = names.get(node.name, node.name)
        for i, ref in enumerate(node.input):
            bare = node_of(ref.removeprefix("^"))
            if bare in names:
                node.input[i] = ref.replace(bare, names[bare], 1)
    return {names[internal.op.name]: external for external, internal in func_graph.captures}


def _free_names(base: str, taken: Collection[str]) -> Iterator[str]:
    """Yield ``base``, ``base_1``, ``base_2`` … but for those that are taken: each in constant time."""
    names = itertools.chain([base], (f"{base}_{i}" for i in itertools.count(1)))
    return (name for name in names if name not in taken)


def _export(table: Any, key_dtype: DType, value_dtype: DType) -> tuple[Array, Array]:
    types = {"Tkeys": tf.as_dtype(str(key_dtype)), "Tvalues": tf.as_dtype(str(value_dtype))}
    keys, values = tf.raw_ops.LookupTableExportV2(table_handle=table, **types)
    return np.asarray(keys), np.asarray(values)


def _infer_shapes(graph: Graph, graph_def: Any) -> None:
    """Set the shapes of the nodes' outputs."""
    with tf.Graph().as_default() as shaped:
        tf.graph_util.import_graph_def(graph_def, name="")
    for operation in shaped.get_operations():
        name = NodeName(operation.name)
        if name in graph and graph[name].op == operation.type:
            graph[name].shapes = tuple(_dims(tensor.shape) for tensor in operation.outputs)


def _dims(shape: Any) -> Shape:
    return Shape(None if shape.rank is None else tuple(shape.as_list()))


def _captures_to_handles(
    captured: Mapping[str, Any], variables: Mapping[int, Any], graph_def: Any
) -> dict[str, Handle]:
    """Turn the placeholders of captured variables and tensors into handles; tables stay what they are."""
    handles: dict[str, Handle] = {}
    names = {node.name for node in graph_def.node}
    for node in list(graph_def.node):
        external = captured.get(node.name)
        if external is None:
            continue
        if (variable := variables.get(id(external))) is not None:
            array = np.asarray(variable.read_value())  # a view; a later assignment gets a buffer of its own
            handles[node.name] = Handle(variable.name.removesuffix(":0"), array)
            make_handle(node, node.name, array)
        elif external.dtype not in (tf.resource, tf.variant):
            handles |= _make_constant(graph_def, node, np.asarray(external), names)
    return handles


def _constants_to_handles(graph_def: Any) -> dict[str, Handle]:
    """Take large constants out of the graph. Those inside function bodies stay: a body has no handles of its own."""
    handles: dict[str, Handle] = {}
    names = {node.name for node in graph_def.node}
    for node in list(graph_def.node):
        if node.op == "Const" and node.attr["value"].ByteSize() > _LARGEST_CONSTANT_BYTES:
            handles |= _make_constant(graph_def, node, tf.make_ndarray(node.attr["value"].tensor), names)
    return handles


def _make_constant(graph_def: Any, node: Any, array: Array, names: set[str]) -> dict[str, Handle]:
    """Let ``node`` yield ``array``: as a small ``Const``, or as the read of a handle with a name that is not taken."""
    dtype = tf.as_dtype(array.dtype)
    name = node.name
    node.Clear()
    node.name = name
    node.attr["dtype"].type = dtype.as_datatype_enum
    if array.nbytes <= _LARGEST_CONSTANT_BYTES or dtype == tf.string:
        node.op = "Const"
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(array))
        return {}
    node.op = "ReadVariableOp"
    handle = first_free(f"{name}/handle", names)
    names.add(handle)
    node.input.append(handle)
    make_handle(graph_def.node.add(), handle, array)
    return {handle: Handle(name, array)}
