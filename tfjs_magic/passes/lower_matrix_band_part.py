"""Lower MatrixBandPart, whose upper bound TF.js reads from the wrong input: causal attention would see the future.

Given:   y = MatrixBandPart(x, lower, upper)      x (…, M, N)
Result:  y = SelectV2(band, x, 0)                 band (M, N) constant: -lower ≤ column - row ≤ upper
         y = LogicalAnd(x, band)                  for bool
         y = Reshape(band)                        where x is True all over and (1, …, 1, M, N), as in causal attention

A negative bound keeps that whole triangle. Where M or N is unknown, or a bound computed, the band is compared in the
browser.

Refuses: the rank is unknown.
Source: TensorFlow ``core/ops/array_ops.cc``, ``MatrixBandPart``.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

#: From the main diagonal, beyond any matrix.
_FAR = 1 << 30


@dataclasses.dataclass(frozen=True)
class _Match:
    """The bounds are None where they are computed."""

    node: Node
    lower: int | None
    upper: int | None


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if graph.shape(node.inputs[0]) is None:
        return Miss("the rank is unknown")
    bounds = (graph.constant(ref) for ref in node.inputs[1:3])
    return _Match(node, *(None if bound is None else int(bound) for bound in bounds))


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    x, dtype = node.inputs[0], node.attrs["T"]
    assert isinstance(dtype, DType)
    rows, columns = (graph.shape(x) or ())[-2:]
    known = rows is not None and columns is not None and match.lower is not None and match.upper is not None
    band = new.constant(_band(match, rows or 0, columns or 0), "bool") if known else _computed_band(new, match)
    if known and _is_true(graph, x) and set((graph.shape(x) or ())[:-2]) <= {1}:
        new.replace("Reshape", band, new.constant(graph.shape(x)), T=dtype, Tshape=INT32)
    elif dtype == "bool":
        new.replace("LogicalAnd", x, band)
    else:
        new.replace("SelectV2", band, x, new.constant(0, str(dtype)), T=dtype)


def _is_true(graph: Graph, ref: Ref) -> bool:
    node = graph.producer(ref)
    value = graph.constant(node.inputs[1]) if node.op == "Fill" else node.value
    return value is not None and value.dtype == bool and bool(value.all())


def _band(match: _Match, rows: int, columns: int) -> Array:
    offsets = np.arange(columns) - np.arange(rows)[:, None]
    lower, upper = (np.inf if bound is None or bound < 0 else bound for bound in (match.lower, match.upper))
    return (offsets >= -lower) & (offsets <= upper)


def _computed_band(new: Lowering, match: _Match) -> Ref:
    """Compare column - row with the bounds."""
    x, lower, upper = match.node.inputs
    rows, columns = (new.range(new.size(x, axis)) for axis in (-2, -1))
    rows = new.expand(rows, 1, INT32)
    kept = (
        new.add("LessEqual", new.add("Sub", one, other, T=INT32), _most(new, ref, known), T=INT32)
        for one, other, ref, known in ((rows, columns, lower, match.lower), (columns, rows, upper, match.upper))
    )
    return new.add("LogicalAnd", *kept)


def _most(new: Lowering, bound: Ref, known: int | None) -> Ref:
    """Return a bound, or more than any matrix has where it is negative."""
    if known is not None:
        return new.constant(known if known >= 0 else _FAR)
    is_negative = new.add("Less", bound, new.constant(0), T=INT32)
    return new.add("SelectV2", is_negative, new.constant(_FAR), bound, T=INT32)


PASS = Rewrite(__name__, frozenset({"MatrixBandPart"}), _match, _apply)
