"""Lower the ops that take rows apart by number and put them together again, which TF.js lacks.

Given:   y0, y1, … = DynamicPartition(x, p)           p of x's first axes, which become one
Result:  yi = GatherV2(x, Where(Equal(p, i)), 0)      or constant rows
Given:   y = DynamicStitch(i0, i1, …, x0, x1, …)      also ParallelDynamicStitch; the last row of a number counts
Result:  y = GatherV2(Concat(x0, x1, …), last, 0)     last: constant rows, or from all numbers i (N,), n = Max(i) + 1:
         last = Max(SelectV2(Equal(i, 0 … n - 1), 0 … N - 1, 0), 1)      n · N values

Refuses: the rank is unknown; a row of the result has no data, which TensorFlow leaves as the memory is.
Source: TensorFlow ``core/kernels/dynamic_partition_op.cc`` and ``dynamic_stitch_op.cc``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_PARTITION = "DynamicPartition"


@dataclasses.dataclass(frozen=True)
class _Match:
    """What numbers the rows of which data; the constant rows that are taken, one array per output, or None."""

    node: Node
    numbers: Sequence[Ref]
    data: Sequence[Ref]
    rows: list[Array] | None


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if node.op == _PARTITION:
        data, numbers = [node.inputs[0]], [node.inputs[1]]
    else:
        half = len(node.inputs) // 2
        numbers, data = node.inputs[:half], node.inputs[half:]
    if any(graph.shape(ref) is None for ref in (*numbers, *data)):
        return Miss("the rank of what it takes is unknown")
    known = [value.ravel() for ref in numbers if (value := graph.constant(ref)) is not None]
    if len(known) < len(numbers):
        return _Match(node, numbers, data, None)
    places = np.concatenate(known)
    if node.op == _PARTITION:
        return _Match(node, numbers, data, [np.flatnonzero(places == part) for part in range(node.outputs)])
    last = np.full(places.max(initial=-1) + 1, -1)
    last[places] = np.arange(len(places))
    if (last < 0).any():
        return Miss("some rows of the result have no data: give each of them some")
    return _Match(node, numbers, data, [last])


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    flat = _flat(graph, new, match)
    numbers = _joined(new, [new.vector(ref, INT32) for ref in match.numbers], INT32)
    for part in range(node.outputs):
        if match.rows is not None:
            rows = new.constant(match.rows[part])
        elif node.op == _PARTITION:
            belongs = new.add("Equal", numbers, new.constant(part), T=INT32)
            places = new.reshape(new.add("Where", belongs, T=DType("bool")), [-1], DType("int64"))
            rows = new.add("Cast", places, SrcT=DType("int64"), DstT=INT32)
        else:
            rows = _last(new, numbers)
        attrs: dict[str, Attr] = {"Tparams": node.attrs["T"], "Tindices": INT32, "Taxis": INT32, "batch_dims": 0}
        graph.replace_uses(node.ref(part), new.add("GatherV2", flat, rows, new.constant(0), **attrs))


def _flat(graph: Graph, new: Lowering, match: _Match) -> Ref:
    """Make the axes that are numbered one, and put all data behind each other."""
    dtype, flat = match.node.attrs["T"], []
    for ref, numbers in zip(match.data, match.numbers, strict=True):
        rank, numbered = len(graph.shape(ref) or ()), len(graph.shape(numbers) or ())
        if numbered == 1:
            flat.append(ref)
        else:
            rest = [
                size if (size := (graph.shape(ref) or ())[axis]) is not None else new.size(ref, axis)
                for axis in range(numbered, rank)
            ]
            flat.append(new.reshape(ref, [-1, *rest], dtype))
    return _joined(new, flat, dtype)


def _joined(new: Lowering, refs: list[Ref], dtype: Attr) -> Ref:
    if len(refs) == 1:
        return refs[0]
    return new.add("ConcatV2", *refs, new.constant(0), T=dtype, Tidx=INT32, N=len(refs))


def _last(new: Lowering, numbers: Ref) -> Ref:
    """Return, for every number up to the largest, the last place where it stands."""
    attrs: dict[str, Attr] = {"T": INT32, "Tidx": INT32, "keep_dims": False}
    largest = new.integer("Maximum", new.add("Max", numbers, new.constant([0]), **attrs), -1)
    every = new.expand(new.range(new.integer("AddV2", largest, 1)), 1, INT32)
    places = new.range(new.size(numbers, 0))
    chosen = new.add("SelectV2", new.add("Equal", numbers, every, T=INT32), places, new.constant(0), T=INT32)
    return new.add("Max", chosen, new.constant([1]), **attrs)


PASS = Rewrite(__name__, frozenset({_PARTITION, "DynamicStitch", "ParallelDynamicStitch"}), _match, _apply)
