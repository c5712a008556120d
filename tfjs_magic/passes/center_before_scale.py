"""Subtract a mean before the scale: Keras writes layer normalisation with two products of the full size more.

Given:   y = Add(Mul(x, s), Add(Mul(Neg(m), s), b))      or Add(Mul(x, s), Sub(b, Mul(m, s)))
Result:  y = Add(Mul(Sub(x, m), s), b)
         y = Add(Mul(Mul(Sub(x, m), r), g), b)           where s = Mul(r, g), g constant, which may then be folded

Rounds less, if otherwise. Add stands for Add and AddV2; operands may be exchanged.

Refuses: something else uses what is between; s is constant, as after training, when it is folded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from tfjs_magic.graph.conditions import takes_floats
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    data: Ref
    mean: Ref
    scale: Ref
    offset: Ref


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not takes_floats(graph, node):
        return None
    for left, right in _orders(node):
        scaled, rest = graph.producer(left), graph.producer(right)
        for product, mean, factor, offset in _means(graph, rest) if scaled.op == "Mul" else ():
            if factor not in scaled.inputs:
                continue
            if graph.constant(factor) is not None:
                return Miss("the scale is constant")
            if any(graph.only_consumer(each.name) is None for each in (scaled, rest, product)):
                return Miss("something else uses what is between")
            return _Match(node, scaled.inputs[1 - scaled.inputs.index(factor)], mean, factor, offset)
    return None


def _orders(node: Node) -> tuple[tuple[Ref, Ref], tuple[Ref, Ref]]:
    one, other = node.inputs
    return (one, other), (other, one)


def _means(graph: Graph, node: Node) -> Iterator[tuple[Node, Ref, Ref, Ref]]:
    """Yield (product, m, s, b) for each way to read a node as b - m · s."""
    if node.op == "Sub":
        offset, product = node.inputs[0], graph.producer(node.inputs[1])
        if product.op == "Mul":
            yield from ((product, mean, factor, offset) for mean, factor in _orders(product))
    for left, offset in _orders(node) if node.op in {"Add", "AddV2"} else ():
        product = graph.producer(left)
        for negative, factor in _orders(product) if product.op == "Mul" else ():
            if (neg := graph.producer(negative)).op == "Neg":
                yield product, neg.inputs[0], factor, offset


def _apply(graph: Graph, match: _Match) -> None:
    new, dtype = Lowering(graph, match.node), match.node.attrs["T"]
    scaled = new.add("Sub", match.data, match.mean, T=dtype)
    scale = graph.producer(match.scale)
    constants = [ref for ref in scale.inputs if graph.constant(ref) is not None] if scale.op == "Mul" else []
    if len(constants) == 1:
        (rest,) = (ref for ref in scale.inputs if ref != constants[0])
        scaled = new.add("Mul", scaled, rest, T=dtype)
        scaled = new.add("Mul", scaled, constants[0], T=dtype)
    else:
        scaled = new.add("Mul", scaled, match.scale, T=dtype)
    new.replace("AddV2", scaled, match.offset, T=dtype)


PASS = Rewrite(__name__, frozenset({"Add", "AddV2"}), _match, _apply)
