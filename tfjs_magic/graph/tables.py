"""Lookup tables: a handle in the traced graph becomes a ``HashTableV2`` that TF.js's initializer graph fills.

TF.js keeps tables by the name of their node, so the node in the model and the one in the initializer share a table.
Source: tfjs-converter ``src/executor/graph_model.ts`` and ``src/operations/executors/hash_table_executor.ts``, 4.22.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.graph.ir import Array, DType, Graph, Node, Table

#: Key and value dtype → keys (N,) and values (N,).
TableReader = Callable[[DType, DType], tuple[Array, Array]]
#: Handle in the graph → the op types that end up with it, and the nodes among them.
Users = Callable[[Graph, str], list[Node]]

_FINDS = frozenset({"LookupTableFind", "LookupTableFindV2"})
_READS = _FINDS | {"LookupTableSize", "LookupTableSizeV2"}


def bind_tables(graph: Graph, readers: Mapping[str, TableReader], users_of: Users) -> None:
    """Put a ``HashTableV2`` in the place of every handle that the outputs need, and its content beside the graph.

    Raises:
        UnsupportedModelError: A table is written, empty, or holds what TF.js cannot look up.
    """
    for handle in [name for name in readers if name in graph]:
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
    nodes: list[Node] = []
    for name in _used(graph):
        table, handle = graph.tables[name], graph[name]
        refs = [f"{name}/keys", f"{name}/values"]
        for ref, array, key in zip(refs, (table.keys, table.values), ("key_dtype", "value_dtype"), strict=True):
            dtype = handle.attrs[key]
            nodes.append(Node(_free(graph, ref), "Const", attrs={"dtype": dtype}, value=array))
        types = {"Tin": handle.attrs["key_dtype"], "Tout": handle.attrs["value_dtype"]}
        keys, values = nodes[-2].name, nodes[-1].name
        nodes.append(Node(name, "HashTableV2", attrs=dict(handle.attrs)))
        nodes.append(Node(f"{name}/import", "LookupTableImportV2", [name, keys, values], types))
    return Graph(nodes, inputs={}, outputs={}) if nodes else None


def _used(graph: Graph) -> Iterable[str]:
    return [name for name in graph.tables if name in graph]


def _free(graph: Graph, name: str) -> str:
    """The initializer's constants share the weights with the model's."""
    return graph.fresh_name(name)
