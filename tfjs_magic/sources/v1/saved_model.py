"""SavedModels of TensorFlow 1: the graph from the file, the values from the checkpoint; nothing is loaded or run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedModelError, quoted_list, reason_of
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.graph_check import check_structure
from tfjs_magic.sources.source import FunctionSource
from tfjs_magic.sources.tensors import chosen_signature
from tfjs_magic.sources.v1.graph import Endpoints, graph_source
from tfjs_magic.sources.v1.nodes import closure, control_inputs, data_inputs, node_and_port
from tfjs_magic.sources.v1.tables import table_contents
from tfjs_magic.sources.v1.variables import variable_behind, written_variables

_INIT_SIGNATURE = "__saved_model_init_op"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")


def meta_graph_v1(path: Path, graphs: Sequence[Any], options: ConvertOptions) -> Any | None:
    """Return the ``MetaGraphDef`` with the wanted tags if TensorFlow 1 wrote it; None where TensorFlow 2 did.

    TensorFlow 2 itself takes several for those of TensorFlow 1.

    Raises:
        UnsupportedModelError: TensorFlow 1 wrote it, and it has no graph with these tags.
    """
    if len(graphs) == 1 and graphs[0].HasField("object_graph_def"):
        return None
    by_tags = {frozenset(graph.meta_info_def.tags): graph for graph in graphs}
    wanted = frozenset(options.tags)
    if wanted in by_tags:
        return by_tags[wanted]
    if wanted == {"serve"} and frozenset() in by_tags:  # a TF Hub module: its graph for inference has no tags
        return by_tags[frozenset()]
    found = " and ".join(f"({quoted_list(tags)})" for tags in sorted(by_tags, key=sorted))
    raise UnsupportedModelError(
        f"The SavedModel '{path}' has no graph with the tags ({quoted_list(wanted)}); it has {found}. Name them with "
        "tags=."
    )


def saved_model_v1_source(path: Path, meta_graph: Any, options: ConvertOptions) -> FunctionSource:
    """Take one signature of a SavedModel that TensorFlow 1 wrote.

    Raises:
        UnsupportedModelError: It has no such signature, a tensor of it is sparse, or a variable that the outputs need
            is not in the checkpoint, or changes while the model loads or runs.
    """
    check_structure(meta_graph.graph_def, f"the SavedModel '{path}'")
    signatures = {name: row for name, row in meta_graph.signature_def.items() if name != _INIT_SIGNATURE}
    name = chosen_signature(f"The SavedModel '{path}'", signatures, options.signature)
    signature = signatures[name]
    description = f"SavedModel '{path.name}', signature '{name}'"
    if not signature.outputs or not signature.inputs:
        raise UnsupportedModelError(f"{description} has no inputs or no outputs; expected at least one of each.")
    inputs = {key: _tensor(description, key, signature.inputs[key]) for key in sorted(signature.inputs)}
    outputs = {key: _tensor(description, key, signature.outputs[key]) for key in sorted(signature.outputs)}
    several = len(outputs) > 1
    if options.outputs and set(options.outputs) <= outputs.keys():  # what the others need must not disturb
        outputs = {key: outputs[key] for key in options.outputs}
    types = {key: (row.dtype, row.tensor_shape) for key, row in signature.inputs.items()}
    endpoints = Endpoints(description=description, inputs=inputs, outputs=outputs, types=types)
    checkpoint = _Checkpoint(path, meta_graph, description)
    return graph_source(
        meta_graph.graph_def,
        endpoints,
        values=checkpoint.value,
        tables=table_contents(path, meta_graph, description),
        shapes=options.inputs,
        trust=options.trust,
        dict_output=several,
    )


def _tensor(description: str, key: str, info: Any) -> str:
    if info.WhichOneof("encoding") != "name":
        raise UnsupportedModelError(
            f"Tensor '{key}' of {description} is sparse or composite; expected a dense tensor. Export it with "
            "tf.sparse.to_dense()."
        )
    return str(info.name)


class _Checkpoint:
    """The values of the variables, by the names of their nodes."""

    def __init__(self, path: Path, meta_graph: Any, description: str) -> None:
        self._description = description
        self._prefix = path / "variables" / "variables"
        self._nodes = {node.name: node for node in meta_graph.graph_def.node}
        self._restored = _restored(self._nodes, meta_graph.saver_def.restore_op_name)
        self._initialised = _initialised(self._nodes, meta_graph)
        self._reader: Any = None

    def value(self, name: str) -> Array:
        """Return a variable's value.

        Raises:
            UnsupportedModelError: It is not in the checkpoint, or loading the model assigns it.
        """
        if name in self._initialised:
            raise UnsupportedModelError(
                f"The variable '{name}' of {self._description} gets its value from an operation that runs when the "
                "model is loaded; expected one from the checkpoint. Save the model without that operation.",
                node=name,
            )
        key, piece = self._restored.get(name, (None, "")) if self._restored else (name, "")
        array = None if key is None else self._read(key)
        if array is None:
            raise UnsupportedModelError(
                f"The variable '{name}' of {self._description} is not in the checkpoint '{self._prefix}'; expected a "
                "value for it. Save the model again with all of its variables.",
                node=name,
            )
        array = _sliced(array, piece)
        dtype, shape = self._nodes[name].attr["dtype"].type, tf.TensorShape(self._nodes[name].attr["shape"].shape)
        if tf.as_dtype(dtype) != tf.as_dtype(array.dtype) or not shape.is_compatible_with(array.shape):
            raise UnsupportedModelError(
                f"The variable '{name}' of {self._description} has dtype {tf.as_dtype(dtype).name} and shape {shape}; "
                f"the checkpoint has {array.dtype} {array.shape}. The files do not belong together.",
                node=name,
            )
        return array

    def _read(self, key: str) -> Array | None:
        try:
            if self._reader is None:
                self._reader = tf.train.load_checkpoint(str(self._prefix))
            return np.asarray(self._reader.get_tensor(key)) if self._reader.has_tensor(key) else None
        except Exception as error:  # TensorFlow raises whatever the files provoke
            reason = reason_of(error)
            raise UnsupportedModelError(
                f"TensorFlow cannot read the checkpoint '{self._prefix}' of {self._description}: {reason}."
            ) from error


def _restored(nodes: Mapping[str, Any], restore: str) -> dict[str, tuple[str, str]]:
    """Return variable → key and slice, as the saver in the graph has them: a key need not be the variable's name."""
    found: dict[str, tuple[str, str]] = {}
    for name in _before(nodes, [node_and_port(restore)[0]]) if restore else ():
        node = nodes[name]
        if node.op not in {"Assign", "AssignVariableOp"}:
            continue
        variable = variable_behind(nodes, node_and_port(node.input[0])[0])
        source, port = node_and_port(node.input[1])
        while source in nodes and nodes[source].op in {"Identity", "Reshape"}:
            source, port = node_and_port(nodes[source].input[0])
        if variable is None or source not in nodes or nodes[source].op != "RestoreV2":
            continue
        keys, pieces = (nodes[node_and_port(ref)[0]] for ref in nodes[source].input[1:3])
        if keys.op == pieces.op == "Const":
            found[variable] = (_strings(keys)[port], _strings(pieces)[port])
    return found


