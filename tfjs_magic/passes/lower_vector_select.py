"""Lower Select with a vector as its condition: TF.js broadcasts it along the last axis, not the first.

Given:   y = Select(c, a, b)                      c (N,); a, b (N, …)
Result:  y = SelectV2(Reshape(c, (N, 1 …)), a, b)

Refuses: the rank of c or a is unknown.
Source: TensorFlow ``core/ops/math_ops.cc``, ``Select``.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import BOOL, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    rank: int


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    condition, rows = (graph.shape(ref) for ref in node.inputs[:2])
    if condition is None or (rows is None and len(condition) == 1):
        return Miss("the rank is unknown")
    if len(condition) != 1 or rows is None or len(rows) < 2:
        return None
    return _Match(node, len(rows))


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    shape = new.constant([-1] + [1] * (match.rank - 1))
    condition = new.add("Reshape", node.inputs[0], shape, T=BOOL, Tshape=INT32)
    new.replace("SelectV2", condition, *node.inputs[1:], T=node.attrs["T"])


LOWER_VECTOR_SELECT = Rewrite("lower_vector_select", frozenset({"Select"}), _match, _apply)
