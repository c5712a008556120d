"""Find the inputs that are indices into a constant table, so that samples can be drawn from the valid range."""

from __future__ import annotations

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import NodeName, closure, node_of

#: SelectV2 because Keras's Embedding counts negative indices from the end: Select(i < 0, i + size, i).
_KEEPS_VALUES = frozenset(
    {"Cast", "Identity", "Reshape", "ExpandDims", "Squeeze", "Transpose", "Enter", "Switch", "SelectV2"}
)


def index_bounds(graph: Graph) -> dict[str, int]:
    """Return input name → exclusive upper bound, for inputs that reach the indices of a Gather from a constant."""
    bounds = {name: _bounds_below(graph, placeholder) for name, placeholder in graph.inputs.items()}
    return {name: min(found) for name, found in bounds.items() if found}


def _bounds_below(graph: Graph, start: NodeName) -> list[int]:
    def step(name: NodeName) -> list[NodeName]:
        return [node.name for node in graph.consumers(name) if node.op in _KEEPS_VALUES]

    return [
        size
        for name in closure([start], step)
        for node in graph.consumers(name)
        if node.op == "GatherV2" and (size := _table_size(graph, node, name)) is not None
    ]


def _table_size(graph: Graph, gather: Node, indices: NodeName) -> int | None:
    table, axis = graph.constant(gather.inputs[0]), graph.constant(gather.inputs[2])
    if table is None or axis is None or node_of(gather.inputs[1]) != indices:
        return None
    return int(table.shape[int(axis)])
