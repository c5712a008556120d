"""Let a convolution dilate by itself, so that nobody moves rows into the batch and back.

Given:   y = BatchToSpaceND(Conv(SpaceToBatchND(x, b, p), W), b, c)     Conv2D or DepthwiseConv2dNative, padding VALID
Result:  y = Conv(x, W)                                                 dilations b, padding EXPLICIT: p - c

That is how TensorFlow, and so Keras, dilates a depthwise convolution; on wasm 3 by 3 taps take 60 times as long so, and
a Conv2D 4 times. Where sizes are unknown, p and c are computed, with the same terms: only p - c must be known.

Refuses: the convolution is used elsewhere, too, has a stride, padding or a dilation of its own, or its channels first;
the blocks are computed, not the same, or not of two axes; p - c is computed, or negative.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.graph.conditions import axis_sizes, is_channels_first, is_dilated
from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_AXES = 2
#: What is known of an integer, and what is added to it: elements of tensors.
_Sum = tuple[int, tuple[tuple[Ref, tuple[int, ...]], ...]]


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    conv: Node
    data: Ref
    rates: tuple[int, ...]
    sides: tuple[int, ...]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    conv = graph.producer(node.inputs[0])
    before = graph.producer(conv.inputs[0]) if conv.op in {"Conv2D", "DepthwiseConv2dNative"} else None
    if before is None or before.op != "SpaceToBatchND":
        return None
    if graph.only_consumer(conv.name) is not node or is_channels_first(graph, conv):
        return Miss("the convolution is used elsewhere, too, or has its channels first")
    if conv.attrs["padding"] != b"VALID" or is_dilated(graph, conv) or {*axis_sizes(conv, "strides")} != {1}:
        return Miss("the convolution has a stride, padding or a dilation of its own")
    made, undone = (graph.constant(each.inputs[1]) for each in (before, node))
    if made is None or undone is None or made.size != _AXES or not np.array_equal(made, undone):
        return Miss("the blocks are computed, or not the same")
    sides = []
    for place in np.ndindex(_AXES, 2):
        (padded, more), (cropped, less) = (_element(graph, each.inputs[2], place) for each in (before, node))
        if more != less or padded < cropped:
            return Miss("the padding is computed, or negative")
        sides.append(padded - cropped)
    return _Match(node, conv, before.inputs[0], tuple(map(int, made)), tuple(sides))


def _element(graph: Graph, ref: Ref, place: tuple[int, ...]) -> _Sum:
    """Return an element of an integer tensor as a sum."""
    node, value = graph.producer(ref), graph.constant(ref)
    if value is not None:
        return int(value[place]), ()
    if node.op == "Pack" and node.attrs.get("axis", 0) == 0:
        return _element(graph, node.inputs[place[0]], place[1:])
    if node.op in {"Add", "AddV2"} and len({graph.shape(each) for each in node.inputs}) == 1:
        (one, ones), (other, others) = (_element(graph, each, place) for each in node.inputs)
        return one + other, tuple(sorted((*ones, *others)))
    if node.op == "StridedSlice" and not place and node.attrs.get("shrink_axis_mask") == 1:
        begin, shape = graph.constant(node.inputs[1]), graph.shape(node.inputs[0])
        if begin is not None and shape is not None and len(shape) == 1 and begin[0] >= 0:
            return _element(graph, node.inputs[0], (int(begin[0]),))
    return 0, ((ref, place),)


def _apply(graph: Graph, match: _Match) -> None:
    padding: dict[str, Attr] = {"padding": b"VALID", "explicit_paddings": ()}
    if any(match.sides):
        padding = {"padding": b"EXPLICIT", "explicit_paddings": (0, 0, *match.sides, 0, 0)}
    attrs = match.conv.attrs | padding | {"dilations": (1, *match.rates, 1)}
    Lowering(graph, match.node).replace(match.conv.op, match.data, *match.conv.inputs[1:], **attrs)


PASS = Rewrite(__name__, frozenset({"BatchToSpaceND"}), _match, _apply)
