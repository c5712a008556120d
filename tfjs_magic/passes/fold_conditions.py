"""Fold conditions that are decided before the model runs, such as whether it trains: the other branch goes.

Given:   y = Merge(f(Switch(x, p):0), g(Switch(x, p):1))      p a constant
Result:  y = f(x) or y = g(x)

What lives is found as TensorFlow finds it: a node whose operands and controls all live, a Merge of which one does.

Source: TensorFlow ``core/ops/control_flow_ops.cc``.
"""

from __future__ import annotations

import numpy as np

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import NodeName, Ref, node_of, port_of
from tfjs_magic.passes.rewrite import GraphPass


def _run(graph: Graph) -> int:
    found = {node.name: _taken(graph, node) for node in graph if node.op == "Switch"}
    decided = {name: taken for name, taken in found.items() if taken is not None}
    if not decided:
        return 0
    alive = _alive(graph, decided)
    merges = [node for node in graph if node.op == "Merge" and node.name in alive]
    folded = 0
    for node in merges:
        living = [place for place, ref in enumerate(node.inputs) if _lives(ref, alive, decided)]
        if len(living) == 1:
            place = living[0]
            if node.ref(1) in _used(graph, node):
                graph.replace_uses(node.ref(1), graph.add_constant(f"{node.name}/index", np.int32(place)))
            graph.replace_uses(node.ref(), node.inputs[place])
            folded += 1
    for name, taken in decided.items():
        switch = graph[name]
        if name in alive and switch.ref(taken) in _used(graph, switch):
            graph.replace_uses(switch.ref(taken), switch.inputs[0])
            folded += 1
    return folded


def _taken(graph: Graph, node: Node) -> int | None:
    """Return the output that a Switch takes always."""
    source = graph.producer(node.inputs[1])
    while source.op == "Identity":
        source = graph.producer(source.inputs[0])
    return None if source.value is None else int(source.value)


def _alive(graph: Graph, decided: dict[NodeName, int]) -> set[NodeName]:
    """Return the nodes that run."""
    alive: set[NodeName] = set()
    while True:
        before = len(alive)
        for node in graph:
            which = any if node.op == "Merge" else all
            operands = which(_lives(ref, alive, decided) for ref in node.inputs)
            if operands and alive.issuperset(node.controls):
                alive.add(node.name)
        if len(alive) == before:
            return alive


def _lives(ref: Ref, alive: set[NodeName], decided: dict[NodeName, int]) -> bool:
    return node_of(ref) in alive and decided.get(node_of(ref), port_of(ref)) == port_of(ref)


def _used(graph: Graph, node: Node) -> set[Ref]:
    """Return which outputs of a node are used."""
    return {node.ref(port) for port in graph.used_ports(node.name)} | set(graph.outputs.values())


PASS = GraphPass(__name__, _run)
