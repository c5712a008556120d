"""Merge two offsets of a linear op: a bias and what is left of a batch norm.

Given:   y = Add(Add(Linear(x, W), b), c)        b, c constant, one number per channel or scalars
Result:  y = Add(Linear(x, W), b + c)

Add stands for Add, AddV2 and BiasAdd.

Refuses: an intermediate has another consumer or is a public output; b or c varies along another axis, or b + c is not
finite.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import ADD_OPS, addends, biased_linear, per_channel
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    outer: Node
    data: Ref
    offset: Ref
    total: Array


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    for left, second in addends(node):
        inner, value = graph.producer(left), graph.constant(second)
        if value is None or (below := biased_linear(graph, inner)) is None:
            continue
        found, first = below
        b, c = (per_channel(array, found.channels, found.rank) for array in (graph.constant(first), value))
        with np.errstate(over="ignore"):
            total = None if b is None or c is None else (b + c).astype(value.dtype)
        if total is None or not np.isfinite(total).all():
            return Miss("an offset is not one finite number per channel")
        if graph.only_consumer(inner.name) is not node or graph.only_consumer(found.node.name) is not inner:
            return Miss("the value between also feeds another node or an output")
        return _Match(node, found.node.ref(), first, total)
    return None


def _apply(graph: Graph, match: _Match) -> None:
    total = graph.add_constant(match.offset, match.total)
    attrs = {"T": match.outer.attrs["T"]}
    graph.replace_node(match.outer.name, Node(match.outer.name, "AddV2", [match.data, total], attrs))


PASS = Rewrite(__name__, ADD_OPS, _match, _apply)
