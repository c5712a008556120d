"""The nodes of a ``GraphDef`` by name, and ways through them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.graph import refs

_DEFAULTED = "PlaceholderWithDefault"
_MOST_SHOWN = 4


def node_and_port(ref: str) -> tuple[str, int]:
    """Split a tensor ref: "name" is "name:0"."""
    name, _, port = ref.partition(":")
    return (name, int(port or 0)) if port.isdigit() or not port else (ref, 0)


def data_inputs(node: Any) -> Iterator[str]:
    """Return the names of the nodes whose results it takes."""
    return (node_and_port(ref)[0] for ref in node.input if not ref.startswith("^"))


def control_inputs(node: Any) -> Iterator[str]:
    """Return the names of the nodes that it waits for."""
    return (ref[1:] for ref in node.input if ref.startswith("^"))


def closure(nodes: Mapping[str, Any], start: Iterable[str], step: Callable[[Any], Iterable[str]]) -> set[str]:
    """Return ``start`` and what ``step`` leads to from there; names without a node are left out."""
    return refs.closure(start, lambda name: step(nodes[name]) if name in nodes else ()) & nodes.keys()


def reachable(
    nodes: Mapping[str, Any], fed: Collection[tuple[str, int]], outputs: Iterable[str], *, controls: bool = True
) -> set[str]:
    """Return what tensors need; nothing behind a tensor that is fed.

    Args:
        nodes: By name.
        fed: Node and port of the tensors that are fed.
        outputs: Refs of the tensors.
        controls: Whether what they wait for counts, too.
    """

    def step(node: Any) -> Iterator[str]:
        for ref in node.input:
            if ref.startswith("^"):
                yield from [ref[1:]] * controls
            elif node_and_port(ref) not in fed:
                yield node_and_port(ref)[0]

    ends = map(node_and_port, outputs)
    return closure(nodes, [name for name, port in ends if (name, port) not in fed], step)


def part_of(graph_def: Any, names: Collection[str]) -> Any:
    """Copy the nodes of these names and the functions that they call; devices and colocation mean nothing here."""
    part = tf.compat.v1.GraphDef(versions=graph_def.versions)
    for node in graph_def.node:
        if node.name in names:
            copy = part.node.add()
            copy.CopyFrom(node)
            copy.device = ""
            for key in ("_class", "_output_shapes"):
                copy.attr.pop(key, None)
    functions = {function.signature.name: function for function in graph_def.library.function}
    stack = list(part.node)
    called: set[str] = set()
    while stack:
        node = stack.pop()
        found = {node.op, *(name for value in node.attr.values() for name in _function_names(value))}
        for name in (found & functions.keys()) - called:
            called.add(name)
            stack += functions[name].node_def
    part.library.function.extend(functions[name] for name in sorted(called))
    part.library.gradient.extend(
        row for row in graph_def.library.gradient if {row.function_name, row.gradient_func} <= called
    )
    return part


def _function_names(value: Any) -> list[str]:
    return [value.func.name, *(function.name for function in value.list.func)]


def inner_refs(nodes: Mapping[str, Any], refs: Mapping[str, str], outputs: Iterable[str]) -> dict[str, str]:
    """Return public name → ref of those tensors which the outputs are computed from; "x:0" is "x" in public."""
    needed = closure(nodes, [node_and_port(ref)[0] for ref in outputs], data_inputs)
    return {name.removesuffix(":0"): ref for name, ref in refs.items() if node_and_port(ref)[0] in needed}


def check_needed(
    description: str,
    nodes: Mapping[str, Any],
    inner: Mapping[str, str],
    needed: Collection[str],
    outputs: Iterable[str],
) -> None:
    """Refuse tensors inside that feed nothing, since others are fed behind them.

    Args:
        description: What the nodes are of.
        nodes: By name.
        inner: Public name → ref of the tensors that are fed.
        needed: The nodes that are left.
        outputs: Refs of the outputs.
    """
    used = {node_and_port(ref) for ref in (*outputs, *(ref for name in needed for ref in nodes[name].input))}
    if idle := [name for name, ref in inner.items() if node_and_port(ref) not in used]:
        raise UnsupportedModelError(
            f"inputs names {quoted_list(idle)} of {description}, but the outputs are computed from other tensors that "
            "it names, which lie behind. Leave out the one or the other."
        )


def default_values(nodes: Mapping[str, Any]) -> dict[str, str]:
    """Return the placeholders that have a default → the default as messages show it."""
    found = {name: nodes.get(node_and_port(node.input[0])[0]) for name, node in nodes.items() if node.op == _DEFAULTED}
    return {name: _shown(value) for name, value in found.items()}


def _shown(node: Any) -> str:
    if node is None or node.op != "Const":
        return "(computed)"
    array = tf.make_ndarray(node.attr["value"].tensor)
    return str(array.tolist()) if array.size <= _MOST_SHOWN else f"of shape {array.shape}"


def begins_inside(names: Iterable[str]) -> tuple[str, ...]:
    """Return the sentence for the report."""
    return tuple(f"The model begins at '{name}': what computes it is left out." for name in names)


def depth(nodes: Mapping[str, Any], name: str) -> int:
    """Return how many loops and branches of TensorFlow 1 a node lies in."""
    found: dict[str, int] = {}
    stack = [name]
    while stack:
        node = nodes.get(stack[-1])
        before = (
            [] if node is None else [n for n in (*data_inputs(node), *control_inputs(node)) if not _is_round(nodes, n)]
        )
        if waiting := [one for one in before if one not in found]:
            stack += waiting
            continue
        here = max((found[one] for one in before), default=0)
        found[stack.pop()] = max(0, here + (0 if node is None else _enters(nodes, node)))
    return found[name]


def _is_round(nodes: Mapping[str, Any], name: str) -> bool:
    return name in nodes and nodes[name].op.endswith("NextIteration")


def _enters(nodes: Mapping[str, Any], node: Any) -> int:
    """Return by how much a node is deeper than what it takes; a loop's Switch counts as a branch."""
    op = node.op.removeprefix("Ref")
    if op == "Merge":
        return 0 if any(_is_round(nodes, one) for one in data_inputs(node)) else -1
    return {"Enter": 1, "Switch": 1, "Exit": -2}.get(op, 0)