def _strings(node: Any) -> list[str]:
    return [item.decode() for item in tf.make_ndarray(node.attr["value"].tensor).ravel()]


def _sliced(array: Array, piece: str) -> Array:
    """Cut a part of a partitioned variable out: "10 4 0,5:0,4" is shape, then start and length per axis."""
    if not piece:
        return array
    ranges = re.findall(r"(-|\d+,\d+)(?=:|$)", piece.rsplit(" ", 1)[-1])
    bounds = [slice(None) if r == "-" else slice(int(r.split(",")[0]), sum(map(int, r.split(",")))) for r in ranges]
    return array[tuple(bounds)]


def _initialised(nodes: Mapping[str, Any], meta_graph: Any) -> set[str]:
    """Return the variables that an operation assigns after the checkpoint was read."""
    start = [
        node_and_port(name)[0]
        for collection in _INIT_COLLECTIONS
        if collection in meta_graph.collection_def
        for name in meta_graph.collection_def[collection].node_list.value
    ]
    if _INIT_SIGNATURE in meta_graph.signature_def:
        start += (node_and_port(info.name)[0] for info in meta_graph.signature_def[_INIT_SIGNATURE].outputs.values())
    return written_variables(nodes, _before(nodes, start))


def _before(nodes: Mapping[str, Any], start: list[str]) -> set[str]:
    return closure(nodes, start, lambda node: [*data_inputs(node), *control_inputs(node)])
