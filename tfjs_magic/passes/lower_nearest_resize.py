"""Lower the nearest resize of integers to gathers: wasm gives them back as float32.

Given:   y = ResizeNearestNeighbor(x, size)              x (N, H, W, C) integers
Result:  y = GatherV2(GatherV2(x, rows, 1), columns, 2)  rows = ResizeNearestNeighbor(0, 1 … H - 1), a column of floats

Source: TensorFlow ``core/ops/image_ops.cc``, ``ResizeNearestNeighbor``.
"""

from __future__ import annotations

from tfjs_magic.graph.conditions import takes_integers
from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


def _match(graph: Graph, node: Node) -> Node | Miss | None:
    if not takes_integers(graph, node):
        return None
    return Miss("the rank is unknown") if graph.shape(node.inputs[0]) is None else node


def _apply(graph: Graph, node: Node) -> None:
    new, (data, size) = Lowering(graph, node), node.inputs
    attrs: dict[str, Attr] = {"Tparams": node.attrs["T"], "Tindices": INT32, "Taxis": INT32}
    rows = _places(graph, new, node, size, 1)
    columns = _places(graph, new, node, size, 2)
    data = new.add("GatherV2", data, rows, new.constant(1), **attrs)
    new.replace("GatherV2", data, columns, new.constant(2), **attrs)


def _places(graph: Graph, new: Lowering, node: Node, size: Ref, axis: int) -> Ref:
    """Return which place along an axis each new one shows: a resize of their numbers, which floats hold."""
    numbers = new.add("Cast", new.range(new.size(node.inputs[0], axis)), SrcT=INT32, DstT=FLOAT32)
    column = new.reshape(numbers, [1, -1, 1, 1], FLOAT32)
    if (known := graph.constant(size)) is not None:
        sides = new.constant([int(known[axis - 1]), 1])
    else:
        unit = new.constant([1, 0] if axis == 1 else [0, 1])
        own = new.add(
            "Sum", new.add("Mul", size, unit, T=INT32), new.constant([0]), keep_dims=True, T=INT32, Tidx=INT32
        )
        sides = new.add("ConcatV2", own, new.constant([1]), new.constant(0), N=2, T=INT32, Tidx=INT32)
    resized = new.add("ResizeNearestNeighbor", column, sides, **{**node.attrs, "T": FLOAT32})
    return new.add("Cast", new.reshape(resized, [-1], FLOAT32), SrcT=FLOAT32, DstT=INT32)


PASS = Rewrite(__name__, frozenset({"ResizeNearestNeighbor"}), _match, _apply)
