"""Merge the axes that an op leaves alone: on webgl and webgpu some ops work on four axes at most.

Of more, webgpu tiles on the cpu, for which it waits until the GPU has computed what it tiles.

Given:   y = Pad(x, p), or another of ``ANCHORS``     x of five axes or more; a StridedSlice has steps
Result:  y = Reshape(Pad(Reshape(x), p'))         what lies between the axes that it works on is one axis

An op that works on too many axes is done in steps: Pad(Reshape(Pad(Reshape(x)))), as each axis is done by itself.

Refuses: which axes it works on is computed; more than one size is unknown.
Source: TF.js 4.22, the kernels of these ops.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tfjs_magic.artifacts import Array, Dims
from tfjs_magic.graph.conditions import has_many_axes, steps_over_many_axes
from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_MOST_AXES = 4


@dataclasses.dataclass(frozen=True)
class _Match:
    """What is done to which axis, and the axes of each step."""

    node: Node
    shape: Dims
    made: Dims
    work: Mapping[int, tuple[int, ...]]
    steps: list[list[int]]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not (steps_over_many_axes if node.op == "StridedSlice" else has_many_axes)(graph, node):
        return None
    shape, made = graph.shape(node.inputs[0]), graph.shape(node.ref())
    assert shape is not None
    operands = [graph.constant(ref) for ref in node.inputs[1 : 4 if node.op == "StridedSlice" else 2]]
    known = [operand for operand in operands if operand is not None]
    if len(known) < len(operands):
        return Miss("which axes it works on is computed")
    if made is None or shape.count(None) > 1 or made.count(None) > 1:
        return Miss("more than one size is unknown")
    work = _WORK.get(node.op, _on_axis)(node, len(shape), known)
    return (
        Miss("it drops an axis") if work is None else _Match(node, shape, made, work, _steps(sorted(work), len(shape)))
    )


def _steps(axes: Sequence[int], rank: int) -> list[list[int]]:
    """Cut the axes to work on into steps whose blocks are few enough."""
    steps: list[list[int]] = []
    for axis in axes:
        if steps and len(_blocks([*steps[-1], axis], rank)) <= _MOST_AXES:
            steps[-1].append(axis)
        else:
            steps.append([axis])
    return steps


def _blocks(axes: Sequence[int], rank: int) -> list[range]:
    """Return the axes as blocks: each to work on alone, and what lies between as one."""
    blocks, begin = [], 0
    for axis in axes:
        blocks += [range(begin, axis), range(axis, axis + 1)]
        begin = axis + 1
    return [block for block in [*blocks, range(begin, rank)] if block]


# ---------------------------------------------------------------------- what is done to an axis


def _padded(_: Node, __: int, operands: Sequence[Array]) -> dict[int, tuple[int, ...]]:
    return {axis: tuple(map(int, pair)) for axis, pair in enumerate(operands[0]) if pair.any()}


def _tiled(_: Node, __: int, operands: Sequence[Array]) -> dict[int, tuple[int, ...]]:
    return {axis: (int(count),) for axis, count in enumerate(operands[0]) if count != 1}


def _on_axis(_: Node, rank: int, operands: Sequence[Array]) -> dict[int, tuple[int, ...]]:
    return {int(axis) % rank: () for axis in operands[0].ravel()}


def _sliced(node: Node, rank: int, operands: Sequence[Array]) -> dict[int, tuple[int, ...]] | None:
    """Return begin, end, stride and whether either is left out; None where an axis goes."""
    masks = {key: value if isinstance(value := node.attrs.get(f"{key}_mask", 0), int) else 0 for key in _MASKS}
    if masks["shrink_axis"]:
        return None
    work, axis, specs = {}, 0, list(zip(*(operand.tolist() for operand in operands), strict=True))
    taken = sum(not (masks["new_axis"] | masks["ellipsis"]) >> i & 1 for i in range(len(specs)))
    for i, spec in enumerate(specs):
        if masks["ellipsis"] >> i & 1:
            axis += rank - taken
        elif not masks["new_axis"] >> i & 1:
            left_out = (masks["begin"] >> i & 1, masks["end"] >> i & 1)
            if left_out != (1, 1) or spec[2] != 1:
                work[axis] = (*spec, *left_out)
            axis += 1
    return work


_MASKS = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
_WORK: dict[str, Callable[[Node, int, Sequence[Array]], dict[int, tuple[int, ...]] | None]] = {
    "MirrorPad": _padded,
    "Pad": _padded,
    "PadV2": _padded,
    "StridedSlice": _sliced,
    "Tile": _tiled,
}

# ---------------------------------------------------------------------- writing it


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    data, sizes, rank = node.inputs[0], list(match.shape), len(match.shape)
    for step in match.steps:
        blocks = _blocks(step, rank)
        shape = [_size([sizes[axis] for axis in block]) for block in blocks]
        data = new.reshape(data, shape, node.attrs["T"])
        data = _worked(new, match, data, [match.work[block[0]] if block[0] in step else None for block in blocks])
        for axis in step:
            sizes[axis] = _made(node, match.work[axis], sizes[axis])
    made = [-1 if size is None else size for size in match.made]
    new.replace("Reshape", data, new.constant(made), T=node.attrs["T"], Tshape=INT32)


def _size(sizes: Sequence[int | None]) -> int:
    return -1 if None in sizes else math.prod(size or 0 for size in sizes)


def _made(node: Node, work: tuple[int, ...], size: int | None) -> int | None:
    """Return the size of an axis afterwards."""
    if size is None or not work:
        return size
    if node.op == "StridedSlice":
        begin, end, stride, *left_out = work
        first, last = (None if out else bound for bound, out in zip((begin, end), left_out, strict=True))
        return len(range(size)[first:last:stride])
    return size * work[0] if node.op == "Tile" else size + sum(work)


def _worked(new: Lowering, match: _Match, data: Ref, work: Sequence[tuple[int, ...] | None]) -> Ref:
    """Add the op on merged axes; ``work`` says what is done to each, None nothing."""
    node, attrs = match.node, dict(match.node.attrs)
    if node.op == "StridedSlice":
        rows = [row or (0, 0, 1, 1, 1) for row in work]
        masks: dict[str, Attr] = {
            f"{key}_mask": sum(row[3 + i] << axis for axis, row in enumerate(rows))
            for i, key in enumerate(("begin", "end"))
        }
        attrs |= {**masks, "ellipsis_mask": 0, "new_axis_mask": 0, "Index": INT32}
        return new.add(node.op, data, *(new.constant([row[i] for row in rows]) for i in range(3)), **attrs)
    if node.op == "Tile":
        counts = new.constant([row[0] if row else 1 for row in work])
        return new.add(node.op, data, counts, **{**attrs, "Tmultiples": INT32})
    if node.op in _WORK:
        paddings = new.constant([row or (0, 0) for row in work])
        return new.add(node.op, data, paddings, *node.inputs[2:], **{**attrs, "Tpaddings": INT32})
    axes = np.flatnonzero([row is not None for row in work])
    axis = new.constant(axes) if node.op == "ReverseV2" else new.constant(axes[0])
    return new.add(node.op, data, axis, **{**attrs, "Tidx": INT32})


ANCHORS = frozenset({*_WORK, "Cumprod", "Cumsum", "ReverseV2"})
PASS = Rewrite(__name__, ANCHORS, _match, _apply)
