"""Fold a constant factor of the data into the weights of the linear ops behind: hard swish's 1/6, GELU's 1/2, a γ.

Given:   y = Linear(Mul(x, s), W)            s constant, one number per channel of x or a scalar
Result:  y = Linear(x, s·W)                  Conv2D, DepthwiseConv2dNative, Conv2DBackpropInput, MatMul

There may be several linear ops, and between an AvgPool, other products, and reshapes that keep the last axis. Padded
zeros stay zeros.

Refuses: weights are shared; s varies along another axis, is not from 1e-3 to 1e3 in size, or s·W is not finite; the
channels are in groups. Left: what anything else uses.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import takes_floats
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import VIEWS, Linear, linear_ends, names_before, per_channel
from tfjs_magic.graph.refs import Ref, node_of
from tfjs_magic.passes.rewrite import Miss, Rewrite

#: Op type → the axis of the weights along which the channels of the data lie.
_INPUT_AXIS = {"Conv2D": 2, "DepthwiseConv2dNative": 2, "Conv2DBackpropInput": 3, "MatMul": 0}
#: What hands a factor of its data on to its output.
_HANDS_ON = VIEWS | {"AvgPool", "Mul"}
_SMALLEST, _LARGEST = 1e-3, 1e3


@dataclasses.dataclass(frozen=True)
class _Match:
    """``data`` takes the place of the product."""

    product: Node
    data: Ref
    weights: list[tuple[Linear, Array]]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    one, other = node.inputs
    value, data = (graph.constant(one), other) if graph.constant(one) is not None else (graph.constant(other), one)
    shape = graph.shape(node.ref()) or (None,)
    if (
        value is None
        or shape[-1] is None
        or not takes_floats(graph, node)
        or not (ends := linear_ends(graph, node, _HANDS_ON))
    ):
        return None
    if (scale := per_channel(value, shape[-1], len(shape))) is None:
        return Miss("the factor is not one number per channel")
    if not ((np.abs(scale) >= _SMALLEST) & (np.abs(scale) <= _LARGEST)).all():
        return Miss("the factor is very small or very large")
    if any(graph.only_consumer(node_of(end.weight_ref)) is not end.node for end in ends):
        return Miss("the weights are shared")
    weights = [(end, scaled) for end in ends if (scaled := _scaled(end, scale)) is not None]
    if len(weights) < len(ends):
        return Miss("the channels are in groups, or the folded weights are not finite")
    return _Match(node, data, weights)


def _scaled(end: Linear, scale: NDArray[np.float64]) -> Array | None:
    """Return weights times a factor per channel of the data, in float64, rounded once; None if that is impossible."""
    axis = 1 if end.node.attrs.get("transpose_b", False) else _INPUT_AXIS[end.node.op]
    if end.weights.shape[axis] != len(scale):
        return None
    factor = scale.reshape([-1 if i == axis else 1 for i in range(end.weights.ndim)])
    with np.errstate(over="ignore"):
        scaled = np.multiply(end.weights, factor, out=np.empty_like(end.weights), dtype=np.float64, casting="same_kind")
    return scaled if np.isfinite(scaled).all() else None


def _apply(graph: Graph, match: _Match) -> None:
    ends = {end.node.name for end, _ in match.weights}
    graph.forget_layers(*names_before(graph, match.product, ends))
    for end, weights in match.weights:
        old = graph.producer(end.weight_ref)
        # No one else uses them, so they keep their name: patterns for quantization go by it.
        graph.replace_node(old.name, dataclasses.replace(old, value=weights))
    graph.replace_uses(match.product.ref(), match.data)


PASS = Rewrite(__name__, frozenset({"Mul"}), _match, _apply)
