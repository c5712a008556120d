"""Bring a scale next to the linear op that it can be folded into.

Given:   y = Mul(Add(Linear(x, W), b), s)        b, s constant, one number per channel or scalars
Result:  y = Add(Mul(Linear(x, W), s), b·s)

Keras writes a convolution with bias and a batch norm this way. Add stands for Add, AddV2 and BiasAdd.

Refuses: an intermediate or the weights have another consumer, or one is a public output; b or s varies along another
axis, or b·s is not finite.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import biased_linear, per_channel
from tfjs_magic.graph.refs import Ref, node_of
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    mul: Node
    data: Ref
    offset: Ref
    scale: Ref
    scaled_offset: Array


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    for left, scale in (node.inputs, reversed(node.inputs)):
        add, factor = graph.producer(left), graph.constant(scale)
        if factor is None or (below := biased_linear(graph, add)) is None:
            continue
        found, offset = below
        s, b = (per_channel(array, found.channels, found.rank) for array in (factor, graph.constant(offset)))
        with np.errstate(over="ignore"):
            scaled = None if s is None or b is None else (b * s).astype(factor.dtype)
        if scaled is None or not np.isfinite(scaled).all():
            return Miss("offset or factor is not one finite number per channel")
        if graph.only_consumer(add.name) is not node or graph.only_consumer(found.node.name) is not add:
            return Miss("the value between also feeds another node or an output")
        if graph.only_consumer(node_of(found.weight_ref)) is not found.node:
            return Miss("the weights are shared")
        return _Match(node, found.node.ref(), offset, scale, scaled)
    return None


def _apply(graph: Graph, match: _Match) -> None:
    mul = graph.add(
        Node(graph.fresh_name(f"{match.mul.name}/scaled"), "Mul", [match.data, match.scale], dict(match.mul.attrs))
    )
    offset = graph.add_constant(match.offset, match.scaled_offset)
    graph.replace_node(match.mul.name, Node(match.mul.name, "AddV2", [mul.ref(), offset], dict(match.mul.attrs)))


PASS = Rewrite(__name__, frozenset({"Mul"}), _match, _apply)
