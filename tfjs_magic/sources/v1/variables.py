"""Variables of TensorFlow 1 in a ``GraphDef``: which are written, and their values as reads of handles."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import tensorflow as tf

from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.graph.resources import FORWARDS, READS, Handle, make_handle
from tfjs_magic.naming import first_free
from tfjs_magic.sources.v1.nodes import closure, data_inputs

_REF_VARIABLES = frozenset({"VariableV2", "Variable"})
_VARIABLES = _REF_VARIABLES | {"VarHandleOp"}
#: Ops that hand a reference or a resource on; on values they do the same under the name without "Ref".
_REF_FORWARDING = frozenset({"RefIdentity", "RefEnter", "RefExit", "RefSwitch", "RefMerge", "RefNextIteration"})
_FORWARDING = _REF_FORWARDING | FORWARDS
#: Calls whose bodies are looked at once they are inlined.
CALLS = frozenset({"StatefulPartitionedCall", "PartitionedCall", "While", "If", "Case"})
CALLS |= {"StatelessWhile", "StatelessIf", "StatelessCase"}

#: Ops that write the reference that they take, and hand it on.
_WRITES = re.compile(r"Assign|Scatter(Nd)?(Add|Sub|Mul|Div|Min|Max|Update)|(Sparse)?Apply|CountUpTo|StridedSliceAssign")

_CONTROL_FLOW = frozenset({"Enter", "Exit", "Switch", "Merge", "NextIteration", "LoopCond"})
_RESOURCE = tf.resource.as_datatype_enum

#: Name of a variable's node → its value; raises where there is none.
Values = Callable[[str], Array]


def written_variables(nodes: Mapping[str, Any], names: Iterable[str]) -> set[str]:
    """Return the variables that one of the named nodes writes."""
    return {
        variable
        for name in names
        if _WRITES.match(nodes[name].op) or _is_resource_write(nodes, nodes[name])
        for ref in _written_inputs(nodes[name])
        if (variable := variable_behind(nodes, ref)) is not None
    }


def variable_behind(nodes: Mapping[str, Any], name: str) -> str | None:
    """Follow a reference or a resource back to its variable; None where it comes from none, or is a mere value."""
    seen: set[str] = set()
    while name in nodes and name not in seen:
        seen.add(name)
        node = nodes[name]
        if node.op in _VARIABLES:
            return name
        if not (node.op in _FORWARDING or _WRITES.match(node.op)) or not node.input:
            return None
        name = next(data_inputs(node))
        if node.op not in _REF_FORWARDING and not _WRITES.match(node.op) and nodes[name].op in _REF_VARIABLES:
            return None  # Identity and the like read a reference
    return None


def _written_inputs(node: Any) -> list[str]:
    refs = list(data_inputs(node))
    return refs if "Apply" in node.op or node.op in CALLS else refs[:1]


def _is_resource_write(nodes: Mapping[str, Any], node: Any) -> bool:
    if node.op in READS | _FORWARDING:
        return False
    found = (variable_behind(nodes, ref) for ref in data_inputs(node))
    return any(name is not None and nodes[name].op == "VarHandleOp" for name in found)


def telling_branches(nodes: Mapping[str, Any]) -> set[str]:
    """Return the nodes behind a Switch or a Merge that come from no write."""
    consumers: dict[str, list[str]] = {}
    for node in nodes.values():
        for name in data_inputs(node):
            consumers.setdefault(name, []).append(node.name)

    def behind(found: Callable[[str], Any]) -> set[str]:
        return closure(nodes, [n.name for n in nodes.values() if found(n.op)], lambda n: consumers.get(n.name, ()))

    return behind(lambda op: op in {"Switch", "RefSwitch", "Merge", "RefMerge"}) - behind(_WRITES.match)


def bind_variables(graph_def: Any, values: Values) -> dict[str, Handle]:
    """Put the read of a handle where a variable is; the variable's own name stays free for its weight."""
    handles: dict[str, Handle] = {}
    renamed: dict[str, str] = {}
    taken = {node.name for node in graph_def.node}

    def fresh(base: str) -> str:
        taken.add(name := first_free(base, taken))
        return name

    for node in list(graph_def.node):
        if node.op in _REF_FORWARDING:
            node.op = node.op.removeprefix("Ref")
        if node.op not in _VARIABLES:
            continue
        name, array = node.name, values(node.name)
        handle, handle_name = node, fresh(f"{name}/handle")
        if node.op in _REF_VARIABLES:
            node.Clear()
            node.name, node.op = fresh(f"{name}/value"), "ReadVariableOp"
            node.attr["dtype"].type = tf.as_dtype(array.dtype).as_datatype_enum
            node.input.append(handle_name)
            handle = graph_def.node.add()
        make_handle(handle, handle_name, array)
        handles[handle.name] = Handle(name, array)
        renamed[name] = node.name
    for node in graph_def.node:
        for i, ref in enumerate(node.input):
            node.input[i] = renamed.get(ref.removesuffix(":0"), ref)
    while _read_inside_loop(graph_def, handles, fresh):  # once per depth of nested loops
        pass
    return handles


