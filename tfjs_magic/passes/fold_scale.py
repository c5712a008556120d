"""Fold a scale into the weights of the linear op before it: batch norm's γ/√(σ² + ε), as Keras 3 writes it.

Given:   y = Mul(Linear(x, W), s)         s constant, one number per channel or a scalar
Result:  y = Linear(x, W·s)               Conv2D, DepthwiseConv2dNative, Conv2DBackpropInput, MatMul

Refuses: the linear op or its weights have another consumer (the weights would be stored twice); the linear op is a
public output; s varies along another axis, or s or W·s is not finite.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import Linear, linear, per_channel
from tfjs_magic.graph.refs import node_of
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    mul: Node
    linear: Linear
    weights: Array


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    for data, factor in (node.inputs, reversed(node.inputs)):
        value = graph.constant(factor)
        found = linear(graph, graph.producer(data))
        if value is None or found is None:
            continue
        scale = per_channel(value, found.channels, found.rank)
        if scale is None:
            return Miss("the factor is not one finite number per channel")
        if graph.only_consumer(found.node.name) is not node:
            return Miss("the linear op also feeds another node or an output")
        if graph.only_consumer(node_of(found.weight_ref)) is not found.node:
            return Miss("the weights are shared")
        if not np.isfinite(weights := found.scaled(scale)).all():
            return Miss("the folded weights are not finite")
        return _Match(node, found, weights)
    return None


def _apply(graph: Graph, match: _Match) -> None:
    target = match.linear
    old = graph.producer(target.weight_ref)
    # No one else uses them, so they keep their name: patterns for quantization go by it.
    graph.replace_node(old.name, dataclasses.replace(old, value=match.weights))
    graph.forget_layers(target.node.name)
    graph.replace_uses(match.mul.ref(), target.node.ref())


PASS = Rewrite(__name__, frozenset({"Mul"}), _match, _apply)
