"""Lower Roll, which TF.js lacks, to slices that change places.

Given:   y = Roll(x, shift, axis)
Result:  y = Concat(x[n - s:], x[:n - s])         for each axis in turn; n its size, s = shift mod n

Refuses: shift or axis is computed; the size of an axis that rolls is unknown.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    """Axis → where it is cut."""

    node: Node
    rank: int
    cuts: dict[int, int]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    shift, axis = (graph.constant(ref) for ref in node.inputs[1:3])
    if shift is None or axis is None:
        return Miss("the shift or the axis is computed")
    shape = graph.shape(node.inputs[0])
    axes = [int(a) + (len(shape or ()) if a < 0 else 0) for a in axis.ravel()]
    if shape is None or any(shape[a] is None for a in axes):
        return Miss("the size of an axis that rolls is unknown")
    total = dict.fromkeys(axes, 0)
    for a, s in zip(axes, shift.ravel(), strict=True):
        total[a] += int(s)
    cuts = {a: -s % (shape[a] or 1) for a, s in total.items()}
    return _Match(node, len(shape), {a: cut for a, cut in cuts.items() if cut})


def _apply(graph: Graph, match: _Match) -> None:
    new, dtype = Lowering(graph, match.node), match.node.attrs["T"]
    assert isinstance(dtype, DType)
    x = match.node.inputs[0]
    for axis, cut in match.cuts.items():
        begin, size = [0] * match.rank, [-1] * match.rank
        begin[axis] = size[axis] = cut
        zeros, rest = new.constant([0] * match.rank), new.constant([-1] * match.rank)
        tail = new.add("Slice", x, new.constant(begin), rest, T=dtype, Index=INT32)
        head = new.add("Slice", x, zeros, new.constant(size), T=dtype, Index=INT32)
        x = new.add("ConcatV2", tail, head, new.constant(axis), T=dtype, Tidx=INT32, N=2)
    new.replace("Identity", x, T=dtype)


PASS = Rewrite(__name__, frozenset({"Roll"}), _match, _apply)
