"""Who reads and who changes a list of tensors: TensorFlow copies lists, TF.js changes them in place.

Source: tfjs-converter ``src/executor/tensor_list.ts``, 4.22.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import NodeName, Ref, closure, node_of

READS = frozenset("TensorListGetItem TensorListStack TensorListGather TensorListLength TensorListConcatV2".split())
CHANGES = frozenset(
    "TensorListSetItem TensorListPushBack TensorListPopBack TensorListResize TensorListScatterIntoExistingList".split()
)
#: Ops that hand a list on → how many of their inputs may be it.
_HANDS_ON = {"Identity": 1, "Enter": 1, "Exit": 1, "NextIteration": 1, "Switch": 1, "Merge": 2}


def unordered_readers(graph: Graph, change: Node) -> list[Node]:
    """Return what reads the list that a node changes, and might do so too late."""
    before = _ancestors(graph, change)
    return [node for node in _users(graph, change.inputs[0]) if node.op in READS and node.name not in before]


def is_shared(graph: Graph, change: Node) -> bool:
    """Whether something else may use the list that a node changes, and would see the change."""
    before = _ancestors(graph, change)

    def step(use: tuple[Node, Ref]) -> list[tuple[Node, Ref]]:
        source = graph.producer(use[1])
        return [] if source.op == "NextIteration" else [(source, given) for given in _handed_on(source)]

    return any(
        other.op in READS or other.op in CHANGES or other.op in _HANDS_ON
        for user, ref in closure([(change, change.inputs[0])], step)
        for other in _users(graph, ref)
        if other is not user and other.name not in before and not _exclude(graph, user, other)
    )


def users_of_list(graph: Graph, made: Node) -> list[Node] | None:
    """Return all that uses a new list, changed or not; None where a loop or a branch does."""
    found: list[Node] = []
    for node in _users(graph, made.ref()):
        later = users_of_list(graph, node) if node.op in CHANGES or node.op == "Identity" else []
        if later is None or (node.op in _HANDS_ON and node.op != "Identity"):
            return None
        found += [node, *later]
    return found


def item_shape(graph: Graph, reserve: Node, users: list[Node]) -> tuple[int, ...] | None:
    """Return the shape of a list's items where it is fully known: the list's own, or that of what is set."""
    own = graph.constant(reserve.inputs[0])
    known: list[Sequence[int | None] | None] = [None if own is None or own.ndim == 0 else own.tolist()]
    known += [graph.shape(node.inputs[2]) for node in users if node.op == "TensorListSetItem"]
    whole = (shape for shape in known if shape is not None and all(side is not None and side >= 0 for side in shape))
    shape = next(whole, None)
    return None if shape is None else tuple(side or 0 for side in shape)


def reserved_length(graph: Graph, ref: Ref) -> Ref | None:
    """Return the size that a list was made with, as a tensor ref of the same loop, if nothing changes that size."""

    def step(place: tuple[Ref, int]) -> list[tuple[Ref, int]]:
        node, depth = graph.producer(place[0]), place[1]
        if node.op == "TensorListSetItem" and not node.attrs.get("resize_if_index_out_of_bounds", False):
            return [(node.inputs[0], depth)]
        depth += (node.op == "Exit") - (node.op == "Enter")
        return [(given, depth) for given in _handed_on(node)]

    makers = {(graph.producer(ref), depth) for ref, depth in closure([(ref, 0)], step) if not step((ref, depth))}
    if any(node.op != "TensorListReserve" for node, _ in makers):
        return None
    sizes = {(node.inputs[1], depth) for node, depth in makers}
    return next((size for size, depth in sizes if depth == 0), None) if len(sizes) == 1 else None


def _handed_on(node: Node) -> list[Ref]:
    """Return the inputs that a node may hand on as its list."""
    return node.inputs[: _HANDS_ON.get(node.op, 0)]


def _users(graph: Graph, ref: Ref) -> list[Node]:
    """Return the nodes that take the ref as a list."""
    return [node for node in graph.consumers(node_of(ref)) if ref in node.inputs[: _HANDS_ON.get(node.op, 1)]]


def _ancestors(graph: Graph, node: Node) -> set[NodeName]:
    """Return what ran before a node in the same round: what it computes with."""

    def step(name: NodeName) -> Iterable[NodeName]:
        return () if graph[name].op == "NextIteration" else map(node_of, graph[name].inputs)

    return closure(map(node_of, node.inputs), step)


def _exclude(graph: Graph, one: Node, other: Node) -> bool:
    """Whether only one of two Switches hands the list on."""
    if one.op != "Switch" or other.op != "Switch":
        return False
    ports, others = graph.used_ports(one.name), graph.used_ports(other.name)
    if one.inputs[1] == other.inputs[1]:
        return not ports & others
    first, second = (_choice(graph, graph.producer(node.inputs[1])) for node in (one, other))
    return ports == others == {1} and first is not None and second is not None and first.excludes(second)


@dataclasses.dataclass(frozen=True)
class _Choice:
    """That an index is in ``values``, or that it is ``outside`` of them; ``passes/lower_switch_n.py`` writes both."""

    index: Ref
    values: range
    outside: bool

    def excludes(self, other: _Choice) -> bool:
        """Whether the two cannot both hold."""
        if self.index != other.index or (self.outside and other.outside):
            return False
        if self.outside or other.outside:
            return set(self.values) >= set(other.values) if self.outside else set(self.values) <= set(other.values)
        return set(self.values).isdisjoint(other.values)


def _choice(graph: Graph, predicate: Node) -> _Choice | None:
    if predicate.op == "Equal" and (value := graph.constant(predicate.inputs[1])) is not None and value.ndim == 0:
        return _Choice(predicate.inputs[0], range(int(value), int(value) + 1), outside=False)
    if predicate.op != "LogicalOr":
        return None
    low, high = map(graph.producer, predicate.inputs)
    if (low.op, high.op) != ("Less", "GreaterEqual") or low.inputs[0] != high.inputs[0]:
        return None
    ends = [graph.constant(node.inputs[1]) for node in (low, high)]
    if any(end is None or end.ndim for end in ends):
        return None
    return _Choice(low.inputs[0], range(*(int(end) for end in ends if end is not None)), outside=True)
