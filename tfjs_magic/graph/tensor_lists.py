"""Who reads and who changes a list of tensors: TensorFlow copies lists, TF.js changes them in place.

Source: tfjs-converter ``src/executor/tensor_list.ts``, 4.22.
"""

from __future__ import annotations

from tfjs_magic.graph.ir import Graph, Node, node_of, port_of

READS = frozenset(
    {"TensorListGetItem", "TensorListStack", "TensorListGather", "TensorListLength", "TensorListConcatV2"}
)
CHANGES = frozenset(
    {
        *("TensorListSetItem", "TensorListPushBack", "TensorListPopBack", "TensorListResize"),
        "TensorListScatterIntoExistingList",
    }
)
#: Ops that hand a list on → how many of their inputs may be it.
_HANDS_ON = {"Identity": 1, "Enter": 1, "Exit": 1, "NextIteration": 1, "Switch": 1, "Merge": 2}
#: Predicates of which only one holds: ``passes/lower_switch_n.py`` makes them.
_ONE_OF_MANY = frozenset({"Equal", "LogicalOr"})


def unordered_readers(graph: Graph, change: Node) -> list[Node]:
    """Return what reads the list that a node changes, and might do so too late."""
    before = _ancestors(graph, change)
    return [node for node in _users(graph, change.inputs[0]) if node.op in READS and node.name not in before]


def is_shared(graph: Graph, change: Node) -> bool:
    """Whether somebody else may see what a node does to its list: who ought to see the list as it was."""
    before = _ancestors(graph, change)
    seen: set[str] = set()
    todo = [(change, change.inputs[0])]
    while todo:
        user, ref = todo.pop()
        for other in _users(graph, ref):
            if other is user or other.name in before or _exclude(graph, user, other):
                continue
            if other.op in READS or other.op in CHANGES or other.op in _HANDS_ON:
                return True
        source = graph[ref]
        if source.op in _HANDS_ON and source.op != "NextIteration" and source.name not in seen:
            seen.add(source.name)
            todo += [(source, given) for given in source.inputs[: _HANDS_ON[source.op]]]
    return False


def reserved_length(graph: Graph, ref: str) -> str | None:
    """Return the size that a list was made with, as a tensor ref of the same loop, if nothing changes that size."""
    makers: set[tuple[str, int]] = set()
    seen: set[str] = set()
    todo = [(ref, 0)]
    while todo:
        ref, depth = todo.pop()
        node = graph[ref]
        if node.name in seen:
            continue
        seen.add(node.name)
        if node.op == "TensorListReserve":
            makers.add((node.inputs[1], depth))
        elif node.op == "TensorListSetItem" and not node.attrs.get("resize_if_index_out_of_bounds", False):
            todo.append((node.inputs[0], depth))
        elif node.op in _HANDS_ON:
            inner = depth + (node.op == "Exit") - (node.op == "Enter")
            todo += [(given, inner) for given in node.inputs[: _HANDS_ON[node.op]]]
        else:
            return None
    return next((size for size, depth in makers if depth == 0), None) if len(makers) == 1 else None


def _users(graph: Graph, ref: str) -> list[Node]:
    """Return the nodes that take the ref as a list."""
    return [node for node in graph.consumers(node_of(ref)) if ref in node.inputs[: _HANDS_ON.get(node.op, 1)]]


def _ancestors(graph: Graph, node: Node) -> set[str]:
    """Return what ran before a node in the same round: what it computes with."""
    found: set[str] = set()
    stack = list(node.inputs)
    while stack:
        source = graph[stack.pop()]
        if source.name not in found:
            found.add(source.name)
            stack += [] if source.op == "NextIteration" else source.inputs
    return found


def _exclude(graph: Graph, one: Node, other: Node) -> bool:
    """Whether only one of two Switches hands the list on."""
    if one.op != "Switch" or other.op != "Switch":
        return False
    ports, others = _used_ports(graph, one), _used_ports(graph, other)
    if one.inputs[1] == other.inputs[1]:
        return not ports & others
    return ports == others == {1} and all(graph[node.inputs[1]].op in _ONE_OF_MANY for node in (one, other))


def _used_ports(graph: Graph, node: Node) -> set[int]:
    refs = [ref for user in graph.consumers(node.name) for ref in user.inputs]
    return {port_of(ref) for ref in refs if node_of(ref) == node.name}
