"""Copy what TensorScatterUpdate updates: TF.js's cpu writes into its operand.

Given:   y = TensorScatterUpdate(x, indices, updates)
Result:  y = TensorScatterUpdate(Mul(x, 1), indices, updates)       LogicalOr(x, False) of booleans

Whoever reads x, the next run of a constant x, and a tensor of the caller would see the update. In a loop TF.js computes
what depends on invariants alone in the first round only, so there the one comes from the indices: 0 · Rank(i) + 1.
Source: tfjs-backend-cpu ``src/kernels/TensorScatterUpdate.ts``, 4.22.
"""

from __future__ import annotations

from tfjs_magic.graph.conditions import writes_into_operand
from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.passes.lowering import BOOL, INT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite


def _match(graph: Graph, node: Node) -> Node | None:
    return node if writes_into_operand(graph, node) else None


def _apply(graph: Graph, node: Node) -> None:
    new, dtype = Lowering(graph, node), node.attrs.get("T")
    assert isinstance(dtype, DType)
    one = new.constant(1)
    if any(other.op == "Enter" for other in graph):
        rank = new.add("Rank", node.inputs[1], T=INT32)
        one = new.add("AddV2", new.add("Mul", rank, new.constant(0), T=INT32), one, T=INT32)
    if dtype == BOOL:
        copy = new.add("LogicalOr", node.inputs[0], new.add("Less", one, new.constant(1), T=INT32))
    else:
        factor = one if dtype == INT32 else new.add("Cast", one, SrcT=INT32, DstT=dtype)
        copy = new.add("Mul", node.inputs[0], factor, T=dtype)
    graph.set_inputs(node, [copy, *node.inputs[1:]])


PASS = Rewrite(__name__, frozenset({"TensorScatterUpdate"}), _match, _apply)
