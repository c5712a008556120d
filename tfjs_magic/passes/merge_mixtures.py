"""Mix two tensors with one product instead of two: the new state of a GRU.

Given:   y = z·a + (1 - z)·b          z = Sigmoid(…), b = Tanh(…) or Sigmoid(…)
Result:  y = b + z·(a - b)

Both round by about one unit of the larger of a and b: z itself is that far from the weight that 1 - z means. b is
finite, so that no product of zero and infinity differs.

Refuses: something else uses a product or 1 - z; z is no share between zero and one, or b may be infinite.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import ADD_OPS
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_BOUNDED = frozenset({"Sigmoid", "Tanh"})


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    share: Ref
    one: Ref
    other: Ref


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    left, right = (graph.producer(ref) for ref in node.inputs)
    if left.op != "Mul" or right.op != "Mul" or left is right:
        return None
    for first, second in ((left, right), (right, left)):
        for rest, other in (second.inputs, reversed(second.inputs)):
            share = _whole_less(graph, rest)
            if share is None or share not in first.inputs:
                continue
            one = first.inputs[1 - first.inputs.index(share)]
            if graph.producer(share).op != "Sigmoid" or graph.producer(other).op not in _BOUNDED:
                return Miss("a share may be beyond zero and one, or a value infinite")
            shapes = {graph.shape(ref) for ref in (share, one, other)}
            if node.attrs["T"] != FLOAT32 or len(shapes) > 1 or None in shapes:
                return Miss("what is mixed has several shapes")
            if any(graph.only_consumer(product.name) is not node for product in (first, second)):
                return Miss("something else uses a product")
            return _Match(node, share, one, other)
    return None


def _whole_less(graph: Graph, ref: Ref) -> Ref | None:
    """Return z of 1 - z."""
    node = graph.producer(ref)
    value = graph.constant(node.inputs[0]) if node.op == "Sub" else None
    return node.inputs[1] if value is not None and value.ndim == 0 and np.all(value == 1) else None


def _apply(graph: Graph, match: _Match) -> None:
    new = Lowering(graph, match.node)
    difference = new.add("Sub", match.one, match.other, T=FLOAT32)
    new.replace("AddV2", match.other, new.add("Mul", match.share, difference, T=FLOAT32), T=FLOAT32)


PASS = Rewrite(__name__, ADD_OPS - {"BiasAdd"}, _match, _apply)
