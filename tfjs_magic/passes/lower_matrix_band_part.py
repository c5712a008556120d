"""Lower MatrixBandPart, whose upper bound TF.js reads from the wrong input: causal attention would see the future.

Given:   y = MatrixBandPart(x, lower, upper)      x (…, M, N)
Result:  y = SelectV2(band, x, 0)                 band (M, N) constant: -lower ≤ column - row ≤ upper
         y = LogicalAnd(x, band)                  for bool

A negative bound keeps that whole triangle. Where M or N is unknown, the band is compared in the browser.

Refuses: a bound is computed; the rank is unknown.
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


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    lower: int
    upper: int


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    lower, upper = (graph.constant(ref) for ref in node.inputs[1:3])
    if lower is None or upper is None:
        return Miss("a bound of the band is computed")
    if graph.shape(node.inputs[0]) is None:
        return Miss("the rank is unknown")
    return _Match(node, int(lower), int(upper))


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    x, dtype = node.inputs[0], node.attrs["T"]
    assert isinstance(dtype, DType)
    rows, columns = (graph.shape(x) or ())[-2:]
    if rows is not None and columns is not None:
        band = new.constant(_band(np.arange(columns) - np.arange(rows)[:, None], match), "bool")
    else:
        band = _computed_band(new, x, match)
    if dtype == "bool":
        new.replace("LogicalAnd", x, band)
    else:
        new.replace("SelectV2", band, x, new.constant(0, str(dtype)), T=dtype)


def _band(offsets: Array, match: _Match) -> Array:
    band = np.ones(offsets.shape, np.bool_)
    if match.lower >= 0:
        band &= offsets >= -match.lower
    if match.upper >= 0:
        band &= offsets <= match.upper
    return band


def _computed_band(new: Lowering, x: Ref, match: _Match) -> Ref:
    """Compare column - row with the bounds."""
    rows, columns = (new.range(new.size(x, axis)) for axis in (-2, -1))
    offsets = new.add("Sub", columns, new.expand(rows, 1, INT32), T=INT32)
    least = new.constant(-match.lower if match.lower >= 0 else np.iinfo(np.int32).min)
    most = new.constant(match.upper if match.upper >= 0 else np.iinfo(np.int32).max)
    above = new.add("GreaterEqual", offsets, least, T=INT32)
    return new.add("LogicalAnd", above, new.add("LessEqual", offsets, most, T=INT32))


PASS = Rewrite(__name__, frozenset({"MatrixBandPart"}), _match, _apply)
