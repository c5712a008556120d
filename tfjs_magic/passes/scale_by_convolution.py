"""Scale and shift channels by a depthwise convolution, which takes the activation, too: one kernel for three.

Given:   y = Add(Mul(x, s), b)               x (N, H, W, C) float32; s, b constant, one number per channel
Result:  y = Add(DepthwiseConv2dNative(x, W), b)      W (1, 1, C, 1) = s

This is what is left of a batch norm behind a concatenation or a sum. Add stands for Add, AddV2 and BiasAdd.

Refuses: something else uses the product; s or b varies along another axis; the number of channels is unknown.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import takes_floats
from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.graph.linear import ADD_OPS, addends, per_channel
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_RANK = 4
_ATTRS: dict[str, Attr] = {
    "strides": (1, 1, 1, 1),
    "dilations": (1, 1, 1, 1),
    "padding": b"VALID",
    "data_format": b"NHWC",
}


@dataclasses.dataclass(frozen=True)
class _Match:
    product: Node
    data: Ref
    factor: tuple[Ref, Array]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not takes_floats(graph, node):
        return None
    for left, factor in (node.inputs, reversed(node.inputs)):
        scale, shape, add = graph.constant(factor), graph.shape(left), graph.only_consumer(node.name)
        if scale is None or scale.size == 1 or shape is None or len(shape) != _RANK:
            continue
        offsets = [other for data, other in addends(add) if data == node.ref()] if add and add.op in ADD_OPS else []
        if not offsets or (offset := graph.constant(offsets[0])) is None:
            return Miss("nothing constant is added to it, or something else uses it")
        channels = shape[-1]
        if channels is None:
            return Miss("the number of channels is unknown")
        scales, shifts = (per_channel(value, channels, _RANK) for value in (scale, offset))
        if scales is None or shifts is None:
            return Miss("factor or offset varies along another axis")
        return _Match(node, left, (factor, scales.astype(np.float32).reshape(1, 1, -1, 1)))
    return None


def _apply(graph: Graph, match: _Match) -> None:
    new = Lowering(graph, match.product)
    kernel = graph.add_constant(*match.factor)
    new.replace("DepthwiseConv2dNative", match.data, kernel, T=FLOAT32, **_ATTRS)


PASS = Rewrite(__name__, frozenset({"Mul"}), _match, _apply)
