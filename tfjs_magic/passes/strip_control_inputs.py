"""Strip control inputs: TF.js 4.22 cannot compute an output that waits for a control edge.

Given:   y = Op(x, ^a)                            a is an assertion, a print, a pivot of a branch
Result:  y = Op(x)
         Merge(Const ^pivot, z)  →  Merge(Switch(Const, predicate), z)

A constant that a branch of a condition or the body of a loop hands on is held back by nothing but its control input.
Without it TF.js's Merge would take it whichever branch runs, and its NextIteration and Enter would run outside of their
loop; so it gets a Switch of its own, and so does what tells a new list or a random number which round it is for. What
may not be stripped (a variable that is assigned and read) was refused when the graph was built.

Source: tfjs-converter ``src/executor/graph_executor.ts`` (``processChildNodes``), 4.22.
"""

from __future__ import annotations

from tfjs_magic.graph.branches import GATES, HELD_BACK, is_held_back
from tfjs_magic.graph.dtypes import result_dtype
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import NodeName, Ref, node_of, port_of
from tfjs_magic.passes.rewrite import GraphPass

#: Ops that make something new in every round of a loop → the input that says in which loop they are. TF.js runs what
#: hangs on bare constants once, and a list is changed in place: the rounds would share one.
_MAKERS = {
    "TensorListReserve": 1,
    "EmptyTensorList": 1,
    "TensorListFromTensor": 0,
    "RandomStandardNormal": 0,
    "RandomUniform": 0,
    "RandomUniformInt": 0,
    "TruncatedNormal": 0,
    "Multinomial": 0,
}
#: What lies beyond these belongs to another branch or loop.
_BORDERS = HELD_BACK | {"Merge"}


def _run(graph: Graph) -> int:
    for node in graph:
        if node.op in GATES:
            graph.set_inputs(node, [_held_back(graph, ref) for ref in node.inputs])
        elif node.op in _MAKERS and not is_held_back(graph, node.ref()):
            which = _MAKERS[node.op]
            graph.set_inputs(node, [_held_back(graph, r) if i == which else r for i, r in enumerate(node.inputs)])
    waiting = [node for node in graph if node.controls]
    for node in waiting:
        graph.set_inputs(node, node.inputs, controls=())
    return len(waiting)


def _held_back(graph: Graph, ref: Ref) -> Ref:
    """Return ``ref`` itself if some Switch, Enter or NextIteration decides over it, else a Switch over it."""
    source = graph.producer(ref)
    if is_held_back(graph, ref) or (pivot := _pivot(graph, source)) is None:
        return ref
    switch = graph.producer(pivot)
    attrs = {"T": result_dtype(source.attrs) or switch.attrs["T"]}
    held = graph.add(Node(graph.fresh_name(f"{source.name}/switch"), "Switch", [ref, switch.inputs[1]], attrs))
    return held.ref(port_of(pivot))


def _pivot(graph: Graph, node: Node) -> Ref | None:
    """Find the output of the nearest Switch that ``node`` waits for.

    A Switch that is a control input itself says nothing: the edge has no port. Its branch's pivot stands beside it.
    """
    seen = {node.name}
    level = [node]
    while level:
        above: list[NodeName] = []
        for current in level:
            for ref in current.inputs:
                if graph.producer(ref).op == "Switch":
                    return ref
            above += [*map(node_of, current.inputs), *current.controls]
        level = [graph[name] for name in dict.fromkeys(above) if name not in seen and graph[name].op not in _BORDERS]
        seen.update(above)
    return None


PASS = GraphPass(__name__, _run)
