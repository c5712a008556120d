"""Remove ops that hand their input on unchanged.

Given:   y = Identity(x)        also StopGradient, PreventGradient, Snapshot, CheckNumerics, EnsureShape
Result:  consumers of y use x

Refuses: y is a public output and x can't take its place: TF.js finds an output by the name of its node, so each
output needs a computed node of its own, with the output at port 0.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import node_of, port_of
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    source = node.inputs[0]
    if not graph.is_output(node.name):
        return _Match(node)
    if graph.producer(source).op in {"Placeholder", "Const"}:
        return Miss("an output that is an input or a constant needs a node of its own")
    if port_of(source) or graph.is_output(node_of(source)):
        return Miss("the tensor behind it shares its node with another output")
    if sum(node_of(ref) == node.name for ref in graph.outputs.values()) > 1:
        return Miss("two outputs share the tensor")
    return _Match(node)


def _apply(graph: Graph, match: _Match) -> None:
    graph.replace_uses(match.node.ref(), match.node.inputs[0])


PASS = Rewrite(
    __name__,
    frozenset({"Identity", "StopGradient", "PreventGradient", "Snapshot", "CheckNumerics", "EnsureShape"}),
    _match,
    _apply,
)
