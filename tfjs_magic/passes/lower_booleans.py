"""Lower what wasm does wrongly with booleans, since each is one byte there, and webgpu.

Given:   y = Cast(x)                              to bool
Result:  y = NotEqual(x, 0)                       wasm cuts to a byte: 0.5 and 256 would be False
Given:   y = SelectV2(c, a, b)                    a and b bool
Result:  y = LogicalOr(LogicalAnd(c, a), LogicalAnd(LogicalNot(c), b))
         wasm would read four bytes for each, past the end
Given:   y = Where(x)                             x numbers
Result:  y = Where(NotEqual(x, 0))                TF.js casts them, as above
Given:   y = ReverseV2(x, axis)                   x bool, as every masked Bidirectional layer of Keras has it
Result:  y = NotEqual(ReverseV2(SelectV2(x, 1, 0), axis), 0)      reversed as int32, for the same reason
Given:   y = Transpose(x, perm)                   x bool, of more than two axes
Result:  y = NotEqual(Transpose(SelectV2(x, 1, 0), perm), 0)      webgpu has no shader for anything but floats

A Select whose condition is a vector becomes a SelectV2 before (``lower_vector_select``).
"""

from __future__ import annotations

from tfjs_magic.graph.conditions import casts_to_booleans, has_vector_condition, permutes_no_floats, takes_booleans
from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.passes.lowering import BOOL, FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite

_NUMBERS = frozenset({"float16", "float32", "float64", "int8", "int32", "int64", "uint8"})

_AS_NUMBERS = {"ReverseV2": INT32, "Transpose": FLOAT32}


def _match(graph: Graph, node: Node) -> Node | None:
    if node.op == "Cast":
        return node if casts_to_booleans(graph, node) and node.attrs["SrcT"] in _NUMBERS else None
    if node.op == "Where":
        return node if node.attrs.get("T") in _NUMBERS else None
    if node.op == "Transpose":
        return node if takes_booleans(graph, node) and permutes_no_floats(graph, node) else None
    becomes_another = node.op == "Select" and has_vector_condition(graph, node)
    return node if takes_booleans(graph, node) and not becomes_another else None


def _apply(graph: Graph, node: Node) -> None:
    new = Lowering(graph, node)
    if node.op == "Cast":
        source = node.attrs["SrcT"]
        assert isinstance(source, DType)
        new.replace("NotEqual", *node.inputs, new.constant(0, source), T=source)
    elif node.op == "Where":
        (data,), dtype = node.inputs, node.attrs["T"]
        assert isinstance(dtype, DType)
        new.replace("Where", new.add("NotEqual", data, new.constant(0, dtype), T=dtype), T=BOOL)
    elif node.op in _AS_NUMBERS:
        dtype, (data, order) = _AS_NUMBERS[node.op], node.inputs
        # A cast keeps the bits on webgpu, a choice makes floats.
        one, zero = new.constant(1, dtype), new.constant(0, dtype)
        numbers = new.add("SelectV2", data, one, zero, T=dtype)
        graph.set_shape(numbers, graph.shape(data))
        turned = new.add(node.op, numbers, order, **{**node.attrs, "T": dtype})
        new.replace("NotEqual", turned, zero, T=dtype)
    else:
        condition, first, second = node.inputs
        chosen = new.add("LogicalAnd", condition, first)
        new.replace("LogicalOr", chosen, new.add("LogicalAnd", new.add("LogicalNot", condition), second))


PASS = Rewrite(__name__, frozenset({"Cast", "ReverseV2", "Select", "SelectV2", "Transpose", "Where"}), _match, _apply)
