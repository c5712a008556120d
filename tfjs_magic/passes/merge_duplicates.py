"""Merge nodes that compute the same from the same: the rounds of an unrolled loop share what does not vary.

Given:   a = Op(x, y), b = Op(x, y)        same attributes, no control inputs, a pure op
Result:  b's consumers use a

Constants count as the same if they share their memory, or are equal integers, booleans or single numbers: two weights
that happen to be equal keep their names. What SelectV2 chooses from is no weight: there all equal ones do. So a masked
recurrent net chooses its output and its state, which are the same, once in each step. A public output keeps its node.
"""

from __future__ import annotations

from collections.abc import Hashable

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import NodeName, Ref, ref_of
from tfjs_magic.passes.rewrite import GraphPass

#: Ops that give something else each time, or mean a place in the control flow.
_IMPURE = tuple(
    "Placeholder Random Stateless Multinomial Truncated Enter Exit Switch _SwitchN Merge NextIteration LoopCond "
    "TensorList TensorArray EmptyTensorList HashTable LookupTable While If NoOp Assert Print Variable VarHandle".split()
)
_LARGEST_COMPARED_BYTES = 1024
_LARGEST_CHOSEN_BYTES = 2**16


def _run(graph: Graph) -> int:
    graph.sort()
    first: dict[Hashable, NodeName] = {}
    merged = 0
    for node in graph:
        key = _key(graph, node)
        if key is None:
            continue
        known = first.setdefault(key, node.name)
        if known != node.name and not graph.is_output(node.name):
            if any(node.name in user.controls for user in graph.consumers(node.name)):
                continue
            for port in graph.used_ports(node.name):
                graph.replace_uses(node.ref(port), ref_of(known, port))
            graph.remove(node.name)
            merged += 1
    return merged


def _key(graph: Graph, node: Node) -> Hashable | None:
    if node.op == "Const":
        return _constant_key(node)
    if node.controls or not node.inputs or node.op.startswith(_IMPURE):
        return None
    inputs = [_value(graph, ref) for ref in node.inputs] if node.op == "SelectV2" else node.inputs
    return node.op, tuple(inputs), tuple(sorted(node.attrs.items(), key=lambda item: item[0]))


def _value(graph: Graph, ref: Ref) -> Hashable:
    value = graph.constant(ref)
    if value is None or value.dtype == object or value.nbytes > _LARGEST_CHOSEN_BYTES:
        return ref
    return value.dtype.str, value.shape, value.tobytes()


def _constant_key(node: Node) -> Hashable | None:
    value = node.value
    assert value is not None
    kind = (value.dtype.str, value.shape)
    if value.dtype == object:
        return None
    if value.nbytes <= _LARGEST_COMPARED_BYTES and (value.dtype.kind in "iub" or value.ndim == 0):
        return *kind, value.tobytes()
    return *kind, value.strides, value.__array_interface__["data"][0] if value.nbytes else node.name


PASS = GraphPass(__name__, _run)
