"""Lower a cumulative op from the end to one from the beginning: webgpu computes it for the first length only.

Given:   y = Cumsum(x, axis), or Cumprod          reverse=True
Result:  y = ReverseV2(Cumsum(ReverseV2(x, axis), axis), axis)

Source: tfjs-backend-webgpu ``src/cum_webgpu.ts``, 4.22: the length is in the shader, but not in its key.
"""

from __future__ import annotations

from tfjs_magic.graph.conditions import accumulates_backwards
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite


def _match(graph: Graph, node: Node) -> Node | None:
    return node if accumulates_backwards(graph, node) else None


def _apply(graph: Graph, node: Node) -> None:
    new, (data, axis) = Lowering(graph, node), node.inputs
    axes = new.reshape(axis, [1], INT32) if graph.constant(axis) is None else new.constant([graph.constant(axis)])
    attrs = {"T": node.attrs["T"], "Tidx": INT32}
    turned = new.add("ReverseV2", data, axes, **attrs)
    if (shape := graph.shape(data)) is not None:
        graph.set_shape(turned, shape)
    summed = new.add(node.op, turned, axis, **{**node.attrs, "reverse": False})
    if shape is not None:
        graph.set_shape(summed, shape)
    new.replace("ReverseV2", summed, axes, **attrs)


PASS = Rewrite(__name__, frozenset({"Cumprod", "Cumsum"}), _match, _apply)
