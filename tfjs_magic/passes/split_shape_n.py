"""Split a ShapeN, whose results TF.js makes float32, into a Shape for each.

Given:   a, b = ShapeN(x, y)
Result:  a = Shape(x), b = Shape(y)
"""

from __future__ import annotations

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite


def _match(_: Graph, node: Node) -> Node:
    return node


def _apply(graph: Graph, node: Node) -> None:
    new, dtype = Lowering(graph, node), node.attrs.get("out_type", INT32)
    for port, ref in enumerate(node.inputs):
        shape = new.add("Shape", ref, T=node.attrs["T"], out_type=dtype)
        graph.set_shape(shape, graph.shape(node.ref(port)))
        graph.replace_uses(node.ref(port), shape)


PASS = Rewrite(__name__, frozenset({"ShapeN"}), _match, _apply)
