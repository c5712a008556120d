"""Give a vector a second axis before its largest value is looked for: webgpu gives a vector for a scalar.

Given:   y = ArgMax(x, axis), or ArgMin           x (N,)
Result:  y = Reshape(ArgMax(Reshape(x, (1, N)), 1), ())

Source: tfjs-backend-webgpu ``src/argminmax_webgpu.ts``, 4.22, ``outputShape``.
"""

from __future__ import annotations

from tfjs_magic.graph.conditions import takes_vector
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite


def _match(graph: Graph, node: Node) -> Node | None:
    return node if takes_vector(graph, node) else None


def _apply(graph: Graph, node: Node) -> None:
    new = Lowering(graph, node)
    row = new.reshape(node.inputs[0], [1, -1], node.attrs["T"])
    place = new.add(node.op, row, new.constant(1), **{**node.attrs, "Tidx": INT32})
    new.replace("Reshape", place, new.constant([]), T=node.attrs.get("output_type", INT32), Tshape=INT32)


PASS = Rewrite(__name__, frozenset({"ArgMax", "ArgMin"}), _match, _apply)
