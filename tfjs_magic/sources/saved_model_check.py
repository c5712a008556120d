"""Read ``saved_model.pb`` before TensorFlow loads the SavedModel, since loading runs functions of it.

Source: ``tensorflow/python/saved_model/load.py`` (``Loader``), 2.21: resources are created and initialised, and the
restore functions of saveable objects are called.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from tfjs_magic.errors import UnsupportedModelError, quoted_list, reason_of
from tfjs_magic.sources.graph_check import check_structure, functions_of, ordered, reachable, stand_ins_of
from tfjs_magic.sources.graph_growth import check_growth
from tfjs_magic.sources.graph_ops import AT_IMPORT, AT_LOAD, FROM_FILE, touches
from tfjs_magic.sources.paths import lies_in
from tfjs_magic.sources.sizes import MOST_PROTO_BYTES, MOST_TEXT_BYTES, read_bytes, regular_files

_RUN_AT_LOAD = frozenset({"_create_resource", "_initialize", "_destroy_resource"})
_STRING = 7  # DT_STRING


def read_meta_graphs(path: Path) -> list[Any]:
    """Return the ``MetaGraphDef`` messages of a SavedModel.

    Raises:
        UnsupportedModelError: The file is damaged, or no SavedModel; or something in its directory is no file.
    """
    regular_files(path)
    import tensorflow as tf  # noqa: PLC0415 - what is said of paths needs none of it
    from google.protobuf import message_factory, text_format  # noqa: PLC0415

    pool = tf.compat.v1.MetaGraphDef.DESCRIPTOR.file.pool
    saved_model = message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.SavedModel"))()
    file = path / "saved_model.pb"
    try:
        if file.is_file():
            saved_model.ParseFromString(read_bytes(file, most=MOST_PROTO_BYTES))
        else:
            file = path / "saved_model.pbtxt"
            text_format.Parse(read_bytes(file, most=MOST_TEXT_BYTES).decode(), saved_model)
    except UnsupportedModelError:
        raise
    except Exception as error:  # protobuf raises an error of its own for each implementation
        raise UnsupportedModelError(f"'{file}' is damaged or no SavedModel: {reason_of(error)}.") from error
    if not saved_model.meta_graphs:
        raise UnsupportedModelError(f"'{file}' holds no graph; expected a SavedModel.")
    return list(saved_model.meta_graphs)


def check_before_load(path: Path, meta_graph: Any, *, trust: bool) -> None:
    """Refuse a SavedModel of TensorFlow 2 that TensorFlow cannot be handed.

    Raises:
        UnsupportedModelError: Its graph runs in circles, it holds what is no file, or loading it would run what does
            not just fill its own variables and tables, and the caller does not trust it.
    """
    what = f"the SavedModel '{path}'"
    check_structure(meta_graph.graph_def, what)
    if trust:
        return
    for row in meta_graph.asset_file_def:
        asset(path, row.filename)
    functions = functions_of(meta_graph.graph_def)
    nodes = [node for function in functions.values() for node in function.node_def]
    _refuse([node for node in nodes if node.op in AT_IMPORT and touches(node.op, node.attr)], what)
    stand_ins = {name for names in stand_ins_of(meta_graph.graph_def).values() for name in names if name in functions}
    _refuse([node for name in stand_ins for node in functions[name].node_def if touches(node.op, node.attr)], what)
    for name in dict.fromkeys(_run_at_load(meta_graph.object_graph_def)):
        if name in functions:
            _check_function(name, meta_graph, what)


def asset(path: Path, name: str) -> Path:
    """Return the file of an asset.

    Raises:
        UnsupportedModelError: It is not in the SavedModel's own ``assets``.
    """
    file = path / "assets" / name
    leads_out = PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\0" in name
    if leads_out or not lies_in(file, path / "assets"):
        raise UnsupportedModelError(
            f"The SavedModel '{path}' names '{name}' as one of its assets, which is outside its directory. If you "
            "trust it, pass trust=True."
        )
    return file


def _run_at_load(objects: Any) -> Iterator[str]:
    """Yield the names of the concrete functions that loading calls."""
    for node in objects.nodes:
        is_resource = node.WhichOneof("kind") == "resource"
        ids = [child.node_id for child in node.children if is_resource or child.local_name in _RUN_AT_LOAD]
        ids += (row.restore_function for row in node.saveable_objects.values())
        for found in (objects.nodes[one] for one in ids if 0 <= one < len(objects.nodes)):
            yield from found.function.concrete_functions
            if found.bare_concrete_function.concrete_function_name:
                yield found.bare_concrete_function.concrete_function_name


def _check_function(name: str, meta_graph: Any, what: str) -> None:
    functions, objects = functions_of(meta_graph.graph_def), meta_graph.object_graph_def
    run = [functions[name], *reachable(functions[name].node_def, meta_graph.graph_def)]
    nodes = [node for function in run for node in function.node_def]
    calls = {node.op for node in nodes} & functions.keys()
    bad = [node for node in nodes if node.op not in AT_LOAD | FROM_FILE | calls]
    if any(node.op in FROM_FILE for node in nodes) and not _names_only_assets(name, nodes, objects):
        bad += [node for node in nodes if node.op in FROM_FILE]
    _refuse(bad, what)
    for function in run:
        check_growth(function.node_def, ordered(function.node_def, what), what, pairs=True)


def _refuse(bad: Sequence[Any], what: str) -> None:
    if bad:
        named = quoted_list(f"{node.name} ({node.op})" for node in bad)
        raise UnsupportedModelError(
            f"Loading {what} would run {named}, which does more than fill its tables. If you trust it, pass "
            "trust=True.",
            node=bad[0].name,
        )


def _names_only_assets(name: str, nodes: Any, objects: Any) -> bool:
    """Whether all text that a function has comes from assets, so that the file that it reads is one."""
    bound = objects.concrete_functions[name].bound_inputs if name in objects.concrete_functions else ()
    kinds = {objects.nodes[one].WhichOneof("kind") for one in bound if 0 <= one < len(objects.nodes)}
    own_text = any(node.op == "Const" and node.attr["dtype"].type == _STRING for node in nodes)
    reads = any(node.op in {"ReadVariableOp", "LookupTableExportV2"} for node in nodes)
    return not own_text and not reads and kinds <= {"asset", "resource"}
