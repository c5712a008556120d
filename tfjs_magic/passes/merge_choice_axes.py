"""Merge the axes of a choice between tensors: on webgl and webgpu it has four axes at most.

Given:   y = SelectV2(c, a, b), or Select         five axes or more, together
Result:  y = Reshape(SelectV2(c', a', b'))        neighbours along which the same operands broadcast are one axis

Refuses: the operands broadcast along too many axes; more than one size is unknown.
Source: TF.js 4.22, ``SelectProgram`` of webgl and webgpu.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from tfjs_magic.artifacts import Dims
from tfjs_magic.graph.conditions import has_choice_of_many_axes
from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.passes.lowering import BOOL, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_MOST_AXES = 4


@dataclasses.dataclass(frozen=True)
class _Match:
    """The new shape of each operand, None of one that stays; the shape of the result."""

    node: Node
    shapes: list[list[int] | None]
    made: list[int]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not has_choice_of_many_axes(graph, node):
        return None
    known = [shape for ref in node.inputs if (shape := graph.shape(ref)) is not None]
    made = graph.shape(node.ref())
    if len(known) < len(node.inputs) or made is None:
        return Miss("the rank of an operand is unknown")
    whole = [(1,) * (len(made) - len(shape)) + shape for shape in known]
    blocks = _blocks(list(zip(*whole, strict=True)))
    if len(blocks) > _MOST_AXES:
        return Miss("the operands broadcast along too many axes")
    shapes = [[_size([shape[axis] for axis in block]) for block in blocks] for shape in whole]
    if any(shape.count(-1) > 1 for shape in shapes) or made.count(None) > 1:
        return Miss("more than one size is unknown")
    merged = [shape if old else None for shape, old in zip(shapes, known, strict=True)]
    return _Match(node, merged, [-1 if size is None else size for size in made])


def _blocks(axes: Sequence[Dims]) -> list[list[int]]:
    """Return which axes become one; ``axes`` has each operand's size of each axis."""
    blocks: list[list[int]] = []
    last: object = None
    for axis, sizes in enumerate(axes):
        repeated = tuple(size == 1 for size in sizes)
        # What is unknown may be 1: beside another size it stays alone.
        form: object = axis if None in sizes and repeated.count(False) > 1 else repeated
        if blocks and (form == last or all(repeated)):
            blocks[-1].append(axis)
        else:
            blocks.append([axis])
            last = form
    return blocks


def _size(sizes: Sequence[int | None]) -> int:
    return -1 if None in sizes else math.prod(size or 0 for size in sizes)


def _apply(graph: Graph, match: _Match) -> None:
    node, new, dtype = match.node, Lowering(graph, match.node), match.node.attrs["T"]
    assert isinstance(dtype, DType)
    inputs = [
        ref if shape is None else new.reshape(ref, shape, BOOL if place == 0 else dtype)
        for place, (ref, shape) in enumerate(zip(node.inputs, match.shapes, strict=True))
    ]
    chosen = new.add("SelectV2", *inputs, T=dtype)
    new.replace("Reshape", chosen, new.constant(match.made), T=dtype, Tshape=INT32)


PASS = Rewrite(__name__, frozenset({"Select", "SelectV2"}), _match, _apply)
