"""A ``GraphDef`` of TensorFlow 1 with named inputs and outputs, cut down to what the outputs need."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfjs_magic.artifacts import Array, Reference
from tfjs_magic.errors import UnsupportedModelError, quoted_list, reason_of
from tfjs_magic.graph.ir import DType
from tfjs_magic.graph.resources import Handle
from tfjs_magic.graph.trace import GraphDefFunction
from tfjs_magic.naming import first_free
from tfjs_magic.sources.graph_check import refuse_nodes, refuse_touching
from tfjs_magic.sources.graph_ops import AT_IMPORT, touches
from tfjs_magic.sources.source import Endpoint, FunctionSource
from tfjs_magic.sources.tensors import check_names, dims, tensor_info, wanted_shape
from tfjs_magic.sources.v1.nodes import (
    begins_inside,
    check_needed,
    closure,
    control_inputs,
    data_inputs,
    default_values,
    depth,
    inner_refs,
    node_and_port,
    part_of,
    reachable,
)
from tfjs_magic.sources.v1.tables import TableContents, is_table
from tfjs_magic.sources.v1.variables import (
    CALLS,
    Values,
    bind_variables,
    check_loops,
    telling_branches,
    written_variables,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Endpoints:
    """Which tensors of the graph go in and out.

    Attributes:
        description: The source, for messages and the report.
        inputs: Public name → tensor ref, in the public order.
        outputs: Public name → tensor ref, in the public order.
        types: Public name → dtype and shape protobufs of the inputs that are no placeholders in the graph.
    """

    description: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    types: Mapping[str, tuple[Any, Any]] = dataclasses.field(default_factory=dict)


def graph_source(
    graph_def: Any,
    endpoints: Endpoints,
    *,
    values: Values,
    tables: TableContents,
    shapes: Mapping[str, Any] | None,
    trust: bool,
    dict_output: bool = False,
    feed: str = "export a signature that takes it",
) -> FunctionSource:
    """Make a source of the part of ``graph_def`` between the endpoints; leaves ``graph_def`` as it is.

    Args:
        graph_def: A ``GraphDef`` with v1 or v2 variables and control flow.
        endpoints: Its inputs and outputs.
        values: Gives the value of a variable that the outputs need.
        tables: Gives what is in the lookup tables that the outputs need.
        shapes: The user's wishes: ``convert(inputs=…)``.
        trust: Whether what the outputs need may touch the machine.
        dict_output: Whether the source returns a dict.
        feed: How a placeholder that has a default becomes an input.

    Raises:
        UnsupportedModelError: An endpoint is no tensor that TF.js has, or an output needs what the graph does not tell.
    """
    endpoints, inner = _starting_inside(graph_def, endpoints, shapes, trust=trust)
    shapes = {
        name.removesuffix(":0") if name not in endpoints.inputs else name: row for name, row in (shapes or {}).items()
    }
    nodes = {node.name: node for node in graph_def.node}
    fed_defaults = {name: value for name, value in default_values(nodes).items() if name in inner}
    _check_endpoints(nodes, endpoints)
    whole = part_of(graph_def, _reachable(nodes, endpoints))
    placeholders = _cut(whole, endpoints)
    fetches = {name: _full(ref, placeholders, endpoints) for name, ref in endpoints.outputs.items()}
    kept = _without_writes(whole, endpoints, placeholders.values(), fetches.values())
    refuse_touching(kept, endpoints.description, trust=trust)
    defaults = _check_sources(kept, endpoints, placeholders.values())
    handles = bind_variables(kept, values)
    contents = tables([node.name for node in kept.node if is_table(node)])
    check_loops(kept, endpoints.description)
    alone = _imported(part_of(kept, placeholders.values()), endpoints)
    wanted = {
        name: wanted_shape(name, dims(alone.get_tensor_by_name(f"{placeholder}:0")), shapes)
        for name, placeholder in placeholders.items()
    }
    _set_shapes(kept, {placeholders[name]: shape for name, shape in wanted.items()})
    graph = _imported(kept, endpoints)
    tensors = {name: _output(graph, endpoints, name, ref) for name, ref in fetches.items()}
    feeds = {name: graph.get_tensor_by_name(f"{placeholder}:0") for name, placeholder in placeholders.items()}
    traced = graph.as_graph_def()  # with the attributes that older writers left to their defaults
    _set_shapes(traced, {placeholders[name]: shape for name, shape in wanted.items()})
    return FunctionSource(
        function=GraphDefFunction(
            traced,
            handles,
            [node.name for node in traced.node if node.op in CALLS],
            {name: functools.partial(_content, rows) for name, rows in contents.items()},
        ),
        inputs=_public(feeds, endpoints.description),
        outputs=_public(tensors, endpoints.description),
        reference=_reference(feeds, tensors, functools.partial(_session, graph, handles, contents)),
        description=endpoints.description,
        dict_output=dict_output,
        notes=(
            *begins_inside(name for name in inner if name not in fed_defaults),
            *(f"'{name}' is an input; its default was {value}." for name, value in fed_defaults.items()),
            *(f"'{name}' keeps its default {value}; to make it an input, {feed}." for name, value in defaults.items()),
        ),
    )


def _public(tensors: Mapping[str, Any], description: str) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(tensor_info(name, tensor, description), tensor.name.removesuffix(":0"))
        for name, tensor in tensors.items()
    )


def _content(rows: tuple[Array, Array], *_: DType) -> tuple[Array, Array]:
    return rows


def _check_endpoints(nodes: Mapping[str, Any], endpoints: Endpoints) -> None:
    for what, refs in (("Input", endpoints.inputs), ("Output", endpoints.outputs)):
        for name, ref in refs.items():
            if node_and_port(ref)[0] not in nodes:
                raise UnsupportedModelError(
                    f"{what} '{name}' of {endpoints.description} is tensor '{ref}', and the graph has no such node. "
                    "The file is damaged, or was cut down; export the model again."
                )
    fed = [node_and_port(ref) for ref in endpoints.inputs.values()]
    if twice := {name for name, ref in endpoints.inputs.items() if fed.count(node_and_port(ref)) > 1}:
        raise UnsupportedModelError(
            f"Inputs {quoted_list(twice)} of {endpoints.description} are one and the same tensor; expected one name "
            "for each. Export it with one of them."
        )


# ---------------------------------------------------------------------- which nodes


def _starting_inside(
    graph_def: Any, endpoints: Endpoints, wanted: Mapping[str, Any] | None, *, trust: bool
) -> tuple[Endpoints, tuple[str, ...]]:
    """Let the graph begin at the tensors inside it that the user names as inputs; what leads to them is left out.

    Returns:
        The endpoints, of which those inputs stay that the outputs still need; and the names of the new ones.
    """
    nodes = {node.name: node for node in graph_def.node}
    others = {name: name for name in wanted or () if name not in endpoints.inputs}
    inner = inner_refs(nodes, others, endpoints.outputs.values())
    check_names(endpoints.description, endpoints.inputs, wanted, inside=[*inner, *inner.values()])
    if not inner:
        return endpoints, ()
    if held := [name for name, ref in inner.items() if depth(nodes, node_and_port(ref)[0])]:
        raise UnsupportedModelError(
            f"{quoted_list(held)} lies in a loop or a branch of {endpoints.description}, where no model can begin. "
            "Name a tensor before or behind it."
        )
    starts = [node_and_port(ref)[0] for ref in inner.values()]
    before = closure(nodes, starts, lambda node: [*data_inputs(node), *control_inputs(node)])
    part = part_of(graph_def, before)
    if not trust:
        refuse_nodes([*_touching_at_import(part)], endpoints.description)
    imported = _imported(part, endpoints)
    tensors = {name: _output(imported, endpoints, name, ref, "Input") for name, ref in inner.items()}
    types = {name: (tensor.dtype.as_datatype_enum, tensor.shape.as_proto()) for name, tensor in tensors.items()}
    fed = set(map(node_and_port, inner.values()))
    needed = reachable(nodes, fed, endpoints.outputs.values(), controls=False)
    check_needed(endpoints.description, nodes, inner, needed, endpoints.outputs.values())
    left = {name: ref for name, ref in endpoints.inputs.items() if node_and_port(ref)[0] in needed}
    endpoints = dataclasses.replace(endpoints, inputs={**left, **inner}, types={**endpoints.types, **types})
    return endpoints, tuple(inner)


def _touching_at_import(part: Any) -> Iterator[Any]:
    """Yield the nodes that TensorFlow might run to know a shape: those of constants alone, and of functions."""
    nodes = {node.name: node for node in part.node}
    for node in nodes.values():
        if node.op in AT_IMPORT and touches(node.op, node.attr):
            needed = closure(nodes, [node.name], data_inputs)
            if not any(nodes[name].op == "Placeholder" for name in needed):
                yield node
    for function in part.library.function:
        yield from (node for node in function.node_def if node.op in AT_IMPORT and touches(node.op, node.attr))


def _reachable(nodes: Mapping[str, Any], endpoints: Endpoints) -> set[str]:
    """Return what the outputs need; nothing behind an input."""
    fed = {node_and_port(ref) for ref in endpoints.inputs.values()}
    return reachable(nodes, fed, endpoints.outputs.values()) | {
        name for name, _ in fed if nodes[name].op == "Placeholder"
    }


def _cut(graph_def: Any, endpoints: Endpoints) -> dict[str, str]:
    """Put a placeholder where a fed tensor is computed; return public name → placeholder."""
    nodes = {node.name: node for node in graph_def.node}
    placeholders: dict[str, str] = {}
    fresh: dict[tuple[str, int], str] = {}
    for name, ref in endpoints.inputs.items():
        node_name, port = node_and_port(ref)
        if node_name in nodes and nodes[node_name].op == "Placeholder":
            placeholders[name] = node_name
            continue
        placeholder = first_free(f"{node_name}/fed_{port}", nodes)
        fresh[node_name, port] = placeholders[name] = placeholder
        dtype, shape = endpoints.types[name]
        cut = graph_def.node.add(name=placeholder, op="Placeholder")
        cut.attr["dtype"].type = dtype
        cut.attr["shape"].shape.CopyFrom(shape)
    for node in graph_def.node:
        for i, ref in enumerate(node.input):
            if not ref.startswith("^") and (fed := fresh.get(node_and_port(ref))):
                node.input[i] = fed
    return placeholders


def _full(ref: str, placeholders: Mapping[str, str], endpoints: Endpoints) -> str:
    """Return the ref with its port; that of the placeholder where the tensor is fed."""
    for name, fed in endpoints.inputs.items():
        if node_and_port(fed) == node_and_port(ref):
            return f"{placeholders[name]}:0"
    name, port = node_and_port(ref)
    return f"{name}:{port}"


# ---------------------------------------------------------------------- variables and tables


def _without_writes(graph_def: Any, endpoints: Endpoints, inputs: Iterable[str], fetches: Iterable[str]) -> Any:
    """Drop what runs only for its effect; control inputs stay where they tell a branch or an iteration.

    Raises:
        UnsupportedModelError: An output reads a variable that the graph writes on the way to an output.
    """
    nodes = {node.name: node for node in graph_def.node}
    start = [*inputs, *(node_and_port(ref)[0] for ref in fetches)]
    needed = closure(nodes, start, data_inputs)
    called = {name for name in needed if nodes[name].op in CALLS}  # the inliner's business: bodies may only read
    if stateful := written_variables(nodes, nodes.keys() - called) & needed:
        raise UnsupportedModelError(
            f"The variable {quoted_list(stateful)} of {endpoints.description} is written while its outputs are "
            "computed, and TF.js graph models hold no variables. Export a signature that takes the state as an input "
            "and returns it.",
            stage="trace",
            node=min(stateful),
        )
    pivots = telling_branches(nodes)
    kept = closure(nodes, start, lambda n: [*data_inputs(n), *(c for c in control_inputs(n) if c in pivots)])
    part = part_of(graph_def, kept)
    for node in part.node:
        refs = [ref for ref in node.input if not ref.startswith("^") or ref[1:] in kept & pivots]
        del node.input[:]
        node.input.extend(refs)
    return part


def _check_sources(graph_def: Any, endpoints: Endpoints, inputs: Iterable[str]) -> dict[str, str]:
    """Refuse placeholders that nobody feeds; return those with a default, which become their defaults, as text."""
    known = set(inputs)
    if unfed := [node.name for node in graph_def.node if node.op == "Placeholder" and node.name not in known]:
        raise UnsupportedModelError(
            f"The outputs of {endpoints.description} need the placeholder {quoted_list(unfed)}, which is none of its "
            f"inputs {quoted_list(endpoints.inputs)}. Export it with that input, or name other outputs=.",
            stage="trace",
            node=unfed[0],
        )
    defaults = default_values({node.name: node for node in graph_def.node})
    for node in graph_def.node:
        if node.name in defaults:
            dtype = node.attr["dtype"].type
            node.op = "Identity"
            node.attr.clear()
            node.attr["T"].type = dtype
    return defaults


# ---------------------------------------------------------------------- tensors and the reference


def _imported(graph_def: Any, endpoints: Endpoints) -> Any:
    try:
        with tf.Graph().as_default() as graph:
            tf.graph_util.import_graph_def(graph_def, name="")
    except Exception as error:  # TensorFlow raises whatever the file provokes
        reason = reason_of(error)
        raise UnsupportedModelError(
            f"TensorFlow cannot import the graph of {endpoints.description}: {reason}."
        ) from error
    return graph


def _output(graph: Any, endpoints: Endpoints, name: str, ref: str, what: str = "Output") -> Any:
    node, port = node_and_port(ref)
    tensors = graph.get_operation_by_name(node).outputs
    if port >= len(tensors):
        raise UnsupportedModelError(
            f"{what} '{name}' of {endpoints.description} is tensor '{ref}'; the node has {len(tensors)} outputs, "
            "counted from 0. Name one of them.",
            stage="trace",
            node=node,
        )
    return tensors[port]


def _set_shapes(graph_def: Any, shapes: Mapping[str, tuple[int | None, ...] | None]) -> None:
    """Write the placeholders' shapes: in old graphs "no dimensions" means an unknown rank."""
    for node in graph_def.node:
        if node.name in shapes:
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(shapes[node.name]).as_proto())


