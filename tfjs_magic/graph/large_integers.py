"""Find where integers beyond 2²⁴ may meet webgl and webgpu, which compute with integers as float32."""

from __future__ import annotations

from tfjs_magic.graph.index_bounds import index_bounds
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import NodeName, Ref, node_of
from tfjs_magic.graph.value_ranges import EXACT, computed, handed_on, is_small, largest

_WIDE = frozenset({"int32", "int64", "uint32", "uint64"})
_COMPARISONS = frozenset({"Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "NotEqual"})
_SIZES = frozenset({"Rank", "Shape", "ShapeN", "Size"})
#: What gives places of values, or truths: as small as the data are, however large their values.
_PLACES = frozenset(
    "ArgMax ArgMin Bucketize LowerBound Multinomial NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4 "
    "NonMaxSuppressionV5 TopKV2 UpperBound Where".split()
).union(_COMPARISONS)
#: What only hands a tensor on, without a kernel.
_VIEWS = frozenset("ExpandDims Identity Reshape Squeeze StopGradient".split())


def large_integers(graph: Graph) -> list[Node]:
    """Return the nodes that compute with integers of the inputs, or of floats, which nothing bounds to 2²⁴.

    Indices into a table are bounded by it. A comparison with a small number comes out right.

    Args:
        graph: In order.
    """
    indices = {graph.inputs[name] for name in index_bounds(graph)}
    data: set[NodeName] = set()
    found = []
    for node in graph:
        operands = [ref for ref in handed_on(node) if node_of(ref) in data]
        if node.op == "Placeholder" and node.attrs["dtype"] in _WIDE and node.name not in indices:
            data.add(node.name)
        elif node.op == "Cast":
            if node.attrs["DstT"] in _WIDE and (operands or node.attrs["SrcT"] not in _WIDE):
                data.add(node.name)
        elif operands and node.op not in _SIZES:
            if node.op not in _VIEWS and _may_be_large(graph, node, operands):
                found.append(node)
            if node.op not in _PLACES:
                data.add(node.name)
    return found


def _may_be_large(graph: Graph, node: Node, operands: list[Ref]) -> bool:
    if node.op in _COMPARISONS:
        return not any(largest(graph, ref) < EXACT for ref in node.inputs)  # 2²⁴ + 1 is rounded to 2²⁴
    return not all(is_small(graph, ref) for ref in (*operands, *computed(graph, node)))
