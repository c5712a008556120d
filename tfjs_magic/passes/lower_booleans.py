"""Lower what wasm does wrongly with booleans: each is one byte there.

Given:   y = Cast(x)                              to bool
Result:  y = NotEqual(x, 0)                       wasm cuts to a byte: 0.5 and 256 would be False
Given:   y = SelectV2(c, a, b)                    a and b bool
Result:  y = LogicalOr(LogicalAnd(c, a), LogicalAnd(LogicalNot(c), b))
         wasm would read four bytes for each, past the end
Given:   y = ReverseV2(x, axis)                   x bool, as every masked Bidirectional layer of Keras has it
Result:  y = NotEqual(ReverseV2(Cast(x), axis), 0)      reversed as int32, for the same reason

A Select whose condition is a vector becomes a SelectV2 before (``lower_vector_select``).
"""

from __future__ import annotations

from tfjs_magic.graph.conditions import casts_to_booleans, has_vector_condition, takes_booleans
from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.passes.lowering import BOOL, INT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite

_NUMBERS = frozenset({"float16", "float32", "float64", "int8", "int32", "int64", "uint8"})


def _match(graph: Graph, node: Node) -> Node | None:
    if node.op == "Cast":
        return node if casts_to_booleans(graph, node) and node.attrs["SrcT"] in _NUMBERS else None
    becomes_another = node.op == "Select" and has_vector_condition(graph, node)
    return node if takes_booleans(graph, node) and not becomes_another else None


def _apply(graph: Graph, node: Node) -> None:
    new = Lowering(graph, node)
    if node.op == "Cast":
        source = node.attrs["SrcT"]
        assert isinstance(source, DType)
        new.replace("NotEqual", *node.inputs, new.constant(0, source), T=source)
    elif node.op == "ReverseV2":
        numbers = new.add("Cast", node.inputs[0], SrcT=BOOL, DstT=INT32)
        turned = new.add("ReverseV2", numbers, node.inputs[1], **{**node.attrs, "T": INT32})
        new.replace("NotEqual", turned, new.constant(0), T=INT32)
    else:
        condition, first, second = node.inputs
        chosen = new.add("LogicalAnd", condition, first)
        new.replace("LogicalOr", chosen, new.add("LogicalAnd", new.add("LogicalNot", condition), second))


PASS = Rewrite(__name__, frozenset({"Cast", "ReverseV2", "Select", "SelectV2"}), _match, _apply)
