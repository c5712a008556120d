"""Give a reduction one neutral value more, where it may find none: TF.js's results of nothing are no results.

Given:   y = Sum(x, axes), Prod, Max, Min, All, Any      a reduced axis has no values, or as many as the values decide
Result:  y = Sum(PadV2(x, one, neutral), axes)           0, 1, -∞, ∞, true, false
Given:   y = Min(x, axes)                                integers; of a Max, -2³¹ is neutral
Result:  y = Sub(-1, Max(PadV2(Sub(-1, x), one, -2³¹)))
Given:   y = Mean(x, axes)                               floats
Result:  y = RealDiv(Sum(x'), Sum(ones'))                NaN where there is no value

On wasm a reduction of nothing gives what the memory held; on cpu All gives false, Max and Min NaN, Mean 0.

Refuses: the axes are computed; the rank is unknown; a mean of integers; the largest or smallest of 64-bit integers.
Source: TensorFlow ``core/kernels/reduction_ops_common.h``: a reduction of nothing is its initial value.
"""

from __future__ import annotations

import dataclasses
import math

from tfjs_magic.graph.conditions import may_reduce_nothing, reduced_axes
from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_NEUTRAL = {"All": True, "Any": False, "Max": -math.inf, "Mean": 0, "Min": math.inf, "Prod": 1, "Sum": 0}
_FLOATS = frozenset({"float16", "float32", "float64"})
_DTYPES = {"Max": _FLOATS | {"int32"}, "Mean": _FLOATS, "Min": _FLOATS | {"int32"}}


@dataclasses.dataclass(frozen=True)
class _Match:
    """``axes`` are those that are padded: each of them may be empty."""

    node: Node
    dtype: DType
    rank: int
    axes: list[int]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not may_reduce_nothing(graph, node):
        return None
    shape, axes = graph.shape(node.inputs[0]), reduced_axes(graph, node)
    dtype = DType("bool") if node.op in {"All", "Any"} else node.attrs["T"]
    assert isinstance(dtype, DType)
    if shape is None or axes is None:
        return Miss("its axes are computed, or the rank is unknown")
    if dtype not in _DTYPES.get(node.op, {*_FLOATS, "bool", "int32", "int64"}):
        return Miss(f"it may reduce no value, of {dtype!s}")
    return _Match(node, dtype, len(shape), [axis for axis in axes if shape[axis] in {0, None}])


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    x, axes = node.inputs
    if node.op == "Min" and match.dtype == "int32":  # wasm pads with numbers of float32, which has no 2³¹ - 1
        ones = new.constant(-1)
        inverted = _padded(graph, new, match, new.add("Sub", ones, x, T=INT32), -(2**31))
        new.replace("Sub", ones, new.add("Max", inverted, axes, **node.attrs), T=INT32)
        return
    padded = _padded(graph, new, match, x, _neutral(match))
    if node.op != "Mean":
        new.replace(node.op, padded, axes, **node.attrs)
        return
    total = new.add("Sum", padded, axes, **node.attrs)
    ones = _padded(graph, new, match, new.add("OnesLike", x, T=match.dtype), 0)
    new.replace("RealDiv", total, new.add("Sum", ones, axes, **node.attrs), T=match.dtype)


def _padded(graph: Graph, new: Lowering, match: _Match, ref: Ref, neutral: float) -> Ref:
    sides = [[0, int(axis in match.axes)] for axis in range(match.rank)]
    value = new.constant(neutral, str(match.dtype))
    padded = new.add("PadV2", ref, new.constant(sides), value, T=match.dtype, Tpaddings=INT32)
    shape = graph.shape(match.node.inputs[0]) or ()
    graph.set_shape(padded, tuple(1 if n == 0 and i in match.axes else n for i, n in enumerate(shape)))
    return padded


def _neutral(match: _Match) -> float:
    return -(2**31) if match.node.op == "Max" and match.dtype == "int32" else _NEUTRAL[match.node.op]


PASS = Rewrite(__name__, frozenset(_NEUTRAL), _match, _apply)
