"""Merge transposes that follow each other, through what acts on each value alone.

Given:   y = Transpose(Transpose(x, p), q)
Result:  y = Transpose(x, p∘q), or x where that is the order of x
Given:   y = Relu(Transpose(x, p))                    or another op of one operand, see ``_UNARY``
Result:  y = Transpose(Relu(x), p)

Both orders are constant. The first transpose stays where it has other consumers; the second form needs it alone.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite

_UNARY = frozenset("Abs Elu Erf Exp LeakyRelu Log Neg Relu Relu6 Rsqrt Selu Sigmoid Softplus Sqrt Square Tanh".split())


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    inner: Node
    perm: tuple[int, ...]


def _match(graph: Graph, node: Node) -> _Match | None:
    inner = graph.producer(node.inputs[0])
    if inner.op != "Transpose" or (first := graph.constant(inner.inputs[1])) is None:
        return None
    order = [int(axis) for axis in first]
    if node.op != "Transpose":
        return _Match(node, inner, tuple(order)) if graph.only_consumer(inner.name) is node else None
    second = graph.constant(node.inputs[1])
    if second is None:
        return None
    return _Match(node, inner, tuple(order[int(axis)] for axis in second))


def _apply(graph: Graph, match: _Match) -> None:
    node, inner, new = match.node, match.inner, Lowering(graph, match.node)
    types = {"T": inner.attrs["T"], "Tperm": INT32}
    if node.op == "Transpose" and match.perm == tuple(range(len(match.perm))):
        new.replace("Identity", inner.inputs[0], T=types["T"])
    elif node.op == "Transpose":
        new.replace("Transpose", inner.inputs[0], new.constant(match.perm), **types)
    else:
        moved = new.add(node.op, inner.inputs[0], **node.attrs)
        graph.set_shape(moved, graph.shape(inner.inputs[0]))
        new.replace("Transpose", moved, inner.inputs[1], **types)


PASS = Rewrite(__name__, frozenset({"Transpose", *_UNARY}), _match, _apply)
