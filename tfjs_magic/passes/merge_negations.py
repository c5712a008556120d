"""Negate a constant factor instead of the data, as Keras writes erfc of GELU.

Given:   y = Mul(Neg(x), c)      c constant, floats
Result:  y = Mul(x, -c)

Refuses: something else uses what is negated.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import takes_floats
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    data: Ref
    factor: tuple[Ref, Array]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    for left, factor in (node.inputs, reversed(node.inputs)):
        neg, value = graph.producer(left), graph.constant(factor)
        if neg.op != "Neg" or value is None or not takes_floats(graph, node):
            continue
        if graph.only_consumer(neg.name) is not node:
            return Miss("something else uses what is negated")
        return _Match(node, neg.inputs[0], (factor, -value))
    return None


def _apply(graph: Graph, match: _Match) -> None:
    graph.set_inputs(match.node, [match.data, graph.add_constant(*match.factor)])


PASS = Rewrite(__name__, frozenset({"Mul"}), _match, _apply)
