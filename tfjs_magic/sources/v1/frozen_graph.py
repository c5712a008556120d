"""Frozen graphs: a ``.pb`` file with a ``GraphDef`` whose weights are constants."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.graph_check import check_structure
from tfjs_magic.sources.sizes import MOST_PROTO_BYTES, read_bytes
from tfjs_magic.sources.source import FunctionSource
from tfjs_magic.sources.v1.graph import Endpoints, graph_source
from tfjs_magic.sources.v1.nodes import closure, data_inputs, default_values, node_and_port
from tfjs_magic.sources.v1.tables import table_contents

#: Nodes that nothing consumes and that are no result.
_NO_RESULTS = frozenset({"NoOp", "Const", "Placeholder", "PlaceholderWithDefault", "Assert", "SaveV2"})


def frozen_graph_source(path: Path, options: ConvertOptions) -> FunctionSource:
    """Read a frozen graph and take the part that the wanted outputs need.

    Its inputs are the placeholders on the way, by their node names. A placeholder with a default keeps its default,
    unless ``inputs=`` names it or there is no other input. The output need not be named where only one node is
    consumed by nothing.

    Raises:
        UnsupportedModelError: The file holds no graph, or the outputs are not named or not in it.
    """
    graph_def = _read(path)
    check_structure(graph_def, f"the frozen graph '{path}'")
    nodes = {node.name: node for node in graph_def.node}
    description = f"Frozen graph '{path.name}'"
    outputs = _outputs(description, nodes, options.outputs)
    note = f"{quoted_list(outputs)} is its output: the one node that nothing consumes. outputs= names others."
    inputs = {name: name for name in _placeholders(nodes, outputs.values())}
    shapes = options.inputs
    if not inputs and not shapes:
        needed = _needed(nodes, outputs.values())
        shapes = {name: None for name in default_values(nodes) if name in needed}
    types = {name: (nodes[name].attr["dtype"].type, nodes[name].attr["shape"].shape) for name in inputs}
    endpoints = Endpoints(description=description, inputs=inputs, outputs=outputs, types=types)

    def no_value(name: str) -> Array:
        raise UnsupportedModelError(
            f"{description} needs the variable '{name}', so it is not frozen: the file holds no weights. Pass the "
            "SavedModel directory, or freeze the graph first."
        )

    contents = table_contents(path.parent, _without_assets(graph_def), description)
    source = graph_source(
        graph_def,
        endpoints,
        values=no_value,
        tables=contents,
        shapes=shapes,
        trust=options.trust,
        feed="name it in inputs=",
    )
    constant = () if source.inputs else ("It needs no input: its outputs are always the same.",)
    return dataclasses.replace(source, notes=(*source.notes, *constant, *(() if options.outputs else (note,))))


def _without_assets(graph_def: Any) -> Any:
    """Return the graph in the form of a SavedModel; a frozen one has no files beside it."""
    meta_graph = tf.compat.v1.MetaGraphDef()
    meta_graph.graph_def.CopyFrom(graph_def)
    return meta_graph


def _read(path: Path) -> Any:
    data = read_bytes(path, most=MOST_PROTO_BYTES)
    graph_def = tf.compat.v1.GraphDef()
    try:
        graph_def.ParseFromString(data)
    except Exception as error:  # protobuf's DecodeError, which has no public home
        if _is_saved_model(path, data):
            raise UnsupportedModelError(_pass_the_directory(path)) from error
        raise UnsupportedModelError(
            f"The file '{path}' is damaged or no frozen graph: it holds no GraphDef; expected what "
            "tf.io.write_graph(as_text=False) writes."
        ) from error
    if not graph_def.node or not all(node.name and node.op for node in graph_def.node):
        if _is_saved_model(path, data):
            raise UnsupportedModelError(_pass_the_directory(path))
        raise UnsupportedModelError(f"The file '{path}' holds a graph without nodes; expected a frozen GraphDef.")
    return graph_def


def _is_saved_model(path: Path, data: bytes) -> bool:
    """Tell a SavedModel: its first field is a version number, where a graph has nodes."""
    return path.name == "saved_model.pb" or data[:1] == b"\x08"


def _pass_the_directory(path: Path) -> str:
    return f"'{path}' is part of a SavedModel, no frozen graph; pass its directory: '{path.parent}'."


def _outputs(description: str, nodes: Mapping[str, Any], wanted: Sequence[str] | None) -> dict[str, str]:
    if wanted:
        if unknown := [name for name in wanted if node_and_port(name)[0] not in nodes]:
            raise UnsupportedModelError(
                f"{description} has no node '{node_and_port(unknown[0])[0]}'; nodes that nothing consumes are "
                f"{quoted_list(_ends(nodes))}."
            )
        return {name.removesuffix(":0"): name for name in wanted}
    ends = _ends(nodes)
    if len(ends) == 1:
        return {ends[0]: ends[0]}
    raise UnsupportedModelError(
        f"{description} does not say what its outputs are; name them with outputs=[…]. Nodes that nothing consumes "
        f"are {quoted_list(ends)}."
    )


def _ends(nodes: Mapping[str, Any]) -> list[str]:
    used = {node_and_port(ref.removeprefix("^"))[0] for node in nodes.values() for ref in node.input}
    return [name for name, node in nodes.items() if name not in used and node.op not in _NO_RESULTS]


def _placeholders(nodes: Mapping[str, Any], refs: Any) -> Iterator[str]:
    """Yield the placeholders that the outputs need, in the order of the file."""
    found = _needed(nodes, refs)
    for name, node in nodes.items():
        if name in found and node.op == "Placeholder":
            yield name


def _needed(nodes: Mapping[str, Any], refs: Any) -> set[str]:
    return closure(nodes, [node_and_port(ref)[0] for ref in refs], data_inputs)
