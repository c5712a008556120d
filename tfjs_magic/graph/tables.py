"""Lookup tables: a handle in the traced graph becomes a ``HashTableV2`` that TF.js's initializer graph fills.

TF.js keeps tables by the name of their node, so the node in the model and the one in the initializer share a table.
Source: tfjs-converter ``src/executor/graph_model.ts`` and ``src/operations/executors/hash_table_executor.ts``, 4.22.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.graph.ir import Attr, DType, Graph, Node, Table
from tfjs_magic.graph.refs import NodeName
from tfjs_magic.naming import first_free

#: Key and value dtype → keys (N,) and values (N,).
TableReader = Callable[[DType, DType], tuple[Array, Array]]
#: A handle in the graph → the nodes that end up with it.
Users = Callable[[Graph, NodeName], list[Node]]

_FINDS = frozenset({"LookupTableFind", "LookupTableFindV2"})
_READS = _FINDS | {"LookupTableSize", "LookupTableSizeV2"}


def bind_tables(graph: Graph, readers: Mapping[str, TableReader], users_of: Users) -> None:
    """Put a ``HashTableV2`` in the place of every handle that the outputs need, and its content beside the graph.

    Raises:
        UnsupportedModelError: A table is written, empty, or holds what TF.js cannot look up.
    """
    for handle in [name for name in map(NodeName, readers) if name in graph]:
        users = users_of(graph, handle)
        if writers := {node.op for node in users} - _READS:
            raise UnsupportedModelError(
                f"The lookup table '{handle}' is used by {quoted_list(writers)}; expected nothing but lookups. Convert "
                "a function that only reads it.",
                stage="trace",
                node=handle,
            )
        finds = [node for node in users if node.op in _FINDS]
        if not finds:
            raise UnsupportedModelError(
                f"The lookup table '{handle}' is asked for its size only; replace the size by a constant.",
                stage="trace",
                node=handle,
            )
        key, value = (finds[0].attrs[name] for name in ("Tin", "Tout"))
        assert isinstance(key, DType)
        assert isinstance(value, DType)
        graph.tables[handle] = _table(handle, *readers[handle](key, value))
        graph.replace_node(handle, Node(handle, "HashTableV2", attrs={"key_dtype": key, "value_dtype": value}))


def _table(name: str, keys: Array, values: Array) -> Table:
    if values.ndim != 1 or not keys.size:
        raise UnsupportedModelError(
            f"The lookup table '{name}' has {keys.size} keys, and values of shape {values.shape[1:]}; expected at "
            "least one key, and a scalar for each.",
            stage="trace",
            node=name,
        )
    if wrong := [key for key in keys.tolist() if isinstance(key, bytes) and not _is_text(key)]:
        raise UnsupportedModelError(
            f"The lookup table '{name}' has the key {wrong[0]!r}, which is no UTF-8 text; TensorFlow.js compares text. "
            "Take such keys out.",
            stage="trace",
            node=name,
        )
    order = np.argsort(keys, kind="stable")
    return Table(keys[order], values[order])


def _is_text(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True


def initializer(graph: Graph) -> Graph | None:
    """Return the graph that fills the tables before the first run, None where there are none."""
    names = {node.name for node in graph}  # its constants share the weights with the model's
    nodes: list[Node] = []

    def add(base: str, op: str, inputs: Iterable[Node], attrs: dict[str, Attr], value: Array | None = None) -> Node:
        name = NodeName(first_free(base, names))
        names.add(name)
        nodes.append(Node(name, op, [node.ref() for node in inputs], attrs, value))
        return nodes[-1]

    for name, table in graph.tables.items():
        if name not in graph:
            continue
        handle = Node(name, "HashTableV2", attrs=dict(graph[name].attrs))
        nodes.append(handle)
        key, value = handle.attrs["key_dtype"], handle.attrs["value_dtype"]
        keys = add(f"{name}/keys", "Const", (), {"dtype": key}, table.keys)
        values = add(f"{name}/values", "Const", (), {"dtype": value}, table.values)
        add(f"{name}/import", "LookupTableImportV2", (handle, keys, values), {"Tin": key, "Tout": value})
    return Graph(nodes, inputs={}, outputs={}) if nodes else None
