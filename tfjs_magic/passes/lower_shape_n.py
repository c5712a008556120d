"""Lower ShapeN, of which TF.js makes float32.

Given:   y = ShapeN(a, b, …)     one output per operand
Result:  y:k = Shape(k-th operand)

Source: tfjs-converter ``src/operations/executors/graph_executor.ts``, ``ShapeN``, 4.22.
"""

from __future__ import annotations

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import Lowering
from tfjs_magic.passes.rewrite import Rewrite


def _match(_: Graph, node: Node) -> Node:
    return node


def _apply(graph: Graph, node: Node) -> None:
    new = Lowering(graph, node)
    for port, operand in enumerate(node.inputs):
        shape = new.add("Shape", operand, T=node.attrs["T"], out_type=node.attrs["out_type"])
        graph.replace_uses(node.ref(port), shape)


PASS = Rewrite(__name__, frozenset({"ShapeN"}), _match, _apply)
