"""Lower dilations beside strides, which TF.js refuses, to a kernel spread with zeros.

Given:   y = Conv2D(x, W), DepthwiseConv2dNative or Conv3D      a stride and a dilation d other than 1
Result:  y = Conv2D(x, W')                                     W' (K - 1)·d + 1 long per axis; no dilations

The padding stays: SAME goes by the length of the spread kernel anyway.

Refuses: the weights are computed; the channels are not last.
Source: tfjs-core ``src/ops/conv_util.ts``, ``eitherStridesOrDilationsAreOne``, 4.22.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import axis_sizes, is_channels_first, steps_and_dilates
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import spread
from tfjs_magic.passes.lowering import Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    kernel: Array


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not steps_and_dilates(graph, node):
        return None
    weights = graph.constant(node.inputs[1])
    if weights is None or is_channels_first(graph, node):
        return Miss("the weights are computed, or the channels are not last")
    return _Match(node, spread(weights, axis_sizes(node, "dilations")))


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    kernel = graph.add_constant(node.inputs[1], match.kernel)
    ones = (1,) * match.kernel.ndim if node.op == "Conv3D" else (1, 1, 1, 1)
    new.replace(node.op, node.inputs[0], kernel, **{**node.attrs, "dilations": ones})


PASS = Rewrite(__name__, frozenset({"Conv2D", "Conv3D", "DepthwiseConv2dNative"}), _match, _apply)
