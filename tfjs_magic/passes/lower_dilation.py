"""Lower dilations that TF.js ignores (transposed convolutions) or refuses (beside strides) to a spread kernel.

Given:   y = Conv2DBackpropInput(size, W, x)                             dilations d other than 1
         y = Conv2D(x, W), DepthwiseConv2dNative(x, W) or Conv3D(x, W)   a stride, too
Result:  the same with W', (K - 1)·d + 1 long per axis, and no dilations

The padding stays: SAME goes by the length of the spread kernel anyway.

Refuses: the weights are computed; the channels are not last.
Source: tfjs-core ``src/ops/conv_util.ts``, ``eitherStridesOrDilationsAreOne``, 4.22.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import axis_sizes, is_channels_first, is_dilated, steps_and_dilates
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import spread
from tfjs_magic.passes.lowering import Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    kernel: Array


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    wrong = is_dilated if node.op == "Conv2DBackpropInput" else steps_and_dilates
    if not wrong(graph, node):
        return None
    weights = graph.constant(node.inputs[1])
    if weights is None or is_channels_first(graph, node):
        return Miss("the weights are computed, or the channels are not last")
    return _Match(node, spread(weights, axis_sizes(node, "dilations")))


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    first, weights, *rest = node.inputs
    ones = (1,) * match.kernel.ndim if node.op == "Conv3D" else (1, 1, 1, 1)
    kernel = graph.add_constant(weights, match.kernel)
    new.replace(node.op, first, kernel, *rest, **{**node.attrs, "dilations": ones})


PASS = Rewrite(__name__, frozenset("Conv2D Conv2DBackpropInput Conv3D DepthwiseConv2dNative".split()), _match, _apply)
