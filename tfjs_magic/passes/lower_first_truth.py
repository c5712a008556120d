"""Look for the largest of numbers that all differ: webgpu finds any of booleans that are equal.

Given:   y = ArgMax(b, axis)        b bool; also Cast(b)
Result:  y = ArgMax(SelectV2(b, -i, -2²² - i), axis)      i = 0 … N - 1 along the axis
Given:   y = ArgMin(b, axis)
Result:  y = ArgMin(SelectV2(b, 2²² + i, i), axis)

Refuses: the axis is computed; the rank is unknown; the axis is longer than 2²².
Source: tfjs-backend-webgpu ``src/argminmax_webgpu.ts``, 4.22, ``reduceInSharedMemory``.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_MOST = 2**22


@dataclasses.dataclass(frozen=True)
class _Match:
    """``axis`` counts from the front, ``after`` is how many axes come behind it."""

    node: Node
    truths: Ref
    axis: int
    after: int


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    truths = _truths(graph, node)
    if truths is None:
        return None
    shape, axis = graph.shape(truths), graph.constant(node.inputs[1])
    if axis is None or shape is None:
        return Miss("the axis is computed, or the rank is unknown")
    place = int(axis) % len(shape)
    if (shape[place] or 0) > _MOST:
        return Miss("the axis is longer than 2^22")
    return _Match(node, truths, place, len(shape) - place - 1)


def _truths(graph: Graph, node: Node) -> Ref | None:
    """Return the booleans that a node looks at, as they are or as numbers."""
    if node.attrs.get("T") == "bool":
        return node.inputs[0]
    source = graph.producer(node.inputs[0])
    return source.inputs[0] if source.op == "Cast" and source.attrs["SrcT"] == "bool" else None


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    numbers = _numbers(graph, new, match, (0, -_MOST) if node.op == "ArgMax" else (_MOST, 0))
    chosen = new.add("SelectV2", match.truths, *numbers, T=FLOAT32)
    new.replace(node.op, chosen, node.inputs[1], **{**node.attrs, "T": FLOAT32})


def _numbers(graph: Graph, new: Lowering, match: _Match, starts: tuple[int, int]) -> list[Ref]:
    """Return, for true and for false, the numbers along the axis, ascending for ArgMin and else descending."""
    sign = -1 if match.node.op == "ArgMax" else 1
    shape = [-1, *[1] * match.after]
    size = (graph.shape(match.truths) or ())[match.axis]
    if size is not None:
        return [new.constant((start + sign * np.arange(size)).reshape(shape), "float32") for start in starts]
    places = new.add("Cast", new.range(new.size(match.truths, match.axis)), SrcT=INT32, DstT=FLOAT32)
    along = new.reshape(places, shape, FLOAT32)
    op = "Sub" if match.node.op == "ArgMax" else "AddV2"
    return [new.add(op, new.constant(start, "float32"), along, T=FLOAT32) for start in starts]


PASS = Rewrite(__name__, frozenset({"ArgMax", "ArgMin"}), _match, _apply)
