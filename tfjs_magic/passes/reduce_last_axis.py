"""Reduce integers and booleans along the last axis: webgpu has no shader that turns more than two axes of them.

Given:   y = Sum(x, axis), or Any, ArgMax, Cumsum …      x (P, n, Q), also floats that were cast; axis not the last one
Result:  y = Transpose(Sum(x', 2))                       x' (Q, P, n): turned as the matrix (P·n, Q), exactly

With nothing before the axis, the matrix (n, Q) is reduced along its first axis as it is.

Refuses: the axis or the rank is unknown; the axes are no neighbours; too many sizes are unknown; there is no value.
Source: tfjs-backend-webgpu ``src/kernels/Transpose_impl.ts``, 4.22.
"""

from __future__ import annotations

import dataclasses
import math

from tfjs_magic.artifacts import Dims
from tfjs_magic.graph.conditions import reduced_axes, reduces_turned_integers
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import BOOL, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_CUMULATIVE = frozenset({"Cumprod", "Cumsum"})
_BOOLEAN = frozenset({"All", "Any"})
#: Their axis is a number, not a vector.
_ONE_AXIS = _CUMULATIVE | {"ArgMax", "ArgMin"}


@dataclasses.dataclass(frozen=True)
class _Match:
    """``given`` is the shape of the data, which is reduced from axis ``start`` up to, but without, ``end``."""

    node: Node
    given: Dims
    start: int
    end: int


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not reduces_turned_integers(graph, node):
        return None
    given, axes = graph.shape(node.inputs[0]), reduced_axes(graph, node)
    if given is None or axes is None:
        return Miss("the axis or the rank is unknown")
    start, end = min(axes), max(axes) + 1
    if len(set(axes)) != end - start:
        return Miss("the axes are no neighbours")
    if 0 in given:
        return Miss("there is no value")
    if any(None in part and len(part) > 1 for part in (given[start:end], given[end:])):
        return Miss("too many sizes are unknown")
    return _Match(node, given, start, end)


def _apply(graph: Graph, match: _Match) -> None:
    node, given, start, end = match.node, match.given, match.start, match.end
    new, data = Lowering(graph, node), node.inputs[0]
    dtype = BOOL if node.op in _BOOLEAN else node.attrs["T"]
    made = INT32 if node.op in _ONE_AXIS - _CUMULATIVE else dtype
    matrix = [-1, _size(new, match, end, len(given))]
    if all(size == 1 for size in given[:start]):
        turned, axis = new.reshape(data, matrix, dtype), 0
    else:
        columns = new.add("Transpose", new.reshape(data, matrix, dtype), new.constant([1, 0]), T=dtype, Tperm=INT32)
        turned, axis = new.reshape(columns, [*matrix[::-1], _size(new, match, start, end)], dtype), 2
    axes = new.constant(axis if node.op in _ONE_AXIS else [axis])
    attrs = {**node.attrs, "Tidx": INT32, **({"keep_dims": False} if "keep_dims" in node.attrs else {})}
    result = new.add(node.op, turned, axes, **attrs)
    if axis and node.op in _CUMULATIVE:
        result = new.reshape(result, matrix[::-1], made)
    if axis:
        result = new.add("Transpose", result, new.constant([1, 0]), T=made, Tperm=INT32)
    new.replace("Reshape", result, new.dims(_made(new, match)), T=made, Tshape=INT32)


def _size(new: Lowering, match: _Match, start: int, end: int) -> int | Ref:
    """Return how many values there are along some axes: a number, or the size of the one that is unknown."""
    part = [size for size in match.given[start:end] if size is not None]
    return new.size(match.node.inputs[0], start) if len(part) < end - start else math.prod(part)


def _made(new: Lowering, match: _Match) -> list[int | Ref]:
    """Return the shape of the result."""
    node, sizes = match.node, list[int | Ref]()
    for axis, size in enumerate(match.given):
        gone = match.start <= axis < match.end and node.op not in _CUMULATIVE
        if not gone:
            known = size is not None or None not in match.given[:axis]
            sizes.append((-1 if size is None else size) if known else new.size(node.inputs[0], axis))
        elif node.attrs.get("keep_dims", False) is True:
            sizes.append(1)
    return sizes


PASS = Rewrite(
    __name__,
    frozenset({*_BOOLEAN, *_ONE_AXIS, "Max", "Mean", "Min", "Prod", "Sum"}),
    _match,
    _apply,
)
