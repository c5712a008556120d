"""What decides how many values a tensor has: sizes alone, or the values of tensors too."""

from __future__ import annotations

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import NodeName, Ref, closure, node_of

#: How many values they give depends on the values that they take.
_COUNTING = frozenset(
    "NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5 Unique UniqueV2 Where".split()
)
_CUTS = frozenset({"BroadcastTo", "Fill", "OneHot", "Range", "Slice", "SplitV", "StridedSlice", "Tile"})
_SIZES = frozenset({"Rank", "Shape", "ShapeN", "Size"})


def is_counted(graph: Graph, ref: Ref, *, by_cuts: bool = True) -> bool:
    """Whether the values of tensors, not sizes alone, may decide how many values a tensor has.

    Args:
        graph: Any graph.
        ref: The tensor.
        by_cuts: Whether slices, ranges and repetitions whose ends are computed count.
    """
    deciding = {
        node.name
        for node in graph
        if node.op in _COUNTING or (by_cuts and node.op in _CUTS and _is_cut_by_values(graph, node))
    }
    if not deciding:  # as in most graphs: nothing is searched for each tensor that asks
        return False
    above = closure([node_of(ref)], lambda name: [node_of(each) for each in graph[name].inputs])
    return not deciding.isdisjoint(above)


def _is_cut_by_values(graph: Graph, node: Node) -> bool:
    """Whether the ends of a slice or a range, or how often values are repeated, are computed from more than sizes."""

    def step(name: NodeName) -> list[NodeName]:
        return [] if graph[name].op in _SIZES else [node_of(ref) for ref in graph[name].inputs]

    ends = node.inputs if node.op == "Range" else node.inputs[:1] if node.op == "Fill" else node.inputs[1:]
    return any(graph[name].op == "Placeholder" for name in closure(map(node_of, ends), step))


def is_own_length(graph: Graph, node: Node) -> bool:
    """Whether a computed length of a Fourier transform is what TensorFlow writes for n: n, or 2 · (n - 1) of IRFFT."""

    def step(name: NodeName) -> list[NodeName]:
        return [] if graph[name].op == "Shape" else [node_of(ref) for ref in graph[name].inputs]

    found = [graph[name] for name in closure([node_of(node.inputs[1])], step)]
    factors = {"Mul": 2, "Sub": 1, "Maximum": 1} if node.op == "IRFFT" else {}

    def is_expected(other: Node) -> bool:
        numbers = [value for ref in other.inputs if (value := graph.constant(ref)) is not None]
        return other.op in factors and any(value == factors[other.op] for value in numbers)

    ops = {"Const", "ExpandDims", "Identity", "Pack", "Reshape", "Shape", "StridedSlice", "Unpack"}
    return any(other.op == "Shape" for other in found) and all(other.op in ops or is_expected(other) for other in found)
