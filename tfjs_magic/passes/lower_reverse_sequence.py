"""Lower ReverseSequence, which TF.js lacks, to a gather.

Given:   y = ReverseSequence(x, lengths)          x (B, T, …); lengths (B,); axes in either order, both in front
Result:  y = GatherNd(x, i)                       i[b, t] = (b, lengths[b] - 1 - t if t < lengths[b] else t)

With the sequence first, rows and columns of i change places. Other axes are put in front, and back.

Refuses: the rank is unknown.
Source: TensorFlow ``core/ops/array_ops.cc``, ``ReverseSequence``.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    """``order`` puts the batch and the sequence in front, where they are not."""

    node: Node
    sequence: int
    batch: int
    order: list[int] | None


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    sequence, batch = node.attrs["seq_dim"], node.attrs.get("batch_dim", 0)
    assert isinstance(sequence, int)
    assert isinstance(batch, int)
    shape = graph.shape(node.inputs[0])
    if shape is None:
        return Miss("the rank is unknown")
    if {sequence, batch} == {0, 1}:
        return _Match(node, sequence, batch, None)
    rest = [axis for axis in range(len(shape)) if axis not in {sequence, batch}]
    return _Match(node, 1, 0, [batch, sequence, *rest])


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    (x, lengths), dtype, order = node.inputs, node.attrs["T"], match.order
    if order is not None:
        x = new.add("Transpose", x, new.constant(order), T=dtype, Tperm=INT32)
    if node.attrs.get("Tlen", "int64") != INT32:
        lengths = new.add("Cast", lengths, SrcT=DType("int64"), DstT=INT32)
    lengths = new.expand(lengths, match.sequence, INT32)
    times = new.expand(new.range(new.size(x, match.sequence)), match.batch, INT32)
    rows = new.expand(new.range(new.size(x, match.batch)), match.sequence, INT32)
    last = new.add("Sub", lengths, new.constant(1), T=INT32)
    mirrored = new.add("Sub", last, times, T=INT32)
    inside = new.add("Less", times, lengths, T=INT32)
    times = new.add("SelectV2", inside, mirrored, times, T=INT32)
    rows = new.add("AddV2", rows, new.add("Mul", times, new.constant(0), T=INT32), T=INT32)
    pair = (times, rows) if match.sequence == 0 else (rows, times)
    indices = new.add("Pack", *pair, axis=2, N=2, T=INT32)
    attrs: dict[str, Attr] = {"Tparams": dtype, "Tindices": INT32}
    if order is None:
        new.replace("GatherNd", x, indices, **attrs)
        return
    turned = new.add("GatherNd", x, indices, **attrs)
    graph.set_shape(turned, graph.shape(x))
    new.replace("Transpose", turned, new.constant(np.argsort(order)), T=dtype, Tperm=INT32)


PASS = Rewrite(__name__, frozenset({"ReverseSequence"}), _match, _apply)
