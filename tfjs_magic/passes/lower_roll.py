"""Lower Roll, which TF.js lacks, to slices that change places.

Given:   y = Roll(x, shift, axis)
Result:  y = Concat(x[n - s:], x[:n - s])         for each axis in turn; n its size, s = shift mod n

A size or a shift that is known only in the browser is taken there.

Refuses: the axis is computed; the rank is unknown.
Source: TensorFlow ``core/ops/manip_ops.cc``, ``Roll``.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    """The axis of each shift."""

    node: Node
    rank: int
    axes: list[int]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    axis, shape = graph.constant(node.inputs[2]), graph.shape(node.inputs[0])
    if axis is None:
        return Miss("the axis is computed")
    if shape is None:
        return Miss("the rank is unknown")
    return _Match(node, len(shape), [int(a) % len(shape) for a in axis.ravel()])


def _apply(graph: Graph, match: _Match) -> None:
    new, dtype = Lowering(graph, match.node), match.node.attrs["T"]
    assert isinstance(dtype, DType)
    x = match.node.inputs[0]
    for place, axis in enumerate(match.axes):
        cut = _cut(graph, new, match, place)
        if cut == 0:
            continue
        begin, size = (
            [start if a == axis else other for a in range(match.rank)] for start, other in ((cut, 0), (cut, -1))
        )
        zeros, rest = new.constant([0] * match.rank), new.constant([-1] * match.rank)
        tail = new.add("Slice", x, new.dims(begin), rest, T=dtype, Index=INT32)
        head = new.add("Slice", x, zeros, new.dims(size), T=dtype, Index=INT32)
        x = new.add("ConcatV2", tail, head, new.constant(axis), T=dtype, Tidx=INT32, N=2)
    new.replace("Identity", x, T=dtype)


def _cut(graph: Graph, new: Lowering, match: _Match, place: int) -> int | Ref:
    """Return where an axis is cut: -shift mod its size."""
    x, shift = match.node.inputs[:2]
    shifts, size = graph.constant(shift), (graph.shape(x) or ())[match.axes[place]]
    if shifts is not None and size is not None:
        return -int(shifts.ravel()[place]) % max(size, 1)
    if shifts is not None:
        less = new.constant(-int(shifts.ravel()[place]))
    else:
        one = new.reshape(shift, [-1], INT32)
        if len(match.axes) > 1:
            one = new.add("Slice", one, new.constant([place]), new.constant([1]), T=INT32, Index=INT32)
        less = new.add("Sub", new.constant(0), new.reshape(one, [], INT32), T=INT32)
    if size is None:  # no value has a remainder by 0, for which wasm stops
        length = new.add("Maximum", new.size(x, match.axes[place]), new.constant(1), T=INT32)
    else:
        length = new.constant(max(size, 1))
    return new.add("FloorMod", less, length, T=INT32)


PASS = Rewrite(__name__, frozenset({"Roll"}), _match, _apply)
