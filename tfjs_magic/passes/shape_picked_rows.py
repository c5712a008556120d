"""Reshape what is picked from a tensor that the values of others may leave empty: wasm gives it four axes.

Given:   y = GatherV2(x, indices, axis)               as many values of x as the values of tensors decide
Result:  y = Reshape(GatherV2(x, indices, axis), shape(y))

Refuses: the axis is computed; there are batch axes; more than one size of y is unknown.
Source: tfjs-backend-wasm ``src/kernels/GatherV2.ts``, 4.22, which returns before its own reshape.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.counts import is_counted
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    shape: list[int]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not is_counted(graph, node.inputs[0]) or _is_shaped(graph, node):
        return None
    table, indices = (graph.shape(ref) for ref in node.inputs[:2])
    axis = graph.constant(node.inputs[2])
    if axis is None or table is None or indices is None or node.attrs.get("batch_dims"):
        return Miss("the axis is computed, there are batch axes, or a rank is unknown")
    place = int(axis) % len(table)
    sizes = [*table[:place], *indices, *table[place + 1 :]]
    if sizes.count(None) != 1 or 0 in sizes:
        return Miss("other than one size of the result is unknown")
    return _Match(node, [-1 if size is None else size for size in sizes])


def _is_shaped(graph: Graph, node: Node) -> bool:
    """Whether whatever reads it begins with another shape."""
    return not graph.is_output(node.name) and all(user.op == "Reshape" for user in graph.consumers(node.name))


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    picked = new.add(node.op, *node.inputs, **node.attrs)
    new.replace("Reshape", picked, new.constant(match.shape), T=node.attrs["Tparams"], Tshape=INT32)


PASS = Rewrite(__name__, frozenset({"GatherV2"}), _match, _apply)