def _read_inside_loop(graph_def: Any, handles: dict[str, Handle], fresh: Callable[[str], str]) -> bool:
    """Let a weight enter a loop as a handle that is read there, as later TensorFlow writes it.

    Given:   y = Enter(w, is_constant=True)
    Result:  y = ReadVariableOp(Enter(handle of w, is_constant=True))

    What a loop computes from entered constants alone is then a constant, too, and folds; TF.js would compute it in the
    first iteration only.
    """
    nodes = {node.name: node for node in graph_def.node}
    changed = False
    for node in list(graph_def.node):
        if node.op != "Enter" or not node.attr["is_constant"].b or node.attr["T"].type == _RESOURCE:
            continue
        source = nodes[next(data_inputs(node))]
        while source.op == "Identity":
            source = nodes[next(data_inputs(source))]
        if source.op == "ReadVariableOp":
            resource = source.input[0]
        elif source.op == "Const" and source.attr["dtype"].type != tf.string.as_datatype_enum:
            resource = next((name for name, handle in handles.items() if handle.label == source.name), None)
            if resource is None:
                resource = fresh(f"{source.name}/handle")
                handles[resource] = Handle(source.name, tf.make_ndarray(source.attr["value"].tensor))
                make_handle(graph_def.node.add(), resource, handles[resource].array)
        else:
            continue
        enter = graph_def.node.add()
        enter.CopyFrom(node)
        enter.name = fresh(f"{node.name}/handle")
        enter.input[0] = resource
        dtype = node.attr["T"].type
        enter.attr["T"].type = _RESOURCE
        node.op = "ReadVariableOp"
        del node.input[:]
        node.input.append(enter.name)
        node.attr.clear()
        node.attr["dtype"].type = dtype
        changed = True
    return changed


def check_loops(graph_def: Any, description: str) -> None:
    """Refuse a loop that computes something from entered constants alone: TF.js does so in the first iteration only.

    Source: tfjs-converter ``src/executor/graph_executor.ts`` (``processStack``), 4.22.
    """
    nodes = {node.name: node for node in graph_def.node}
    outside = {name for name, node in nodes.items() if node.op == "Enter" and node.attr["is_constant"].b}
    weights = {name for name, node in nodes.items() if node.op in {"Const", "ReadVariableOp"}}
    same: set[str] = set()
    changed = True
    while changed:
        found = {
            name
            for name, node in nodes.items()
            if name not in same | weights
            and node.op not in _CONTROL_FLOW
            and node.input
            and (behind := set(data_inputs(node)))
            and behind <= outside | same | weights
            and behind & (outside | same)
        }
        changed = bool(found)
        same |= found
    if same:
        raise UnsupportedModelError(
            f"A loop of {description} computes {quoted_list(same)} anew in every iteration from values that "
            "stay the same, and TensorFlow.js computes them in the first iteration only. Compute them before the loop.",
            stage="trace",
            node=min(same),
        )
