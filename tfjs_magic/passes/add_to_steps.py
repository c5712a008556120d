"""Add an offset to what is computed for all steps of a loop, rather than in each step.

Given:   y = Add(Add(xᵢ, h), b), or Add(xᵢ, Add(h, b))
         xᵢ a part of Split(MatMul(x, W)); b constant, one number per channel or a scalar
Result:  y = AddV2(AddV2(xᵢ, b), h)      ``join_steps`` adds b to all parts at once then

Keras writes a step of an LSTM the first way, and grappler turns that into the second one. Add stands for Add, AddV2 and
BiasAdd.

Refuses: the sum of two has another consumer or is a public output; b varies along another axis.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import ADD_OPS, addends, linear, per_channel
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    part: Ref
    offset: Ref
    other: Ref


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    for part, offset, other, inner in _sums(graph, node):
        shape = graph.shape(part)
        if graph.constant(offset) is None or not _is_of_product(graph, part):
            continue
        if shape is None or shape != graph.shape(other) or graph.constant(other) is not None:
            continue
        if shape[-1] is None or per_channel(graph.constant(offset), shape[-1], len(shape)) is None:
            return Miss("the offset is not one finite number per channel")
        if graph.only_consumer(inner.name) is not node:
            return Miss("a sum of two also feeds another node or an output")
        return _Match(node, part, offset, other)
    return None


def _sums(graph: Graph, node: Node) -> Iterator[tuple[Ref, Ref, Ref, Node]]:
    """Yield (part, offset, other, sum of two of them) for each way to read a node as the sum of three."""
    for total, third in addends(node):
        inner = graph.producer(total)
        for first, second in addends(inner):
            yield first, third, second, inner
            yield third, second, first, inner


def _is_of_product(graph: Graph, ref: Ref) -> bool:
    """Whether a tensor is a part of a product with a constant, taken along the rows."""
    split = graph.producer(ref)
    if split.op != "Split" or (axis := graph.constant(split.inputs[0])) is None or int(axis) != 0:
        return False
    found = linear(graph, graph.producer(split.inputs[1]))
    return found is not None and found.node.op == "MatMul"


def _apply(graph: Graph, match: _Match) -> None:
    new = Lowering(graph, match.node)
    new.replace("AddV2", new.add("AddV2", match.part, match.offset, T=FLOAT32), match.other, T=FLOAT32)


PASS = Rewrite(__name__, ADD_OPS, _match, _apply)
