"""Lower the dilation of a transposed convolution, which TF.js ignores, to a kernel spread with zeros.

Given:   y = Conv2DBackpropInput(size, W, x)      W (H, W, C_out, C_in); dilations (1, d_h, d_w, 1)
Result:  y = Conv2DBackpropInput(size, W', x)     W' ((H - 1)·d_h + 1, (W - 1)·d_w + 1, C_out, C_in); no dilations

Refuses: the weights are computed; the channels are not last.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import axis_sizes, is_channels_first, is_dilated
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import spread
from tfjs_magic.passes.lowering import Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    kernel: Array


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not is_dilated(graph, node):
        return None
    weights = graph.constant(node.inputs[1])
    if weights is None or is_channels_first(graph, node):
        return Miss("the weights are computed, or the channels are not last")
    return _Match(node, spread(weights, axis_sizes(node, "dilations")))


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    size, _, data = node.inputs
    kernel = graph.add_constant(node.inputs[1], match.kernel)
    new.replace(node.op, size, kernel, data, **{**node.attrs, "dilations": (1, 1, 1, 1)})


PASS = Rewrite(__name__, frozenset({"Conv2DBackpropInput"}), _match, _apply)
