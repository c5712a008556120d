"""Take the parts of a tensor with one Split where slices take them one by one.

Given:   yᵢ = StridedSlice(x), i = 0 … k - 1      all parts of x along one axis, of one size
Result:  yᵢ = Split(x)[i]

A GRU takes its gates this way.

Refuses: the slices leave something out.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_MASKS = ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


@dataclasses.dataclass(frozen=True)
class _Match:
    source: Ref
    axis: int
    slices: tuple[Node, ...]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    source, first = node.inputs[0], _part(graph, node)
    if first is None or first[1] != 0:
        return None
    axis, _, size = first
    length = (graph.shape(source) or ())[axis] or 0
    slices = {
        part: other
        for other in graph.consumers(graph.producer(source).name)
        if (part := _part(graph, other)) and other.inputs[0] == source
    }
    if len(slices) == 1:
        return None
    parts = [(axis, begin, begin + size) for begin in range(0, length, size)]
    if length % size or not all(part in slices for part in parts):
        return Miss("the slices leave something out")
    return _Match(source, axis, tuple(slices[part] for part in parts))


def _part(graph: Graph, node: Node) -> tuple[int, int, int] | None:
    """Return (axis, begin, end) of what a slice takes, if it takes a part of one axis and all of the others."""
    if node.op != "StridedSlice" or node.attrs["T"] != FLOAT32 or any(node.attrs.get(mask, 0) for mask in _MASKS):
        return None
    shape, (begin, end, strides) = graph.shape(node.inputs[0]), (graph.constant(ref) for ref in node.inputs[1:])
    if shape is None or begin is None or end is None or strides is None or any(strides != 1):
        return None
    found = []
    for axis, (low, high, size) in enumerate(zip(begin, end, shape, strict=False)):
        from_start, to_end = (_bits(node, mask) >> axis & 1 for mask in ("begin_mask", "end_mask"))
        if from_start and to_end:
            continue
        if size is None:
            return None
        ends = slice(None if from_start else int(low), None if to_end else int(high)).indices(size)[:2]
        if ends != (0, size):
            found.append((axis, *ends))
    return found[0] if len(found) == 1 and found[0][1] < found[0][2] else None


def _bits(node: Node, mask: str) -> int:
    value = node.attrs.get(mask, 0)
    return value if isinstance(value, int) else 0


def _apply(graph: Graph, match: _Match) -> None:
    new = Lowering(graph, match.slices[0])
    split = graph.producer(
        new.add("Split", new.constant(match.axis), match.source, num_split=len(match.slices), T=FLOAT32)
    )
    for i, node in enumerate(match.slices):
        graph.set_shape(split.ref(i), graph.shape(node.ref()))
        graph.replace_uses(node.ref(), split.ref(i))


PASS = Rewrite(__name__, frozenset({"StridedSlice"}), _match, _apply)
