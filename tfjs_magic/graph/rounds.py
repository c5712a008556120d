"""Write the rounds of a loop as copies of its body, which grappler has simplified once.

A copy waits for nothing: the body writes nothing, and of what only has to run before, grappler keeps a list at every
constant that it folds, which would grow with each round.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import tensorflow as tf

from tfjs_magic.graph import grappler
from tfjs_magic.graph.refs import Ref, node_of
from tfjs_magic.naming import first_free

#: What gives the same in every round if its inputs do.
_SHARED = frozenset({"Const", "Identity", "ReadVariableOp"})
#: Here a control input says which branch a node stands in.
_BRANCHING = frozenset({"Switch", "RefSwitch", "_SwitchN", "Merge", "RefMerge"})


@dataclasses.dataclass(frozen=True)
class _Body:
    """One round as a graph.

    Attributes:
        nodes: In order, without arguments.
        results: Refs of what the round returns, also of arguments.
        shared: Names of the nodes that are the same in every round.
    """

    nodes: list[Any]
    results: list[str]
    shared: set[str]


def write_rounds(graph_def: Any, loop: Any, rounds: int) -> list[str]:
    """Add the rounds of a loop.

    Args:
        graph_def: Its nodes are added to in place.
        loop: A ``While``.
        rounds: How many.

    Returns:
        The refs of the state after the last round.
    """
    state = _data(loop)
    if not rounds:
        return state
    body = _body(graph_def, loop)
    taken = {"/".join(node.name.split("/")[: loop.name.count("/") + 2]) for node in graph_def.node}
    scopes = [first_free(f"{loop.name}/round_{i}", taken) for i in range(rounds)]
    short = _short_names([node.name for node in body.nodes], loop.name)
    for scope in scopes:
        names = {
            **{f"{_ARGUMENT}{i}": ref for i, ref in enumerate(state)},
            **{name: f"{scopes[0] if name in body.shared else scope}/{short[name]}" for name in short},
        }
        for node in body.nodes:
            if scope == scopes[0] or node.name not in body.shared:
                copy = graph_def.node.add()
                copy.CopyFrom(node)
                copy.name = names[node.name]
                copy.input[:] = [_renamed(ref, names) for ref in node.input]
                if not node.input:  # what has inputs is dead where these are
                    copy.input.extend(ref for ref in loop.input if ref.startswith("^"))
        state = [_renamed(ref, names) for ref in body.results]
    return state


_ARGUMENT, _RESULT, _ROUND = "argument/_", "result/_", "round"


def _short_names(names: list[str], loop: str) -> dict[str, str]:
    """Return the names within a round, without the end of the loop's path that TensorFlow repeats in them."""
    path, short, taken = re.sub(r"/round_\d+(?=/)", "", loop).split("/"), dict[str, str](), set[str]()
    ends = ["/".join((*path[i:], "")) for i in range(len(path))]
    for name in names:
        inner = name.removeprefix(f"{_ROUND}/")
        short[name] = first_free(inner.removeprefix(next(filter(inner.startswith, ends), "")), taken)
        taken.add(short[name])
    return short


def _body(graph_def: Any, loop: Any) -> _Body:
    """Inline and simplify the body of a loop."""
    one = tf.compat.v1.GraphDef(versions=graph_def.versions, library=graph_def.library)
    types = loop.attr["T"].list.type
    call = one.node.add(name=_ROUND, op="StatefulPartitionedCall")
    call.attr["f"].func.name = loop.attr["body"].func.name
    for key in ("Tin", "Tout"):
        call.attr[key].list.type.extend(types)
    for i, dtype in enumerate(types):
        argument = one.node.add(name=f"{_ARGUMENT}{i}", op="Placeholder")
        argument.attr["dtype"].type = dtype
        argument.attr["shape"].shape.unknown_rank = True
        call.input.append(f"{_ARGUMENT}{i}")
        one.node.add(name=f"{_RESULT}{i}", op="Identity", input=[f"{_ROUND}:{i}"]).attr["T"].type = dtype
    ends = [f"{end}{i}" for end in (_ARGUMENT, _RESULT) for i in range(len(types))]
    one = grappler.optimize(one, keep=ends, lower=False)
    known = {function.signature.name for function in graph_def.library.function}
    graph_def.library.function.extend(f for f in one.library.function if f.signature.name not in known)
    return _without_waiting(one, len(types))


def _without_waiting(one: Any, count: int) -> _Body:
    nodes = {node.name: node for node in _in_order(one)}
    branches = any(node.op in _BRANCHING for node in nodes.values())
    for node in nodes.values():
        node.attr.pop("_class", None)  # a place beside a node that has another name now
        if not branches:
            node.input[:] = _data(node)
    arguments, results = ([f"{end}{i}" for i in range(count)] for end in (_ARGUMENT, _RESULT))
    same = {
        result: argument
        for argument, result in zip(arguments, results, strict=True)
        if nodes[result].op == "Identity" and nodes[result].input[0] == argument
    }
    shared: set[str] = set()
    for node in nodes.values():
        if node.op in _SHARED and all(ref in same.values() or node_of(ref) in shared for ref in node.input):
            shared.add(node.name)
    rest = [node for name, node in nodes.items() if name not in arguments]
    return _Body(rest, [same.get(ref, ref) for ref in results], shared)


def _data(node: Any) -> list[str]:
    return [ref for ref in node.input if not ref.startswith("^")]


def _renamed(ref: str, names: dict[str, str]) -> str:
    """Return a ref inside the body as one of the graph; those of arguments are refs of other nodes, port and all."""
    if ref.startswith("^"):
        return f"^{node_of(Ref(names[ref[1:]]))}"
    name, colon, port = ref.partition(":")
    return names[name] if name.startswith(_ARGUMENT) else f"{names[name]}{colon}{port}"


def _in_order(graph_def: Any) -> list[Any]:
    """Return the nodes, inputs first."""
    nodes, placed = {node.name: node for node in graph_def.node}, dict[str, Any]()
    for root in nodes:
        stack = [root]
        while stack:
            waiting = [n for ref in nodes[stack[-1]].input if (n := node_of(Ref(ref.removeprefix("^")))) not in placed]
            if waiting:
                stack += waiting
            else:
                name = stack.pop()
                placed[name] = nodes[name]
    return [*placed.values()]
