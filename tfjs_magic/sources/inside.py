"""Models that begin inside: ``inputs=`` names a tensor on the way to the outputs, and what leads to it is left out.

So a browser takes pixels where the graph decodes JPEG files, and token ids where it splits text.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.graph import grappler
from tfjs_magic.sources.source import FunctionSource
from tfjs_magic.sources.tensors import check_names, dims, is_random_state, op_name, wanted_shape
from tfjs_magic.sources.traced import traced_source
from tfjs_magic.sources.v1.nodes import begins_inside, check_needed, inner_refs, node_and_port, part_of, reachable

#: Ops that write a resource: what is left out might write what the rest reads.
_WRITES = re.compile(r"Assign|Resource(Scatter|StridedSliceAssign|(Sparse)?Apply)")
#: What inlining puts before the names in a function.
_CALLS = re.compile(r"^((Stateful)?PartitionedCall(_\d+)?/)+")


def starting_inside(
    source: FunctionSource, wanted: Mapping[str, Any] | None, layers: Mapping[str, str] | None = None
) -> FunctionSource:
    """Return what a traced function computes from tensors inside it; the function itself if none is named.

    Args:
        source: Of a concrete function.
        wanted: Input name → shape. Names that are no inputs are those of tensors, as messages and the report call them.
        layers: Further names → refs of what they mean.

    Raises:
        UnsupportedModelError: There is no such tensor, its shape does not fit, or the function writes variables.
    """
    public = {end.info.name for end in source.inputs}
    asked = {name: shape for name, shape in (wanted or {}).items() if name not in public}
    if not asked:
        return source
    outputs = [end.ref for end in source.outputs]
    graph_def, captured = _flat(source.function, [node_and_port(ref)[0] for ref in outputs])
    nodes = {node.name: node for node in graph_def.node}
    inner = inner_refs(nodes, {name: (layers or {}).get(name) or _found(nodes, name) for name in asked}, outputs)
    check_names(source.description, public, wanted, inside=[*inner, *(f"{name}:0" for name in inner)])
    shapes = {name.removesuffix(":0"): shape for name, shape in asked.items()}
    if written := set(_written(source.function, graph_def, captured)):
        raise UnsupportedModelError(
            f"{source.description} writes variables ({quoted_list(written)}), so it cannot begin at "
            f"{quoted_list(inner)}: what is left out might write what the rest reads.",
            stage="trace",
        )
    graph = grappler.imported(graph_def, captured)
    # No variable is written, so that the order of effects changes no value.
    needed = reachable(nodes, {node_and_port(ref) for ref in inner.values()}, outputs, controls=False)
    check_needed(source.description, nodes, inner, needed, outputs)
    for node in graph_def.node:
        kept = [ref for ref in node.input if not ref.startswith("^")]
        del node.input[:]
        node.input.extend(kept)
    left = {end.info.name: end.ref for end in source.inputs if end.ref in needed}
    tensors = {name: graph.get_tensor_by_name(_full(ref)) for name, ref in (left | inner).items()}
    specs = {
        name: tf.TensorSpec(wanted_shape(name, dims(tensor), shapes), tensor.dtype, name=op_name(name))
        for name, tensor in tensors.items()
    }
    used = {name: external for name, external in captured.items() if name in needed}
    fed = [_full(ref) for ref in (*left.values(), *inner.values())]
    run = _importer(source, part_of(graph_def, needed - {*used, *left.values()}), fed, used)
    found = traced_source(
        run,
        specs,
        description=source.description,
        output_names=[end.info.name for end in source.outputs],
        dict_output=source.dict_output,
    )
    return dataclasses.replace(found, reason=source.reason, notes=(*source.notes, *begins_inside(inner)))


def _flat(function: Any, keep: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """Return a function's graph without calls, and placeholder → the resource or the tensor that it captures."""
    captured = {internal.op.name: external for external, internal in function.graph.captures}
    placeholders = [tensor.op.name for tensor in function.inputs]
    return grappler.inline(function.graph.as_graph_def(), keep=[*keep, *placeholders, *captured]), captured


def _found(nodes: Mapping[str, Any], ref: str) -> str:
    """Return the ref of a tensor, also where calls stand before its name that inlining put there."""
    name, port = node_and_port(ref)
    if name in nodes:
        return ref
    behind_calls = [one for one in nodes if _CALLS.sub("", one) == name]
    return f"{behind_calls[0]}:{port}" if len(behind_calls) == 1 else ref


def _written(function: Any, graph_def: Any, captured: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ops that write a variable; random states do not count, since TF.js draws from its own."""
    states = {id(variable.handle) for variable in function.graph.variables if is_random_state(variable)}
    nodes = {node.name: node for node in graph_def.node}
    for node in graph_def.node:
        if _WRITES.match(node.op):
            handle = nodes[node_and_port(node.input[0])[0]]
            while handle.op == "Identity":  # of a call that was inlined
                handle = nodes[node_and_port(handle.input[0])[0]]
            if id(captured.get(handle.name)) not in states:
                yield node.op
    for body in part_of(graph_def, {node.name for node in graph_def.node}).library.function:
        yield from (node.op for node in body.node_def if _WRITES.match(node.op))


def _full(ref: str) -> str:
    name, port = node_and_port(ref)
    return f"{name}:{port}"


def _importer(
    source: FunctionSource, part: Any, fed: Sequence[str], captured: Mapping[str, Any]
) -> Callable[[Sequence[Any]], Any]:
    """Return a function that computes the outputs of ``source`` from the fed tensors; it keeps the source alive.

    Args:
        source: The whole.
        part: The nodes between the fed tensors and the outputs.
        fed: Refs, in the order of the function's tensors.
        captured: Placeholder → what stands for it.
    """
    outputs = [_full(end.ref) for end in source.outputs]
    handles = set(map(id, captured.values()))

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def run(*tensors: Any) -> Any:
        for variable in source.function.graph.variables:
            if id(variable.handle) in handles:
                variable.read_value()  # lets the trace know whose handle it captures
        capture = tf.compat.v1.get_default_graph().capture
        feeds = dict(zip(fed, tensors, strict=True))
        feeds |= {f"{name}:0": capture(external) for name, external in captured.items()}
        wanted = [ref for ref in outputs if ref not in feeds]
        found = dict(zip(wanted, tf.graph_util.import_graph_def(part, feeds, wanted, name=""), strict=True))
        return [(feeds | found)[ref] for ref in outputs]

    return lambda tensors: run(*tensors)
