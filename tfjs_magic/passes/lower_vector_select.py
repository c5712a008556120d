"""Lower Select with a vector as its condition: TF.js broadcasts it along the last axis, not the first.

Given:   y = Select(c, a, b)                      c (N,), a scalar, or of the shape of a and b, (N, …)
Result:  y = SelectV2(Reshape(c, (N, 1 …)), a, b)

Where a rank is unknown, as in a loop, the browser counts how many axes c lacks.

Source: TensorFlow ``core/ops/math_ops.cc``, ``Select``.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.conditions import has_vector_condition
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import BOOL, INT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    rank: int | None


def _match(graph: Graph, node: Node) -> _Match | None:
    if not has_vector_condition(graph, node):
        return None
    condition, rows = (graph.shape(ref) for ref in node.inputs[:2])
    return _Match(node, None if condition is None or rows is None else len(rows))


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    condition, first, second = node.inputs
    if match.rank is None:
        # In a loop TF.js computes what depends on invariants alone in the first round only.
        varying = second if graph.producer(first).op in {"Enter", "Const"} else first
        shape = _computed_shape(new, condition, varying)
    else:
        shape = new.constant([-1] + [1] * (match.rank - 1))
    condition = new.add("Reshape", condition, shape, T=BOOL, Tshape=INT32)
    new.replace("SelectV2", condition, first, second, T=node.attrs["T"])


def _computed_shape(new: Lowering, condition: Ref, data: Ref) -> Ref:
    """Return the condition's shape, and ones for the axes that it lacks."""
    sides, wanted = (new.add("Shape", ref, out_type=INT32) for ref in (condition, data))
    lacking = new.add("Sub", *(new.add("Size", ref, out_type=INT32) for ref in (wanted, sides)), T=INT32)
    count = new.add("Reshape", lacking, new.constant([1]), T=INT32, Tshape=INT32)
    ones = new.add("Fill", count, new.constant(1), T=INT32, index_type=INT32)
    return new.add("ConcatV2", sides, ones, new.constant(0), T=INT32, Tidx=INT32, N=2)


PASS = Rewrite(__name__, frozenset({"Select"}), _match, _apply)
