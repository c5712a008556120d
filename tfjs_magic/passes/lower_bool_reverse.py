"""Reverse booleans as integers: TF.js's wasm kernel reads four bytes for each of them.

Given:   y = ReverseV2(x, axis)                    x bool
Result:  y = Cast(ReverseV2(Cast(x), axis))        reversed as int32

Every masked Bidirectional layer of Keras reverses its mask.
"""

from __future__ import annotations

from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.passes.rewrite import Rewrite

_BOOL, _INT = DType("bool"), DType("int32")


def _match(_: Graph, node: Node) -> Node | None:
    return node if node.attrs.get("T") == _BOOL else None


def _apply(graph: Graph, node: Node) -> None:
    data, axis = node.inputs
    there: dict[str, Attr] = {"SrcT": _BOOL, "DstT": _INT}
    back: dict[str, Attr] = {"SrcT": _INT, "DstT": _BOOL}
    numbers = graph.add(Node(graph.fresh_name(f"{node.name}/numbers"), "Cast", [data], there))
    reverse = Node(
        graph.fresh_name(f"{node.name}/reversed"), "ReverseV2", [numbers.name, axis], {**node.attrs, "T": _INT}
    )
    graph.replace_node(node.name, Node(node.name, "Cast", [graph.add(reverse).name], back, controls=node.controls))


PASS = Rewrite(__name__, frozenset({"ReverseV2"}), _match, _apply)
