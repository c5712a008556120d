"""Split a slice that drops axes and steps over others: TF.js reads out of range there.

Given:   y = StridedSlice(x, begin, end, strides)     shrink_axis_mask ≠ 0, some stride ≠ 1
Result:  y = StridedSlice(StridedSlice(x))            first the axes that go, then the steps

Refuses: begin, end or strides are computed.
Source: tfjs-core ``src/ops/slice_util.ts`` and the kernels of ``StridedSlice``, 4.22.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array, Dims
from tfjs_magic.graph.conditions import drops_and_steps
from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.passes.lowering import Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    begin: Array
    end: Array
    strides: Array
    masks: dict[str, int]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not drops_and_steps(graph, node):
        return None
    masks = {key: value for key in _MASKS if isinstance(value := node.attrs.get(key, 0), int)}
    begin, end, strides = (graph.constant(ref) for ref in node.inputs[1:])
    if begin is None or end is None or strides is None:
        return Miss("where it begins, ends, or how it steps is computed")
    return _Match(node, begin, end, strides, masks)


def _apply(graph: Graph, match: _Match) -> None:
    node, masks, new = match.node, match.masks, Lowering(graph, match.node)
    shrink, added = masks["shrink_axis_mask"], masks["new_axis_mask"]
    specs = range(len(match.begin))
    dropped = [i for i in specs if shrink >> i & 1 and not added >> i & 1]
    others = sum(1 << i for i in specs if i not in dropped and not added >> i & 1)
    types: dict[str, Attr] = {key: node.attrs[key] for key in ("T", "Index") if key in node.attrs}
    first = {**masks, "begin_mask": others, "end_mask": others, "new_axis_mask": 0}
    # New axes are the second slice's business; the first one must not count them.
    kept = [i for i in specs if not added >> i & 1]
    dtype = match.begin.dtype.name
    ones = np.ones(len(kept), dtype)
    part = new.add(
        "StridedSlice",
        node.inputs[0],
        new.constant(match.begin[kept], dtype),
        new.constant(match.end[kept], dtype),
        new.constant(ones, dtype),
        **types,
        **{key: _bits(value, kept) for key, value in first.items()},
    )
    graph.set_shape(part, _without(graph, match, dropped))
    rest = [i for i in specs if i not in dropped]
    vectors = [new.constant(vector[rest], dtype) for vector in (match.begin, match.end, match.strides)]
    second = {key: _bits(value, rest) for key, value in masks.items() if key != "shrink_axis_mask"}
    new.replace("StridedSlice", part, *vectors, **types, **second, shrink_axis_mask=0)


def _without(graph: Graph, match: _Match, dropped: list[int]) -> Dims | None:
    """Return the shape without the dropped axes; None if the rank is unknown. An ellipsis moves those after it."""
    shape, masks = graph.shape(match.node.inputs[0]), match.masks
    if shape is None:
        return None
    added, ellipsis = masks["new_axis_mask"], masks["ellipsis_mask"]
    counted = [i for i in range(len(match.begin)) if not added >> i & 1]
    wide = len(shape) - len(counted)
    axes = {i: place + (wide if 0 < ellipsis < 1 << i else 0) for place, i in enumerate(counted)}
    gone = {axes[i] for i in dropped}
    return tuple(side for axis, side in enumerate(shape) if axis not in gone)


def _bits(mask: int, kept: list[int]) -> int:
    """Return the mask of the entries that are left."""
    return sum(1 << position for position, i in enumerate(kept) if mask >> i & 1)


PASS = Rewrite(__name__, frozenset({"StridedSlice"}), _match, _apply)
