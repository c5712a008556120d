"""Multiply rows by a matrix without a batch: with one, wasm takes 13 times as long, and has no bias to fuse.

Given:   y = BatchMatMulV2(x, W)                    x (…, K) of three axes or more, W (K, M) constant
Result:  y = Reshape(MatMul(Reshape(x), W))         through (-1, K) and (-1, M)

Refuses: more than one size is unknown; an operand is transposed.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.artifacts import Dims
from tfjs_magic.graph.conditions import takes_floats
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    made: Dims


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    weights, made = graph.constant(node.inputs[1]), graph.shape(node.ref())
    if weights is None or weights.ndim != 2 or not takes_floats(graph, node) or made is None or len(made) < 3:
        return None
    if node.attrs.get("adj_x", False) or node.attrs.get("adj_y", False):
        return Miss("an operand is transposed")
    return Miss("more than one size is unknown") if made.count(None) > 1 else _Match(node, made)


def _apply(graph: Graph, match: _Match) -> None:
    new, (data, weights) = Lowering(graph, match.node), match.node.inputs
    depth = (graph.shape(weights) or ())[0]
    rows = new.reshape(data, [-1, int(depth or 0)], FLOAT32)
    product = new.add("MatMul", rows, weights, T=FLOAT32, transpose_a=False, transpose_b=False)
    sizes = new.constant([-1 if size is None else size for size in match.made])
    new.replace("Reshape", product, sizes, T=FLOAT32, Tshape=INT32)


PASS = Rewrite(__name__, frozenset({"BatchMatMul", "BatchMatMulV2"}), _match, _apply)
