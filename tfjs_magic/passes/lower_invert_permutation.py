"""Lower InvertPermutation, which TF.js lacks, to a scatter.

Given:   y = InvertPermutation(x)                     x (N,)
Result:  y = ScatterNd(x[:, None], (0 … N - 1), (N,))
"""

from __future__ import annotations

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite


def _match(_: Graph, node: Node) -> Node:
    return node


def _apply(graph: Graph, node: Node) -> None:
    new, (x,) = Lowering(graph, node), node.inputs
    size = new.size(x, 0)
    shape = new.add("Reshape", size, new.constant([1]), T=INT32, Tshape=INT32)
    new.replace("ScatterNd", new.expand(x, 1, INT32), new.range(size), shape, T=INT32, Tindices=INT32)


PASS = Rewrite(__name__, frozenset({"InvertPermutation"}), _match, _apply)
