"""Variables behind a graph: their handles, who reads them, and the weights that take the place of the reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.graph.refs import NodeName, Ref, closure, node_of

#: Ops that hand a resource on unchanged: what inlining puts between a handle and its read.
FORWARDS = frozenset("Identity Enter Exit Switch _SwitchN Merge NextIteration".split())
#: Ops that only look at a resource. Any other consumer may assign it.
READS = frozenset("ReadVariableOp ResourceGather ResourceGatherNd VariableShape VarIsInitializedOp".split())
#: How ops are called that draw numbers from a given seed.
_DRAWS = ("StatelessRandom", "StatelessMultinomial")


@dataclasses.dataclass(frozen=True)
class Handle:
    """What a ``VarHandleOp`` in the graph stands for.

    Attributes:
        label: The name that its weight gets.
        array: The value; a view of the variable's own buffer.
    """

    label: str
    array: Array


def make_handle(node: Any, name: str, array: Array) -> None:
    """Make a ``NodeDef`` the handle of a variable."""
    node.Clear()
    node.name, node.op = name, "VarHandleOp"
    node.attr["dtype"].type = tf.as_dtype(array.dtype).as_datatype_enum
    node.attr["shape"].shape.CopyFrom(tf.TensorShape(array.shape).as_proto())
    node.attr["shared_name"].s = name.encode()  # grappler merges handles that share a name


def bind_reads(graph: Graph, handles: Mapping[NodeName, Handle]) -> None:
    """Replace every read by its variable's weight, then drop the handles.

    Inlining leaves reads behind chains of Identity, Enter and Switch; each is followed back to the one handle. A bare
    constant inside a v1 loop frame equals ``Enter(is_constant)`` in TF.js 4.22. The chain stays as a control input:
    what a branch or a loop body returns must be held back there (``passes/strip_control_inputs.py``).

    Raises:
        UnsupportedModelError: A variable is assigned on the way to an output, or a read is not of one variable.
    """
    assigned = assigned_handles(graph, handles)
    _refuse_reads_of_assigned(graph, assigned, handles)
    weights: dict[NodeName, Ref] = {}
    for node in graph:
        if node.op not in READS or not (sources := _handles_behind(graph, node.inputs[0])):
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


def assigned_handles(graph: Graph, handles: Iterable[NodeName]) -> set[NodeName]:
    """Return the handles of variables that the graph may write."""
    return {name for name in handles if name in graph and any(n.op not in READS for n in users_of(graph, name))}


def users_of(graph: Graph, handle: NodeName) -> list[Node]:
    """Return the nodes that end up with a resource."""

    def step(name: NodeName) -> Iterable[NodeName]:
        if name != handle and graph[name].op not in FORWARDS:
            return ()
        return [node.name for node in graph.consumers(name) if name in map(node_of, node.inputs)]

    found = closure([handle], step) - {handle}
    return [node for name in found if (node := graph[name]).op not in FORWARDS]


def _replace_read(graph: Graph, node: Node, weight: Ref) -> None:
    """Put a node that yields what the read did in its place; it waits for the same branch or iteration."""
    name, controls = node.name, list(node.controls)
    if graph.producer(node.inputs[0]).op in FORWARDS:
        # A control input has no port, so an identity says which branch it is.
        attrs: dict[str, Attr] = {"T": DType("resource")}
        pivot = Node(graph.fresh_name(f"{name}/pivot"), "Identity", [node.inputs[0]], attrs)
        controls.append(graph.add(pivot).name)
    if node.op == "ReadVariableOp":
        read = Node(name, "Identity", [weight], {"T": node.attrs["dtype"]}, controls=controls)
    elif node.op == "VariableShape":
        dtype = node.attrs.get("out_type", DType("int32"))
        shape = graph.add_constant(f"{name}/value", np.asarray(graph.shape(weight), dtype=str(dtype)))
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


def _gather_types(node: Node) -> dict[str, Attr]:
    return {"Tparams": node.attrs["dtype"], "Tindices": node.attrs["Tindices"]}


def _handles_behind(graph: Graph, ref: Ref) -> set[NodeName]:
    """Return the names of the resource nodes that a ref may come from."""

    def step(name: NodeName) -> Iterable[NodeName]:
        node = graph[name]
        if node.op not in FORWARDS:
            return ()
        return map(node_of, node.inputs if node.op == "Merge" else node.inputs[:1])  # a Switch's second: its predicate

    return {name for name in closure([node_of(ref)], step) if graph[name].op not in FORWARDS}


def _refuse_reads_of_assigned(graph: Graph, assigned: set[NodeName], handles: Mapping[NodeName, Handle]) -> None:
    needed = closure(map(node_of, graph.outputs.values()), lambda name: map(node_of, graph[name].inputs))
    if draws := sorted(name for name in needed if assigned and graph[name].op.startswith(_DRAWS)):
        ops = quoted_list({graph[name].op for name in draws})
        msg = (
            f"The model draws random numbers with {ops} (node '{draws[0]}'), which TensorFlow.js does not have. Let it "
            f"take them as an input, inputs={{'{draws[0]}': shape}}, or leave out what needs them with outputs=."
        )
        raise UnsupportedModelError(msg, stage="trace", node=draws[0])
    if stateful := sorted({handles[name].label for name in assigned & needed}):
        msg = (
            f"The model writes the variable{'s' * (len(stateful) > 1)} {quoted_list(stateful)} while it computes its "
            "outputs, and TF.js graph models hold no variables. Convert a function that takes the state as an input "
            "and returns it."
        )
        raise UnsupportedModelError(msg, stage="trace", node=stateful[0])
