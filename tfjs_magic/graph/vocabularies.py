"""Find the inputs that are looked up in a table, so that samples can be drawn from what it knows."""

from __future__ import annotations

import numpy as np

from tfjs_magic.graph.ir import Graph
from tfjs_magic.graph.refs import NodeName, closure, node_of

_KEEPS_VALUES = frozenset({"Cast", "ExpandDims", "Identity", "Reshape", "Squeeze", "StringLower", "Transpose"})
_FINDS = frozenset({"LookupTableFind", "LookupTableFindV2"})
_INT32 = np.iinfo(np.int32)
#: More words make no better samples.
MAX_WORDS = 1000


def vocabularies(graph: Graph) -> dict[str, tuple[str | int, ...]]:
    """Return input name → keys of the tables that it is looked up in, those that all of them have, ascending."""
    found = {name: _tables_below(graph, placeholder) for name, placeholder in graph.inputs.items()}
    return {name: words for name, tables in found.items() if tables and (words := _common(tables))}


def _tables_below(graph: Graph, start: NodeName) -> list[set[str | int]]:
    def step(name: NodeName) -> list[NodeName]:
        return [node.name for node in graph.consumers(name) if node.op in _KEEPS_VALUES]

    return [
        {key.decode() if isinstance(key, bytes) else key for key in graph.tables[table].keys.tolist()}
        for name in closure([start], step)
        for node in graph.consumers(name)
        if node.op in _FINDS
        and node_of(node.inputs[1]) == name
        and (table := node_of(node.inputs[0])) in graph.tables
        and not graph.tables[table].numbered
    ]


def _common(tables: list[set[str | int]]) -> tuple[str | int, ...]:
    words = [key for key in set.intersection(*tables) if isinstance(key, str) or _INT32.min <= key <= _INT32.max]
    ordered = sorted(words)
    return tuple(ordered[:: -(-len(ordered) // MAX_WORDS)]) if ordered else ()
