"""Let kernels that know floats alone compute integers, where float32 holds every one of them.

Given:   y = MatMul(a, b)                         a, b integers; also BatchMatMul, Conv2D, MaxPool, StridedSlice
Result:  y = Cast(MatMul(Cast(a), Cast(b)))       to float32, and back to int32
Given:   y = BatchMatMulV3(a, b)                  8-bit integers to int32: TF.js has no such op
Result:  y = Cast(BatchMatMulV2(Cast(a), Cast(b)))

Refuses: a value or a sum may be beyond 2²⁴.
"""

from __future__ import annotations

import dataclasses
import math

from tfjs_magic.graph.conditions import steps_over_integers, takes_integers
from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.graph.value_ranges import EXACT, is_small, largest
from tfjs_magic.passes.lowering import BOOL, FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

#: Op type → its op on floats.
_PRODUCTS = {
    "BatchMatMul": "BatchMatMul",
    "BatchMatMulV2": "BatchMatMulV2",
    "BatchMatMulV3": "BatchMatMulV2",
    "Conv2D": "Conv2D",
    "MatMul": "MatMul",
}


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    dtypes: list[DType]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    dtypes = [node.attrs.get(key, node.attrs.get("T")) for key in ("Ta", "Tb")][: 2 if node.op in _PRODUCTS else 1]
    needs = steps_over_integers if node.op == "StridedSlice" else takes_integers
    if node.op == "BatchMatMulV3":
        if {*dtypes, node.attrs["Tout"]} - {"int8", "uint8", INT32}:
            return None
    elif not needs(graph, node):
        return None
    if not _is_exact(graph, node):
        return Miss("float32 may not hold its integers")
    return _Match(node, [dtype for dtype in dtypes if isinstance(dtype, DType)])


def _is_exact(graph: Graph, node: Node) -> bool:
    if node.op not in _PRODUCTS:
        return node.attrs["T"] == BOOL or is_small(graph, node.inputs[0])
    return _terms(graph, node) * math.prod(largest(graph, ref) for ref in node.inputs[:2]) <= EXACT


def _terms(graph: Graph, node: Node) -> float:
    """Return how many products are added up."""
    shape = graph.shape(node.inputs[1])
    if shape is None or len(shape) < 2:
        return math.inf
    turned = node.attrs.get("transpose_b", False) or node.attrs.get("adj_y", False)
    added = shape[:-1] if node.op == "Conv2D" else (shape[-1 if turned else -2],)
    return math.inf if None in added else math.prod(side or 0 for side in added)


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    count = len(match.dtypes)
    floats = [
        new.add("Cast", ref, SrcT=dtype, DstT=FLOAT32)
        for ref, dtype in zip(node.inputs[:count], match.dtypes, strict=True)
    ]
    attrs = {key: value for key, value in node.attrs.items() if key not in {"Ta", "Tb", "Tout"}}
    made = new.add(_PRODUCTS.get(node.op, node.op), *floats, *node.inputs[count:], **{**attrs, "T": FLOAT32})
    graph.set_shape(made, graph.shape(node.ref()))
    new.replace("Cast", made, SrcT=FLOAT32, DstT=BOOL if match.dtypes[0] == BOOL else INT32)


PASS = Rewrite(__name__, frozenset({*_PRODUCTS, "MaxPool", "StridedSlice"}), _match, _apply)
