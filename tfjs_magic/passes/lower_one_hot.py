"""Lower OneHot where TF.js is wrong: floats and booleans on wasm, large integers on cpu, any axis but the last one.

Given:   y = OneHot(x, depth, on, off)            axis a; y float32, bool or any
Result:  y = Transpose(SelectV2(h, on, off))      h = Cast(OneHot(x, depth, 1, 0), bool), of int32

The select is a cast where on and off are 1 and 0; without another axis than the last there is no transpose. TF.js
refuses a depth of 1 or 0; what is that, or computed, is compared: h = Equal(x[…, None], 0 … depth - 1), bool already.

Refuses: the axis is not the last one, and the rank of x is unknown.
Source: TensorFlow ``core/ops/array_ops.cc``, ``OneHot``.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.conditions import makes_floats_or_booleans, makes_inner_axis
from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.graph.value_ranges import is_small
from tfjs_magic.passes.lowering import BOOL, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_LEAST_DEPTH = 2


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    dtype: DType
    casts: bool
    compares: bool
    perm: tuple[int, ...] | None


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    dtype, axis = node.attrs["T"], node.attrs.get("axis", -1)
    assert isinstance(dtype, DType)
    assert isinstance(axis, int)
    depth = graph.constant(node.inputs[1])
    compares = depth is None or bool(depth < _LEAST_DEPTH)
    if not (
        compares
        or makes_inner_axis(graph, node)
        or makes_floats_or_booleans(graph, node)
        or not all(is_small(graph, ref) for ref in node.inputs[2:])
    ):
        return None
    shape = graph.shape(node.inputs[0])
    if axis != -1 and shape is None:
        return Miss("the rank is unknown")
    rank = len(shape or ())
    axes = list(range(rank))
    perm = None if axis in {-1, rank} else (*axes[:axis], rank, *axes[axis:])
    on, off = (graph.constant(ref) for ref in node.inputs[2:4])
    return _Match(node, dtype, on is not None and off is not None and on == 1 and off == 0, compares, perm)


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    x, depth, on, off = node.inputs
    indices = node.attrs.get("TI", INT32)
    assert isinstance(indices, DType)
    if not match.compares:
        hot, held = new.add("OneHot", x, depth, new.constant(1), new.constant(0), axis=-1, T=INT32, TI=indices), INT32
    else:
        places = new.range(depth)
        if indices != "int32":
            places = new.add("Cast", places, SrcT=INT32, DstT=indices)
        hot, held = new.add("Equal", new.expand(x, -1, indices), places, T=indices), BOOL
    op, inputs = "Cast", [hot]
    attrs: dict[str, Attr] = {"SrcT": held, "DstT": match.dtype}
    if not match.casts:
        mask = new.add("Cast", hot, SrcT=INT32, DstT=BOOL) if held == INT32 else hot
        op, inputs, attrs = "SelectV2", [mask, on, off], {"T": match.dtype}
    if match.perm is None:
        new.replace(op, *inputs, **attrs)
    else:
        new.replace("Transpose", new.add(op, *inputs, **attrs), new.constant(match.perm), T=match.dtype, Tperm=INT32)


PASS = Rewrite(__name__, frozenset({"OneHot"}), _match, _apply)
