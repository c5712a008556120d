"""Merge reshapes that follow each other, and drop one that changes nothing.

Given:   y = Reshape(Reshape(x))        also ExpandDims and Squeeze
Result:  y = Reshape(x), or x where that has the shape of y

Refuses: more than one size of y is unknown; y has no values, where -1 would mean any size; the sizes alone say in which
branch of a condition, or in which loop, it stands.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.artifacts import Dims
from tfjs_magic.graph.branches import leaves_branch
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import VIEWS
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    data: Ref
    shape: Dims


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    inner = graph.producer(node.inputs[0])
    is_second = inner.op in VIEWS
    data = inner.inputs[0] if is_second else node.inputs[0]
    made = graph.shape(node.ref())
    if not is_second and graph.shape(data) != made:
        return None
    if made is None or made.count(None) > 1:
        return Miss("more than one size is unknown") if is_second else None
    if any(leaves_branch(graph, view) for view in ((node, inner) if is_second else (node,))):
        return Miss("its sizes alone say in which branch it stands")
    return Miss("it has no values") if 0 in made else _Match(node, data, made)


def _apply(graph: Graph, match: _Match) -> None:
    new, dtype = Lowering(graph, match.node), match.node.attrs["T"]
    if graph.shape(match.data) == match.shape:
        new.replace("Identity", match.data, T=dtype)
    else:
        sizes = new.constant([-1 if size is None else size for size in match.shape])
        new.replace("Reshape", match.data, sizes, T=dtype, Tshape=INT32)


PASS = Rewrite(__name__, VIEWS, _match, _apply)
