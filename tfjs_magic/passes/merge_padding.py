"""Let a convolution pad by itself, so that nobody writes the padded data.

Given:   y = Conv2D(Pad(x, p), W), or DepthwiseConv2dNative      p pads height and width with zeros; padding VALID
Result:  y = Conv2D(x, W)                                        padding EXPLICIT

Refuses: the padded data are used elsewhere, too; the paddings are computed, or also of another axis; it pads with other
numbers.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.conditions import is_channels_first
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    conv: Node
    data: Ref
    paddings: tuple[int, ...]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    pad = graph.producer(node.inputs[0])
    if pad.op not in {"Pad", "PadV2"} or node.attrs["padding"] != b"VALID" or is_channels_first(graph, node):
        return None
    sides = graph.constant(pad.inputs[1])
    if sides is None or sides[[0, 3]].any() or (sides < 0).any():
        return Miss("the paddings are computed, or of another axis than height and width")
    filling = graph.constant(pad.inputs[2]) if pad.op == "PadV2" else None
    if pad.op == "PadV2" and (filling is None or filling != 0):
        return Miss("it is not zeros that are padded with")
    if graph.only_consumer(pad.name) is not node:
        return Miss("the padded data are used elsewhere, too")
    return _Match(node, pad.inputs[0], tuple(map(int, sides.ravel())))


def _apply(graph: Graph, match: _Match) -> None:
    conv = match.conv
    attrs = {**conv.attrs, "padding": b"EXPLICIT", "explicit_paddings": match.paddings}
    graph.replace_node(conv.name, Node(conv.name, conv.op, [match.data, *conv.inputs[1:]], attrs))


PASS = Rewrite(__name__, frozenset({"Conv2D", "DepthwiseConv2dNative"}), _match, _apply)
