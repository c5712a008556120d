"""Lower reductions by segment, which TF.js lacks.

Given:   y = UnsortedSegmentSum(x, ids, n)      ids of x's first axes; negative ones are left out
Result:  y = Slice(ScatterNd(ids', x', (n + 1, …)), n)      ids' (N, 1), n for what is left out; a scatter adds
Given:   y = UnsortedSegmentMax(x, ids, n), Min, Prod
Result:  y = Max(SelectV2(Equal(ids, 0 … n - 1), x, neutral), axis)      n · N values
Given:   y = SegmentSum(x, ids), Mean, Max, Min, Prod      ids (N,), ascending
Result:  the same of n = Max(ids) + 1; Mean: RealDiv(sum, Maximum(count, 1)); Max and Min of no value are 0
Given:   y = SparseSegmentSum(x, i, ids), Mean, SqrtN; also …WithNumSegments(x, i, ids, n)
Result:  the same of GatherV2(x, i); SqrtN: RealDiv(sum, Sqrt(Maximum(count, 1)))

Where there may be no ids, one more value has the id -1: no GPU scatters nothing, and the largest of nothing is what the
memory held. Where there may be no segments, one more is chosen, and sliced away.

Refuses: the rank is unknown; other numbers than float32 and int32; a mean, or SqrtN, of integers.
Source: TensorFlow ``core/kernels/segment_reduction_ops_impl.h``.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_REDUCTIONS = ("Max", "Min", "Prod", "Sum")
_QUOTIENTS = frozenset({"Mean", "SqrtN"})


@dataclasses.dataclass(frozen=True)
class _Match:
    """``rank`` is that of the data, ``axes`` how many of them the ids are for; ``has_ids``: surely at least one."""

    node: Node
    dtype: DType
    reduction: str
    rank: int
    axes: int
    has_ids: bool


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    shape, ids = (graph.shape(ref) for ref in (node.inputs[0], node.inputs[2 if _is_sparse(node) else 1]))
    reduction, dtype = node.op.removesuffix("WithNumSegments").rpartition("Segment")[2], node.attrs["T"]
    assert isinstance(dtype, DType)
    if shape is None or ids is None:
        return Miss("the rank is unknown")
    if dtype not in {"float32", "int32"} or (reduction in _QUOTIENTS and dtype == "int32"):
        return Miss(f"it reduces {dtype!s} values")
    return _Match(node, dtype, reduction, len(shape), len(ids), has_ids=all(ids))


def _is_sparse(node: Node) -> bool:
    """Whether it first picks rows of the data."""
    return node.op.startswith("Sparse")


def _apply(graph: Graph, match: _Match) -> None:
    node, new, dtype = match.node, Lowering(graph, match.node), match.dtype
    data, ids, *rest_of_inputs = node.inputs
    ids_dtype = node.attrs.get("Tsegmentids", INT32) if _is_sparse(node) else node.attrs["Tindices"]
    if _is_sparse(node):
        attrs: dict[str, Attr] = {"Tindices": node.attrs.get("Tidx", INT32), "Taxis": INT32, "batch_dims": 0}
        data = new.add("GatherV2", data, ids, new.constant(0), Tparams=dtype, **attrs)
        ids, *rest_of_inputs = rest_of_inputs
    if ids_dtype != "int32":
        ids = new.add("Cast", ids, SrcT=ids_dtype, DstT=INT32)
    if match.axes != 1:
        ids, data = _flat(new, match, data, ids)
    rest = range(match.axes, match.rank)
    if not match.has_ids:
        ids = new.add("ConcatV2", ids, new.constant([-1]), new.constant(0), N=2, T=INT32, Tidx=INT32)
        sides = new.constant([[0, 1], *[[0, 0]] * len(rest)])
        data = new.add("PadV2", data, sides, new.constant(0, str(dtype)), T=dtype, Tpaddings=INT32)
    if rest_of_inputs:
        (count,) = rest_of_inputs
        if node.attrs.get("Tnumsegments", INT32) != "int32":
            count = new.add("Cast", count, SrcT=node.attrs["Tnumsegments"], DstT=INT32)
    else:
        last = new.add("Max", ids, new.constant([0]), T=INT32, Tidx=INT32, keep_dims=False)
        count = new.add("AddV2", last, new.constant(1), T=INT32)
    sizes = [new.size(node.inputs[0], axis) for axis in rest]
    if match.reduction == "Sum":
        new.replace("Identity", _summed(new, (data, ids, count), sizes, dtype), T=dtype)
    elif match.reduction in _QUOTIENTS:
        ones = new.add("OnesLike", data, T=dtype)
        total, number = (_summed(new, (some, ids, count), sizes, dtype) for some in (data, ones))
        divisor = new.add("Maximum", number, new.constant(1, "float32"), T=FLOAT32)
        if match.reduction == "SqrtN":
            divisor = new.add("Sqrt", divisor, T=FLOAT32)
        new.replace("RealDiv", total, divisor, T=FLOAT32)
    else:
        _chosen(new, match, (data, ids, count), sizes)


def _flat(new: Lowering, match: _Match, data: Ref, ids: Ref) -> tuple[Ref, Ref]:
    """Make the axes that the ids are for one."""
    rest = [new.size(data, axis) for axis in range(match.axes, match.rank)]
    shape = new.add("Pack", new.constant(-1), *rest, axis=0, N=len(rest) + 1, T=INT32)
    return new.vector(ids, INT32), new.add("Reshape", data, shape, T=match.dtype, Tshape=INT32)


def _summed(new: Lowering, operands: tuple[Ref, Ref, Ref], sizes: list[Ref], dtype: DType) -> Ref:
    """Scatter into one row more than there are segments, and leave it out."""
    data, ids, count = operands
    # Of no ids, TF.js's choice has the shape of what it chooses first.
    counts = new.add("GreaterEqual", ids, new.constant(0), T=INT32)
    places = new.expand(new.add("SelectV2", counts, ids, count, T=INT32), 1, INT32)
    more = new.add("AddV2", count, new.constant(1), T=INT32)
    attrs: dict[str, Attr] = {"axis": 0, "N": len(sizes) + 1, "T": INT32}
    scattered = new.add("ScatterNd", places, data, new.add("Pack", more, *sizes, **attrs), T=dtype, Tindices=INT32)
    size = new.add("Pack", count, *sizes, **attrs)
    return new.add("Slice", scattered, new.constant([0] * (len(sizes) + 1)), size, T=dtype, Index=INT32)


def _chosen(new: Lowering, match: _Match, operands: tuple[Ref, Ref, Ref], sizes: list[Ref]) -> None:
    """Choose, for every segment, its values among all."""
    (data, ids, count), dtype, rest = operands, match.dtype, match.rank - match.axes
    is_unsorted = match.node.op.startswith("Unsorted")
    rows = count if is_unsorted else new.add("AddV2", count, new.constant(1), T=INT32)
    segments = new.expand(new.range(rows), 1, INT32)
    belongs = new.add("Equal", ids, segments, T=INT32)
    mask = belongs
    for _ in range(rest):
        mask = new.expand(mask, -1, DType("bool"))
    neutral = new.constant(_neutral(match.reduction, dtype, is_unsorted=is_unsorted), str(dtype))
    chosen = new.add("SelectV2", mask, data, neutral, T=dtype)
    attrs: dict[str, Attr] = {"Tidx": INT32, "keep_dims": False}
    reduced = new.add(match.reduction, chosen, new.constant([1]), T=dtype, **attrs)
    if is_unsorted:  # it begins with the neutral number, also where it is not among the values
        op = "Mul" if match.reduction == "Prod" else f"{match.reduction}imum"
        new.replace(op, reduced, neutral, T=dtype)
        return
    if match.reduction != "Prod":
        found = new.add("Any", belongs, new.constant([1]), **attrs)
        for _ in range(rest):
            found = new.expand(found, -1, DType("bool"))
        reduced = new.add("SelectV2", found, reduced, new.constant(0, str(dtype)), T=dtype)
    size = new.add("Pack", count, *sizes, axis=0, N=rest + 1, T=INT32)
    new.replace("Slice", reduced, new.constant([0] * (rest + 1)), size, T=dtype, Index=INT32)


def _neutral(reduction: str, dtype: DType, *, is_unsorted: bool) -> float:
    if reduction == "Prod":
        return 1
    if dtype == "float32" and not is_unsorted:
        return -math.inf if reduction == "Max" else math.inf
    limits = np.finfo(np.float32) if dtype == "float32" else np.iinfo(np.int32)
    return float(limits.min if reduction == "Max" else limits.max)


#: SparseSegmentSum and SparseSegmentMean are TF.js's own.
_SPARSE = ["SqrtN", *(f"{kind}WithNumSegments" for kind in ("Mean", "SqrtN", "Sum"))]
_OPS = [f"UnsortedSegment{kind}" for kind in _REDUCTIONS] + [f"Segment{kind}" for kind in (*_REDUCTIONS, "Mean")]
_OPS += [f"SparseSegment{kind}" for kind in _SPARSE]

PASS = Rewrite(__name__, frozenset(_OPS), _match, _apply)
