"""Take zeros that are there already, rather than zeros like a tensor that is computed for its sizes alone.

Given:   z = Fill(sizes, 0); y = ZerosLike(x)      the sizes of x are those of z
Result:  y = z

Keras runs a step of a masked recurrent net once more, to know what zeros to put out, and with a free batch it stays for
that. Without it, output and state of every step are made of the same, which ``merge_duplicates`` finds.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.axis_origins import axis_origin
from tfjs_magic.graph.branches import deciders
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref, closure, node_of
from tfjs_magic.passes.rewrite import Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    zeros: Ref


def _match(graph: Graph, node: Node) -> _Match | None:
    fills = [other for other in graph if other.op == "Fill" and other.attrs["T"] == node.attrs["T"]]
    for fill in fills:
        value = graph.constant(fill.inputs[1])
        if value is None or value.ndim or value.tobytes().strip(b"\0") or not _same_sizes(graph, node, fill):
            continue
        before = closure([fill.name], lambda name: map(node_of, graph[name].inputs))
        if node.name not in before and deciders(graph, fill.ref()) == deciders(graph, node.ref()):
            return _Match(node, fill.ref())
    return None


def _same_sizes(graph: Graph, node: Node, fill: Node) -> bool:
    shape = graph.shape(node.ref())
    if shape is None or shape != graph.shape(fill.ref()):
        return False
    origins = [
        (axis_origin(graph, node.inputs[0], axis), axis_origin(graph, fill.ref(), axis))
        for axis, size in enumerate(shape)
        if size is None
    ]
    return all(one is not None and one == other for one, other in origins)


def _apply(graph: Graph, match: _Match) -> None:
    graph.replace_uses(match.node.ref(), match.zeros)


PASS = Rewrite(__name__, frozenset({"ZerosLike"}), _match, _apply)