def _reference(feeds: Mapping[str, Any], fetches: Mapping[str, Any], opened: Callable[[], Any]) -> Reference:
    """Run the graph in a session, which is opened at the first call."""
    sessions: list[Any] = []

    def call(inputs: Mapping[str, Array]) -> dict[str, Array]:
        if not sessions:
            sessions.append(opened())
        feed = {tensor: np.asarray(inputs[name], tensor.dtype.as_numpy_dtype) for name, tensor in feeds.items()}
        results = sessions[0].run(list(fetches.values()), feed)
        return {name: np.asarray(result) for name, result in zip(fetches, results, strict=True)}

    return Reference(call, lambda: False)


def _session(graph: Any, handles: Mapping[str, Handle], tables: Mapping[str, tuple[Array, Array]]) -> Any:
    session = tf.compat.v1.Session(graph=graph)
    with graph.as_default():
        for name, handle in handles.items():
            resource = graph.get_tensor_by_name(f"{name}:0")
            value = tf.compat.v1.placeholder(handle.array.dtype, handle.array.shape)
            assign = tf.raw_ops.AssignVariableOp(resource=resource, value=value)
            session.run(assign, {value: handle.array})
        for name, (keys, values) in tables.items():
            table = graph.get_tensor_by_name(f"{name}:0")
            fill = tf.raw_ops.LookupTableImportV2 if table.dtype == tf.resource else tf.raw_ops.LookupTableImport
            session.run(fill(table_handle=table, keys=keys, values=values))
    return session
