"""Find the inputs that are indices into a constant table, so that samples can be drawn from the valid range."""

from __future__ import annotations

from tfjs_magic.graph.ir import Graph, Node, node_of

#: SelectV2 because Keras's Embedding counts negative indices from the end: Select(i < 0, i + size, i).
_KEEPS_VALUES = frozenset(
    {"Cast", "Identity", "Reshape", "ExpandDims", "Squeeze", "Transpose", "Enter", "Switch", "SelectV2"}
)


def index_bounds(graph: Graph) -> dict[str, int]:
    """Return input name → exclusive upper bound, for inputs that reach the indices of a Gather from a constant."""
    bounds: dict[str, int] = {}
    for name, placeholder in graph.inputs.items():
        found = _bounds_below(graph, placeholder)
        if found:
            bounds[name] = min(found)
    return bounds


def _bounds_below(graph: Graph, name: str) -> list[int]:
    bounds: list[int] = []
    seen = {name}
    stack = [name]
    while stack:
        current = stack.pop()
        for node in graph.consumers(current):
            if node.op == "GatherV2" and (size := _table_size(graph, node, current)) is not None:
                bounds.append(size)
            elif node.op in _KEEPS_VALUES and node.name not in seen:
                seen.add(node.name)
                stack.append(node.name)
    return bounds


def _table_size(graph: Graph, gather: Node, indices: str) -> int | None:
    table, axis = graph.constant(gather.inputs[0]), graph.constant(gather.inputs[2])
    if table is None or axis is None or node_of(gather.inputs[1]) != indices:
        return None
    return int(table.shape[int(axis)])
