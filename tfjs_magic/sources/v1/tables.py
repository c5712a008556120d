"""The lookup tables of a SavedModel of TensorFlow 1: what its own initializers fill them with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import message_factory  # without stubs here

from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedModelError, quoted_list, reason_of
from tfjs_magic.sources.graph_ops import AT_LOAD, FROM_FILE
from tfjs_magic.sources.saved_model_check import asset
from tfjs_magic.sources.v1.nodes import closure, data_inputs, node_and_port

#: Names of the tables → name → keys (N,) and values (N,).
TableContents = Callable[[Iterable[str]], Mapping[str, tuple[Array, Array]]]

_FILLING = ("InitializeTable", "LookupTableImport")
_ASSETS = "saved_model_assets"
_FROM_FILE = "InitializeTableFromTextFile"
_HARMLESS = AT_LOAD | FROM_FILE | {op.removesuffix("V2") for op in AT_LOAD | FROM_FILE} | {"PlaceholderWithDefault"}


def is_table(node: Any) -> bool:
    """Whether the node makes a lookup table."""
    return "HashTable" in node.op


def table_contents(path: Path, meta_graph: Any, description: str) -> TableContents:
    """Return what fills tables of the SavedModel in ``path``, by running their initializers and nothing else.

    A vocabulary is read from the SavedModel's own ``assets`` only.

    Raises:
        UnsupportedModelError: (when called) A table is filled by nothing, or from elsewhere.
    """
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    fillers = {
        node_and_port(node.input[0])[0]: node for node in nodes.values() if node.op.startswith(_FILLING) and node.input
    }
    assets = {node_and_port(row.tensor_info.name)[0]: row.filename for row in _asset_files(meta_graph)}

    def contents(names: Iterable[str]) -> dict[str, tuple[Array, Array]]:
        found = {}
        for name in names:
            filler = fillers.get(name)
            if filler is None:
                raise UnsupportedModelError(
                    f"The lookup table '{name}' of {description} is filled by nothing in the file; expected an "
                    "initializer. Save the model with main_op=tf.compat.v1.tables_initializer().",
                    node=name,
                )
            part = _part(meta_graph.graph_def, nodes, filler)
            _check_ops(part, name, description)
            _point_to_assets(part, filler, assets, path, description)
            found[name] = _filled(part, name, filler.name, nodes[name])
        return found

    return contents


def _asset_files(meta_graph: Any) -> list[Any]:
    """Return the ``AssetFileDef`` messages; TensorFlow 1 put them into a collection."""
    packed = meta_graph.collection_def[_ASSETS].any_list.value if _ASSETS in meta_graph.collection_def else ()
    kind = message_factory.GetMessageClass(
        tf.compat.v1.MetaGraphDef.DESCRIPTOR.file.pool.FindMessageTypeByName("tensorflow.AssetFileDef")
    )
    return [*meta_graph.asset_file_def, *(kind.FromString(item.value) for item in packed)]


def _part(graph_def: Any, nodes: Mapping[str, Any], filler: Any) -> Any:
    part = tf.compat.v1.GraphDef(versions=graph_def.versions)
    for name in sorted(closure(nodes, [filler.name], data_inputs)):
        copy = part.node.add()
        copy.CopyFrom(nodes[name])
        copy.device = ""
        copy.attr.pop("_class", None)
        del copy.input[:]
        copy.input.extend(ref for ref in nodes[name].input if not ref.startswith("^"))
    return part


def _check_ops(part: Any, name: str, description: str) -> None:
    if bad := [node for node in part.node if node.op not in _HARMLESS]:
        named = quoted_list(f"{node.name} ({node.op})" for node in bad)
        raise UnsupportedModelError(
            f"The lookup table '{name}' of {description} is filled by {named}, which do more than that; expected "
            "constants, or one of the SavedModel's assets.",
            node=bad[0].name,
        )


def _point_to_assets(part: Any, filler: Any, assets: Mapping[str, str], path: Path, description: str) -> None:
    """Let constants with the names of asset files name those in the SavedModel."""
    for node in part.node:
        if node.name in assets:
            file = asset(path, Path(assets[node.name]).name)
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(str(file), tf.string))
    if filler.op.startswith(_FROM_FILE) and node_and_port(filler.input[1])[0] not in assets:
        raise UnsupportedModelError(
            f"A lookup table of {description} is filled from a file that is none of the SavedModel's assets; expected "
            "one in its directory. Save the model again, with the file in the collection 'asset_filepaths'.",
            node=filler.name,
        )


def _filled(part: Any, name: str, filler: str, node: Any) -> tuple[Array, Array]:
    export = tf.raw_ops.LookupTableExportV2 if node.op.endswith("V2") else tf.raw_ops.LookupTableExport
    types = (tf.as_dtype(node.attr[key].type) for key in ("key_dtype", "value_dtype"))
    try:
        with tf.Graph().as_default() as graph:
            tf.graph_util.import_graph_def(part, name="")
            table = graph.get_tensor_by_name(f"{name}:0")
            exported = export(table_handle=table, **dict(zip(("Tkeys", "Tvalues"), types, strict=True)))
            with tf.compat.v1.Session(graph=graph) as session:
                session.run(graph.get_operation_by_name(filler))
                keys, values = session.run(list(exported))
    except Exception as error:  # TensorFlow raises whatever the files provoke
        reason = reason_of(error)
        msg = f"TensorFlow cannot fill the lookup table '{name}': {reason}."
        raise UnsupportedModelError(msg, node=name) from error
    return np.asarray(keys), np.asarray(values)
