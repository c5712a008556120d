"""Remove ops that hand their input on unchanged.

Given:   y = Identity(x)        also StopGradient, PreventGradient, Snapshot, CheckNumerics, EnsureShape, and ReverseV2
                               along no axis, which webgl takes for all of a vector
Result:  consumers of y use x

Where y is a public output and x can't take its place, y becomes an Identity: TF.js finds an output by the name of its
node, so each output needs a computed node of its own, with the output at port 0.

Refuses: that, of what is an Identity already.
"""

from __future__ import annotations

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import node_of, port_of
from tfjs_magic.passes.rewrite import Miss, Rewrite


def _match(graph: Graph, node: Node) -> Node | Miss | None:
    if node.op == "ReverseV2" and ((axes := graph.constant(node.inputs[1])) is None or axes.size):
        return None
    kept = _kept(graph, node)
    return node if kept is None or node.op != "Identity" else kept


def _kept(graph: Graph, node: Node) -> Miss | None:
    """Say why a node cannot go."""
    source = node.inputs[0]
    if not graph.is_output(node.name):
        return None
    if graph.producer(source).op in {"Placeholder", "Const"}:
        return Miss("an output that is an input or a constant needs a node of its own")
    if port_of(source) or graph.is_output(node_of(source)):
        return Miss("the tensor behind it shares its node with another output")
    if sum(node_of(ref) == node.name for ref in graph.outputs.values()) > 1:
        return Miss("two outputs share the tensor")
    return None


def _apply(graph: Graph, node: Node) -> None:
    if _kept(graph, node) is None:
        graph.replace_uses(node.ref(), node.inputs[0])
    else:
        attrs = {"T": node.attrs["T"]}
        graph.replace_node(node.name, Node(node.name, "Identity", node.inputs[:1], attrs, controls=node.controls))


_OPS = frozenset("Identity StopGradient PreventGradient Snapshot CheckNumerics EnsureShape ReverseV2".split())

PASS = Rewrite(__name__, _OPS, _match, _apply)
