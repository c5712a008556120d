"""Lower an update of a slice, which TF.js lacks, to a choice between what was there and what comes there.

Given:   y = XlaDynamicUpdateSlice(x, u, start)      x (n, …), u (m, …) of one rank; start per axis, may be computed
Result:  y = SelectV2(inside, GatherV2(u, places'), x)
         places = 0 … n - 1 less start, which is moved so that u fits; inside = 0 ≤ places < m; places' within u
         along each axis that u does not fill

Refuses: the rank is unknown.
Source: TensorFlow ``compiler/tf2xla/ops/xla_ops.cc``, from ``keras.ops.slice_update``; XLA moves a start out of bounds.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.artifacts import Dims
from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    dtype: DType
    shape: Dims
    update: Dims


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    shape, update = (graph.shape(ref) for ref in node.inputs[:2])
    dtype = node.attrs["T"]
    assert isinstance(dtype, DType)
    if shape is None or update is None:
        return Miss("the rank is unknown")
    return _Match(node, dtype, shape, update)


def _apply(graph: Graph, match: _Match) -> None:
    node, dtype, new = match.node, match.dtype, Lowering(graph, match.node)
    x, taken, start = node.inputs
    if 0 in match.update:
        new.replace("Identity", x, T=dtype)
        return
    if node.attrs["Tindices"] != "int32":
        start = new.add("Cast", start, SrcT=node.attrs["Tindices"], DstT=INT32)
    inside: Ref | None = None
    for axis, (size, given) in enumerate(zip(match.shape, match.update, strict=True)):
        if size is not None and size == given:
            continue
        places, within = _places(new, x, node.inputs[1], start, axis)
        attrs: dict[str, Attr] = {"Tparams": dtype, "Tindices": INT32, "Taxis": INT32, "batch_dims": 0}
        taken = new.add("GatherV2", taken, places, new.constant(axis), **attrs)
        along = new.reshape(within, [-1 if one == axis else 1 for one in range(len(match.shape))], DType("bool"))
        inside = along if inside is None else new.add("LogicalAnd", inside, along)
    if inside is None:
        new.replace("Identity", taken, T=dtype)
    else:
        new.replace("SelectV2", inside, taken, x, T=dtype)


def _places(new: Lowering, x: Ref, update: Ref, start: Ref, axis: int) -> tuple[Ref, Ref]:
    """Return where along an axis the values come from, and where they come from the update at all: vectors."""
    size, given, zero = new.size(x, axis), new.size(update, axis), new.constant(0)
    one = new.add("GatherV2", start, new.constant(axis), zero, Tparams=INT32, Tindices=INT32, Taxis=INT32, batch_dims=0)
    most = new.add("Sub", size, given, T=INT32)
    first = new.add("Maximum", new.add("Minimum", one, most, T=INT32), zero, T=INT32)
    places = new.add("Sub", new.range(size), first, T=INT32)
    after = new.add("GreaterEqual", places, zero, T=INT32)
    within = new.add("LogicalAnd", after, new.add("Less", places, given, T=INT32))
    last = new.add("Sub", given, new.constant(1), T=INT32)
    return new.add("Maximum", new.add("Minimum", places, last, T=INT32), zero, T=INT32), within


PASS = Rewrite(__name__, frozenset({"XlaDynamicUpdateSlice"}), _match, _apply)
