"""Write the larger of a number and a part of it as a leaky relu, which a convolution takes into its own kernel.

Given:   y = Maximum(x, Mul(x, α))        0 < α < 1, one number
Result:  y = LeakyRelu(x, α)

Refuses: α is not one number between 0 and 1.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.conditions import takes_floats
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    data: Ref
    slope: float


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not takes_floats(graph, node):
        return None
    for data, other in (node.inputs, node.inputs[::-1]):
        product = graph.producer(other)
        if product.op != "Mul" or data not in product.inputs:
            continue
        factor = product.inputs[1 - product.inputs.index(data)]
        if (value := graph.constant(factor)) is None:
            continue
        if value.ndim or not 0 < value < 1:
            return Miss("the slope is not one number between 0 and 1")
        return _Match(node, data, float(value))
    return None


def _apply(graph: Graph, match: _Match) -> None:
    Lowering(graph, match.node).replace("LeakyRelu", match.data, T=FLOAT32, alpha=match.slope)


PASS = Rewrite(__name__, frozenset({"Maximum"}), _match, _apply)
