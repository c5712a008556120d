"""Move the scale of a product of two tensors to the linear op before it, which can fold it: attention's 1/√d.

Given:   y = Mul(BatchMatMulV2(f(Add(Linear(x, W), c)), b), s)     s a constant number; Add may be missing
Result:  y = BatchMatMulV2(f(Mul(Add(Linear(x, W), c), s)), b)     f are reshapes and Transposes; likewise for b

Refuses: s is not from 1e-3 to 1e3 in size. Left: where anything on the way has another use, as the weights may have.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.graph.conditions import takes_floats
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import VIEWS, biased_linear, linear
from tfjs_magic.graph.refs import Ref, node_of
from tfjs_magic.passes.lowering import FLOAT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_PRODUCTS = frozenset({"BatchMatMul", "BatchMatMulV2"})
_SMALLEST, _LARGEST = 1e-3, 1e3


@dataclasses.dataclass(frozen=True)
class _Match:
    """``way`` leads from the linear op, or its bias, to the node before the product."""

    node: Node
    product: Node
    factor: float
    way: list[Node]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    for data, other in (node.inputs, node.inputs[::-1]):
        product, value = graph.producer(data), graph.constant(other)
        if product.op not in _PRODUCTS or value is None or value.size != 1 or not takes_floats(graph, node):
            continue
        way = next((way for ref in product.inputs if (way := _way(graph, ref))), None)
        if way is None or graph.only_consumer(product.name) is not node or value.ndim > len(graph.shape(data) or ()):
            return None
        factor = float(value.ravel()[0])
        if not _SMALLEST <= abs(factor) <= _LARGEST:
            return Miss("the factor is very small or very large")
        return _Match(node, product, factor, way)
    return None


def _way(graph: Graph, ref: Ref) -> list[Node] | None:
    """Return the nodes from a linear op, or its bias, to a tensor; None if one has another use, or there is none."""
    way: list[Node] = []
    while True:
        node = graph.producer(ref)
        way.insert(0, node)
        if graph.only_consumer(node.name) is None:
            return None
        if node.op not in VIEWS | {"Transpose"}:
            break
        ref = node.inputs[0]
    biased = biased_linear(graph, node)
    found = biased[0] if biased else linear(graph, node)
    if found is None or (biased and graph.only_consumer(found.node.name) is not node):
        return None
    return way if graph.only_consumer(node_of(found.weight_ref)) is found.node else None


def _apply(graph: Graph, match: _Match) -> None:
    start = match.way[0]
    new, behind = Lowering(graph, start), [*match.way, match.product][1]
    scaled = new.add("Mul", start.ref(), new.constant(np.float32(match.factor), "float32"), T=FLOAT32)
    graph.set_inputs(behind, [scaled if ref == start.ref() else ref for ref in behind.inputs])
    graph.forget_layers(match.product.name, *(node.name for node in match.way[1:]))
    graph.replace_uses(match.node.ref(), match.product.ref())


PASS = Rewrite(__name__, frozenset({"Mul"}), _match, _apply)
