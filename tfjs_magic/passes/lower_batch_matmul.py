"""Repeat matrices before a product: where both batches broadcast, TF.js multiplies other ones.

Given:   y = BatchMatMulV2(a, b)                  a (A…, N, K), b (B…, K, M); A… and B… broadcast
Result:  y = BatchMatMulV2(Tile(a), b)            a repeated along its inner axes of size 1; b likewise
         y = Reshape(BatchMatMulV2(a', b'))       a' = Reshape(BroadcastTo(a)), (-1, N, K), where sizes are unknown

Left: what ``graph/batches.py`` says is right; operands of unknown rank, as in a loop.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.artifacts import Dims
from tfjs_magic.graph.batches import batch_axes, is_end_of_product
from tfjs_magic.graph.conditions import broadcasts_inner_batch
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    """Per operand how often each axis is repeated, and its shape then; None where only the browser knows."""

    node: Node
    repeated: list[tuple[list[int], Dims]] | None
    ranks: tuple[int, int]


def _match(graph: Graph, node: Node) -> _Match | None:
    if not broadcasts_inner_batch(graph, node):
        return None
    a, b = (graph.shape(ref) or () for ref in node.inputs)
    repeated = [_repeated(a, b), _repeated(b, a)]
    (_, new_a), (_, new_b) = repeated
    is_enough = is_end_of_product(new_a, new_b) and is_end_of_product(new_b, new_a)
    return _Match(node, repeated if is_enough else None, (len(a), len(b)))


def _repeated(own: Dims, other: Dims) -> tuple[list[int], Dims]:
    """Return how often each axis of an operand is repeated where its size and the other one's tell, and its shape."""
    axes = batch_axes(own, other)[-(len(own) - 2) :] if len(own) > 2 else []
    times = [1] * len(own)
    for place, (size, others) in enumerate(axes):
        if size == 1 and others is not None and any(before != 1 for before, _ in axes[:place]):
            times[place] = others
    if is_end_of_product(own, other):
        times = [1] * len(own)
    return times, tuple(size if size is None else size * n for size, n in zip(own, times, strict=True))


def _apply(graph: Graph, match: _Match) -> None:
    node, new, dtype = match.node, Lowering(graph, match.node), match.node.attrs["T"]
    if match.repeated is None:
        _apply_computed(new, match)
        return
    operands = []
    for ref, (times, shape) in zip(node.inputs, match.repeated, strict=True):
        if set(times) == {1}:
            operands.append(ref)
        else:
            operands.append(new.add("Tile", ref, new.constant(times), T=dtype, Tmultiples=INT32))
            graph.set_shape(operands[-1], shape)
    new.replace(node.op, *operands, **node.attrs)


def _apply_computed(new: Lowering, match: _Match) -> None:
    """Broadcast both operands to the product's batch, which becomes one axis."""
    node, dtype = match.node, match.node.attrs["T"]
    one = new.constant([-1])
    shapes = [new.add("Shape", ref, out_type=INT32) for ref in node.inputs]
    batches = [_part(new, shape, 0, rank - 2) for shape, rank in zip(shapes, match.ranks, strict=True)]
    batch = _joint_batch(new, batches, match.ranks)
    operands = []
    for ref, shape, rank in zip(node.inputs, shapes, match.ranks, strict=True):
        sides = _part(new, shape, rank - 2, 2)
        wide = new.add("BroadcastTo", ref, _joined(new, batch, sides), T=dtype, Tidx=INT32)
        operands.append(new.add("Reshape", wide, _joined(new, one, sides), T=dtype, Tshape=INT32))
    product = new.add(node.op, *operands, **node.attrs)
    sides = _part(new, new.add("Shape", product, out_type=INT32), 1, 2)
    new.replace("Reshape", product, _joined(new, batch, sides), T=dtype, Tshape=INT32)


def _joint_batch(new: Lowering, batches: list[Ref], ranks: tuple[int, int]) -> Ref:
    """Return the product's batch axes: the larger size of each, as the other one is the same or 1."""
    lacking = [max(ranks) - rank for rank in ranks]
    whole = [
        _joined(new, new.constant([1] * count), batch) if count else batch
        for batch, count in zip(batches, lacking, strict=True)
    ]
    return new.add("Maximum", *whole, T=INT32)


def _part(new: Lowering, sizes: Ref, begin: int, count: int) -> Ref:
    return new.add("Slice", sizes, new.constant([begin]), new.constant([count]), T=INT32, Index=INT32)


def _joined(new: Lowering, first: Ref, second: Ref) -> Ref:
    return new.add("ConcatV2", first, second, new.constant(0), T=INT32, Tidx=INT32, N=2)


PASS = Rewrite(__name__, frozenset({"BatchMatMulV2"}), _match, _apply)
