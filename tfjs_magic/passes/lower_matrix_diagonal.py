"""Lower the ops on one diagonal of matrices, which TF.js lacks.

Given:   y = MatrixDiag(d, k), Diag(d)            d (…, N); Diag: (N,)
Result:  y = SelectV2(band, d'[…, None, :], p)    band: column - row = k; p the padding value, else 0
         d' (…, N + |k|): padded in front where k > 0, else behind
Given:   y = MatrixDiagPart(x, k), DiagPart(x)    x (…, M, N); DiagPart: (N, N)
Result:  y = Sum(SelectV2(band, x', 0), -1)       x' without the first k columns, or -k rows; over -2 if M > N
         y = Prod(SelectV2(band, x', 1), -1)      for float32: a sum has no -0
         y = Any(LogicalAnd(band, x'), -1)        for bool
Given:   y = MatrixSetDiag(x, d, k)
Result:  y = SelectV2(band, d'[…, None], x)       d'[i] = d[i], or d[i + k] where k < 0; what d has not is not chosen

More diagonals than one, and matrices larger than the diagonal needs, are left to ``lower_diagonal_band``.

Refuses: the diagonal is computed; Diag of more than a vector, DiagPart of more than a matrix.
Source: TensorFlow ``core/ops/array_ops.cc``; V2 and V3 have k, num_rows, num_cols and padding_value as inputs.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Dims
from tfjs_magic.graph.conditions import is_band
from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_MAKE = frozenset({"Diag", "MatrixDiag", "MatrixDiagV2", "MatrixDiagV3"})
_TAKE = frozenset({"DiagPart", "MatrixDiagPart", "MatrixDiagPartV2", "MatrixDiagPartV3"})
_SET = frozenset({"MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3"})


@dataclasses.dataclass(frozen=True)
class _Match:
    """``shape`` is that of the first input, ``k`` the diagonal's offset to the right."""

    node: Node
    dtype: DType
    shape: Dims
    k: int


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    shape, dtype = graph.shape(node.inputs[0]), node.attrs["T"]
    assert isinstance(dtype, DType)
    if shape is None:
        return Miss("the rank is unknown")
    if node.op in {"Diag", "DiagPart"}:
        fits = len(shape) == (1 if node.op == "Diag" else 2)
        return _Match(node, dtype, shape, 0) if fits else Miss("it has more axes than a vector's diagonal")
    first = 2 if node.op in _SET else 1
    offsets = graph.constant(node.inputs[first]) if len(node.inputs) > first else np.zeros(1, np.int32)
    if offsets is None:
        return Miss("which diagonal it is, is computed")
    if is_band(graph, node, offsets):
        return None
    return _Match(node, dtype, shape, int(offsets.ravel()[0]))


def _apply(graph: Graph, match: _Match) -> None:
    steps = _make if match.node.op in _MAKE else _take if match.node.op in _TAKE else _set
    steps(Lowering(graph, match.node), match)


def _band(new: Lowering, rows: Ref, columns: Ref, k: int) -> Ref:
    """Return where column - row = k, from the row and column numbers."""
    if k:
        rows = new.add("AddV2", rows, new.constant(k), T=INT32)
    return new.add("Equal", new.expand(rows, 1, INT32), columns, T=INT32)


def _make(new: Lowering, match: _Match) -> None:
    (diagonal, *options), dtype, k = match.node.inputs, match.dtype, match.k
    if k:
        diagonal = _padded(new, match, diagonal, max(k, 0), max(-k, 0))
    columns = new.range(new.size(diagonal, -1))
    padding = options[3] if len(options) > 3 else new.constant(0, str(dtype))
    band = _band(new, columns, columns, k)
    new.replace("SelectV2", band, new.expand(diagonal, -2, dtype), padding, T=dtype)


def _take(new: Lowering, match: _Match) -> None:
    x, dtype, k = match.node.inputs[0], match.dtype, match.k
    rows, columns = match.shape[-2:]
    if k:
        begin = [0] * (len(match.shape) - 2) + [max(-k, 0), max(k, 0)]
        x = new.add("Slice", x, new.constant(begin), new.constant([-1] * len(begin)), T=dtype, Index=INT32)
        rows = None if rows is None else rows - max(-k, 0)
        columns = None if columns is None else columns - max(k, 0)
    band = _band(new, new.range(new.size(x, -2)), new.range(new.size(x, -1)), 0)
    cut = rows is None or columns is None
    axes = new.constant([-2 if not cut and (rows or 0) > (columns or 0) else -1])
    if dtype == "bool":
        op, only = "Any", new.add("LogicalAnd", band, x)
    else:
        op, neutral = ("Prod", 1) if dtype == "float32" else ("Sum", 0)
        only = new.add("SelectV2", band, x, new.constant(neutral, str(dtype)), T=dtype)
    attrs: dict[str, Attr] = {"T": INT32 if dtype in {"int8", "uint8"} else dtype, "Tidx": INT32, "keep_dims": False}
    if not cut or match.node.op == "DiagPart":
        new.replace(op, only, axes, **attrs)
        return
    least = new.add("Minimum", new.size(x, -2), new.size(x, -1), T=INT32)
    everything = [new.constant(-1)] * (len(match.shape) - 2)
    size = new.add("Pack", *everything, least, axis=0, N=len(match.shape) - 1, T=INT32)
    zeros = new.constant([0] * (len(match.shape) - 1))
    new.replace("Slice", new.add(op, only, axes, **attrs), zeros, size, T=dtype, Index=INT32)


def _set(new: Lowering, match: _Match) -> None:
    (x, diagonal), dtype, k = match.node.inputs[:2], match.dtype, match.k
    height, width = match.shape[-2:]
    rows, columns = new.range(new.size(x, -2)), new.range(new.size(x, -1))
    if height is not None and width is not None and 0 <= k <= width - height:  # one value for every row
        new.replace("SelectV2", _band(new, rows, columns, k), new.expand(diagonal, -1, dtype), x, T=dtype)
        return
    last = new.add("Sub", new.size(diagonal, -1), new.constant(1), T=INT32)
    places = new.add("AddV2", rows, new.constant(k), T=INT32) if k < 0 else rows
    places = new.add("Maximum", new.add("Minimum", places, last, T=INT32), new.constant(0), T=INT32)
    axis = new.constant(len(match.shape) - 2)
    spread = new.add("GatherV2", diagonal, places, axis, Tparams=dtype, Tindices=INT32, Taxis=INT32, batch_dims=0)
    new.replace("SelectV2", _band(new, rows, columns, k), new.expand(spread, -1, dtype), x, T=dtype)


def _padded(new: Lowering, match: _Match, ref: Ref, before: int, after: int) -> Ref:
    """Add zeros around the last axis."""
    sides = [[0, 0]] * (len(match.shape) - 1) + [[before, after]]
    return new.add("Pad", ref, new.constant(sides), T=match.dtype, Tpaddings=INT32)


PASS = Rewrite(__name__, _MAKE | _TAKE | _SET, _match, _apply)
