"""Write tanh with an exponential, and Mish with a sigmoid: wasm computes tanh and softplus number by number.

Given:   y = Tanh(x)
Result:  y = RealDiv(E, Add(E, 2)) · ClipByValue(-2¹⁰⁰·x, -1, 1)        E = Elu(-2·|x|) = exp(-2·|x|) - 1

Given:   y = Tanh(Softplus(x))
Result:  y = p · RealDiv(Sub(2, p), Add(SquaredDifference(p, 1), 1))    p = Sigmoid(x)

The relative error is 2e-7, as with tanh, also next to 0: where the backend's Elu is accurate there, as wasm's is. Seven
and four ops more, for an eighth of the time for a value: it pays from some 2¹³ values on.

Refuses: there are fewer than 2¹⁵ values, unknown sizes not counted.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.conditions import takes_floats
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FEW_VALUES, FLOAT32, Lowering, has_many_values
from tfjs_magic.passes.rewrite import Miss, Rewrite

#: What makes 1 or more of every number but the smallest, and no infinity of what a network computes.
_STEEP = 2.0**100


@dataclasses.dataclass(frozen=True)
class _Match:
    """``data`` is what goes into the tanh, or into the softplus before it."""

    node: Node
    data: Ref
    is_mish: bool


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not takes_floats(graph, node):
        return None
    if not has_many_values(graph, node.ref()):
        return Miss(FEW_VALUES)
    before = graph.producer(node.inputs[0])
    is_mish = before.op == "Softplus" and graph.only_consumer(before.name) is node
    return _Match(node, (before if is_mish else node).inputs[0], is_mish)


def _apply(graph: Graph, match: _Match) -> None:
    new = Lowering(graph, match.node)

    def add(op: str, *operands: Ref | float) -> Ref:
        refs = (operand if isinstance(operand, str) else new.constant(operand, "float32") for operand in operands)
        return new.add(op, *refs, T=FLOAT32)

    if match.is_mish:
        p = add("Sigmoid", match.data)
        factors = p, add("RealDiv", add("Sub", 2.0, p), add("AddV2", add("SquaredDifference", p, 1.0), 1.0))
    else:
        e = add("Elu", add("Mul", add("Abs", match.data), -2.0))
        sign = add("ClipByValue", add("Mul", match.data, -_STEEP), -1.0, 1.0)
        factors = add("RealDiv", e, add("AddV2", e, 2.0)), sign
    new.replace("Mul", *factors, T=FLOAT32)


PASS = Rewrite(__name__, frozenset({"Tanh"}), _match, _apply, targets=("wasm",))
