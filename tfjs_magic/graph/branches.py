"""What decides whether a tensor exists: the Switch of a branch, or the frame of a loop."""

from __future__ import annotations

from collections.abc import Iterable

from tfjs_magic.graph.ir import Graph
from tfjs_magic.graph.refs import NodeName, Ref, closure, node_of

#: Ops whose output exists only in a branch, or in a loop.
HELD_BACK = frozenset({"Switch", "Enter", "NextIteration"})


def is_held_back(graph: Graph, ref: Ref) -> bool:
    """Whether some Switch, Enter or NextIteration decides over a tensor, control inputs aside."""

    def step(name: NodeName) -> Iterable[NodeName]:
        return () if graph[name].op in HELD_BACK else map(node_of, graph[name].inputs)

    return any(graph[name].op in HELD_BACK for name in closure([node_of(ref)], step))
