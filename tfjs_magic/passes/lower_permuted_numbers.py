"""Make floats of what webgpu permutes: it has no shader that permutes more than two axes of anything else.

Given:   y = Sum(Cast(n), axes)               n integers or booleans; also other reductions but along the last axes
Result:  y = Sum(Mul(Cast(n), 1), axes)       a cast keeps the bits, a product does not
Given:   y = Max(n, axes)                     n integers
Result:  y = Cast(Max(Mul(Cast(n), 1), axes))
Given:   y = Any(x, axes), All(x, axes)       x bool
Result:  y = NotEqual(Max(SelectV2(x, 1, 0), axes), 0), or Min

Refuses: float32 may not hold the integers.
Source: tfjs-backend-webgpu ``src/transpose_webgpu.ts``, ``src/kernel_utils/reduce.ts``, 4.22.
"""

from __future__ import annotations

import math

from tfjs_magic.graph.conditions import permutes_no_floats, takes_floats
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.value_ranges import EXACT, largest
from tfjs_magic.passes.lowering import FLOAT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_OF_BOOLEANS = {"All": "Min", "Any": "Max"}
#: They add up.
_SUMS = frozenset({"Cumsum", "Sum"})
_PLACES = frozenset({"ArgMax", "ArgMin"})


def _match(graph: Graph, node: Node) -> Node | Miss | None:
    if not permutes_no_floats(graph, node):
        return None
    is_number = node.op not in _OF_BOOLEANS and not takes_floats(graph, node)
    if is_number and not _terms(graph, node) * largest(graph, node.inputs[0]) <= EXACT:
        return Miss("float32 may not hold its integers")
    return node


def _terms(graph: Graph, node: Node) -> float:
    """Return how many values at most one value of the result is the sum of."""
    if node.op in {"Cumprod", "Mean", "Prod"}:
        return math.inf
    shape = graph.shape(node.inputs[0])
    if node.op not in _SUMS:
        return 1
    return math.inf if shape is None or None in shape else math.prod(side or 0 for side in shape)


def _apply(graph: Graph, node: Node) -> None:
    new, (data, *rest) = Lowering(graph, node), node.inputs
    dtype, attrs = node.attrs.get("T", FLOAT32), {**node.attrs, "T": FLOAT32}
    if node.op in _OF_BOOLEANS:
        zero = new.constant(0, "float32")
        numbers = new.add("SelectV2", data, new.constant(1, "float32"), zero, T=FLOAT32)
        new.replace("NotEqual", new.add(_OF_BOOLEANS[node.op], numbers, *rest, **attrs), zero, T=FLOAT32)
        return
    if dtype != FLOAT32:
        data = new.add("Cast", data, SrcT=dtype, DstT=FLOAT32)
    floats = new.add("Mul", data, new.constant(1, "float32"), T=FLOAT32)
    if dtype == FLOAT32:
        graph.set_inputs(node, [floats, *rest])
    elif node.op in _PLACES:
        new.replace(node.op, floats, *rest, **attrs)
    else:
        made = new.add(node.op, floats, *rest, **attrs)
        graph.set_shape(made, graph.shape(node.ref()))
        new.replace("Cast", made, SrcT=FLOAT32, DstT=dtype)


ANCHORS = frozenset(
    {*_OF_BOOLEANS, *_SUMS, *_PLACES, "BatchToSpaceND", "Cumprod", "Max", "Mean", "Min", "Prod", "Transpose"}
)
PASS = Rewrite(__name__, ANCHORS, _match, _apply)
