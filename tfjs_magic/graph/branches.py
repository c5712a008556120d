"""What decides whether a tensor exists: the Switch of a branch, or the frame of a loop."""

from __future__ import annotations

from collections.abc import Iterable

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import NodeName, Ref, closure, node_of, port_of

#: Ops whose output exists only in a branch, or in a loop.
HELD_BACK = frozenset({"Switch", "Enter", "NextIteration"})
#: Ops that would take a constant at the wrong time.
GATES = frozenset({"Merge", "NextIteration", "Enter"})
#: Whether their output exists does not follow from all of their inputs.
_ENDS = GATES | {"Exit"}


def is_held_back(graph: Graph, ref: Ref) -> bool:
    """Whether some Switch, Enter or NextIteration decides over a tensor, control inputs aside."""

    def step(name: NodeName) -> Iterable[NodeName]:
        return () if graph[name].op in HELD_BACK else map(node_of, graph[name].inputs)

    return any(graph[name].op in HELD_BACK for name in closure([node_of(ref)], step))


def deciders(graph: Graph, ref: Ref) -> set[tuple[Ref, int]]:
    """Return what decides whether a tensor exists: predicates with their branch, and what makes it in another way.

    Tensors with the same ones exist together. Others may as well, since two Merges count as different.
    """

    def step(ref: Ref) -> Iterable[Ref]:
        node = graph.producer(ref)
        return () if node.op in _ENDS else node.inputs

    found = set()
    for each in closure([ref], step):
        node = graph.producer(each)
        if node.op == "Switch":
            found.add((node.inputs[1], port_of(each)))
        elif node.op in _ENDS:
            found.add((each, 0))
    return found


def may_be_constant(graph: Graph, node: Node) -> bool:
    """Whether all that takes a node's output stays in its branch, or its loop, with a constant in the node's place."""

    def stays(user: Node) -> bool:
        others = [ref for ref in user.inputs if node_of(ref) != node.name]
        return user.op not in GATES and any(is_held_back(graph, ref) for ref in others)

    return not is_held_back(graph, node.ref()) or all(map(stays, graph.consumers(node.name)))


def leaves_branch(graph: Graph, view: Node) -> bool:
    """Whether a view would leave its branch, or its loop, if its sizes were constant."""
    data, *sizes = view.inputs
    return any(is_held_back(graph, ref) for ref in sizes) and not is_held_back(graph, data)
