"""Give a vector as many axes as what it meets: webgpu has no shader for a vector and more than four axes.

Given:   y = BiasAdd(x, b), AddV2, Mul, Less …    x of five axes or more; b (C,)
Result:  y = AddV2(x, b')                         b' (1, 1, 1, 1, C): a new constant, or a Reshape

Source: tfjs-backend-webgpu ``src/binary_op_webgpu.ts``, 4.22, ``useSharedMemoryWithB``.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.conditions import is_channels_first, meets_vector
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import BOOL, Lowering
from tfjs_magic.passes.rewrite import Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    """Which operand is the vector, and the shape that it gets."""

    node: Node
    place: int
    shape: list[int]


def _match(graph: Graph, node: Node) -> _Match | None:
    if not meets_vector(graph, node) or is_channels_first(graph, node):
        return None
    ranks = [len(graph.shape(ref) or ()) for ref in node.inputs]
    place = ranks.index(1)
    return _Match(node, place, [1] * (max(ranks) - 1) + [-1])


def _apply(graph: Graph, match: _Match) -> None:
    node, new, inputs = match.node, Lowering(graph, match.node), list(match.node.inputs)
    ref = inputs[match.place]
    dtype = node.attrs.get("T", BOOL)  # LogicalAnd and LogicalOr have none
    value = graph.constant(ref)
    if value is None:
        inputs[match.place] = new.reshape(ref, match.shape, dtype)
    else:
        inputs[match.place] = graph.add_constant(ref, value.reshape(match.shape))
    graph.set_shape(inputs[match.place], (*match.shape[:-1], (graph.shape(ref) or (None,))[0]))
    attrs = {key: value for key, value in node.attrs.items() if key != "data_format"}
    new.replace("AddV2" if node.op == "BiasAdd" else node.op, *inputs, **attrs)


PASS = Rewrite(
    __name__,
    frozenset(
        "Add AddV2 Atan2 BiasAdd Div Equal FloorDiv FloorMod Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr "
        "Maximum Minimum Mul NotEqual Pow RealDiv SquaredDifference Sub".split()
    ),
    _match,
    _apply,
)
