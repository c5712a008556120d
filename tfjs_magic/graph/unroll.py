"""Unroll loops of known length from the functional ``While``: each round becomes a call of its body.

Grappler then inlines the calls and folds the counters, and ``passes/resolve_tensor_lists.py`` takes the lists apart, so
that TF.js runs the result synchronously. Weights stay one: every round takes the same handle. This works on what a
SavedModel holds, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.graph import grappler
from tfjs_magic.graph.evaluate import evaluate
from tfjs_magic.graph.graph_def import graph_node
from tfjs_magic.graph.ir import Array, node_of, port_of
from tfjs_magic.graph.trace import GraphDefFunction

_WHILES = frozenset({"While", "StatelessWhile"})
#: Loops whose rounds would have more nodes than this stay loops, unless the user asks for them: model.json grows by 150
#: bytes a node, and TF.js takes longer to load.
_MOST_NODES = 10_000
_MOST_ROUNDS = 100_000
_MOST_NOTES = 3
_COMPARISONS: Mapping[str, Callable[..., Array]] = {
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterEqual": np.greater_equal,
    "Less": np.less,
    "LessEqual": np.less_equal,
    "LogicalAnd": np.logical_and,
    "LogicalNot": np.logical_not,
    "LogicalOr": np.logical_or,
    "NotEqual": np.not_equal,
}


def unroll_loops(
    function: GraphDefFunction, *, keep: Iterable[str], mode: bool | Literal["auto"]
) -> tuple[GraphDefFunction, tuple[str, ...]]:
    """Unroll what can be unrolled; return the function without those loops, and a sentence for the report.

    Args:
        function: Its graph is not edited.
        keep: Names of the nodes that must survive with their results.
        mode: "auto" leaves long loops as they are; True takes every loop of known length; False leaves all.

    Raises:
        UnsupportedModelError: ``mode`` is True and the length of a loop is not known.
    """
    if mode is False or not _has_loops(function.graph_def):
        return function, ()
    kept = dict.fromkeys(keep)
    effects = dict.fromkeys(function.side_effects)
    rounds: list[int] = []
    spent = 0
    left: dict[str, str] = {}
    graph_def = function.graph_def
    while True:
        graph_def = grappler.optimize(graph_def, keep=[*kept, *effects], lower=False)
        if _free_constants(graph_def):
            graph_def = grappler.optimize(graph_def, keep=[*kept, *effects], lower=False)
        known_values = _static_values(graph_def)
        found = [_length(graph_def, node, known_values, kept, mode) for node in graph_def.node if node.op in _WHILES]
        if mode == "auto":
            found = list(_affordable(found, _MOST_NODES - spent))
        known = [loop for loop in found if isinstance(loop, _Loop)]
        spent += sum(loop.nodes for loop in known)
        left = {loop.name: loop.reason for loop in found if isinstance(loop, _Unknown)}
        if not known:
            break
        rounds += [loop.rounds for loop in known]
        for loop in known:
            _unroll(graph_def, loop)
            effects.pop(loop.node.name, None)  # it has none: its body writes nothing
        if not _has_loops(graph_def):
            break
    if mode is True and (left or _has_loops(graph_def)):
        name, reason = next(iter(left.items()), ("in a branch", "a branch holds it"))
        raise UnsupportedModelError(
            f"The loop '{name}' cannot be unrolled: {reason}. Fix the sizes with inputs=, or leave unroll=True out.",
            stage="trace",
            node=name,
        )
    return dataclasses.replace(function, graph_def=graph_def, side_effects=list(effects)), tuple(
        _notes(rounds, left, graph_def)
    )


def _free_constants(graph_def: Any) -> bool:
    """Take away what constants wait for, which is why grappler does not fold with them; outside of branches nothing."""
    waiting = [node for node in graph_def.node if node.op == "Const" and node.input]
    for node in waiting:
        del node.input[:]
    return bool(waiting)


def _affordable(loops: Iterable[_Loop | _Unknown], nodes: int) -> Iterator[_Loop | _Unknown]:
    """Let loops stay whose rounds, with those of the loops in them, would have more nodes than there may still be."""
    for loop in loops:
        if isinstance(loop, _Unknown) or loop.nodes <= nodes:
            nodes -= loop.nodes if isinstance(loop, _Loop) else 0
            yield loop
        else:
            yield _Unknown(loop.node.name, f"its rounds would have more than {_MOST_NODES:,} nodes")


def _notes(rounds: list[int], left: Mapping[str, str], graph_def: Any) -> Iterator[str]:
    if rounds:
        shown = ", ".join(map(str, rounds[:5])) + (" …" if len(rounds) > 5 else "")
        loops = "1 loop was" if len(rounds) == 1 else f"{len(rounds)} loops were"
        yield f"{loops} unrolled ({shown} rounds)."
    for name, reason in list(left.items())[:_MOST_NOTES]:
        yield f"The loop '{name}' was not unrolled: {reason}."
    if len(left) > _MOST_NOTES:
        yield f"{len(left) - _MOST_NOTES} more loops were not unrolled."
    if not left and _has_loops(graph_def):
        yield "Loops in branches were not unrolled."


def _has_loops(graph_def: Any) -> bool:
    bodies = [graph_def.node, *(function.node_def for function in graph_def.library.function)]
    return any(node.op in _WHILES for nodes in bodies for node in nodes)


# ---------------------------------------------------------------------- the edit


@dataclasses.dataclass(frozen=True)
class _Loop:
    """A loop of known length; ``nodes``: how many all of its rounds have, those of the loops in it included."""

    node: Any
    rounds: int
    nodes: int


@dataclasses.dataclass(frozen=True)
class _Unknown:
    name: str
    reason: str


def _unroll(graph_def: Any, loop: _Loop) -> None:
    """Put a chain of calls in the place of the loop."""
    name, body = loop.node.name, loop.node.attr["body"].func.name
    op = "StatefulPartitionedCall" if loop.node.op == "While" else "PartitionedCall"
    controls = [ref for ref in loop.node.input if ref.startswith("^")]
    state = [ref for ref in loop.node.input if not ref.startswith("^")]
    types = loop.node.attr["T"]
    graph_def.node.remove(loop.node)
    last = controls
    for i in range(loop.rounds):
        call = graph_def.node.add(name=f"{name}/round_{i}", op=op)
        call.input.extend([*state, *last])
        call.attr["f"].func.name = body
        call.attr["Tin"].CopyFrom(types)
        call.attr["Tout"].CopyFrom(types)
        state = [f"{call.name}:{port}" for port in range(len(types.list.type))]
        last = [f"^{call.name}"]
    for node in graph_def.node:
        if not any(node_of(ref.removeprefix("^")) == name for ref in node.input):
            continue
        refs: list[str] = []
        for ref in node.input:
            if ref == f"^{name}":
                refs += last
            else:
                refs.append(state[port_of(ref)] if node_of(ref) == name else ref)
        del node.input[:]
        node.input.extend([*(r for r in refs if r[0] != "^"), *dict.fromkeys(r for r in refs if r[0] == "^")])


# ---------------------------------------------------------------------- how long a loop is


class _NotKnownError(Exception):
    """A value depends on what is not known while the model is converted."""


def _static_values(graph_def: Any) -> Callable[[str], Array | None]:
    """Return what TensorFlow knows of a tensor without running it: constants, and sizes that shapes tell."""
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(graph_def, name="")

    def value(ref: str) -> Array | None:
        tensor = graph.get_tensor_by_name(ref if ":" in ref else f"{ref}:0")
        if tensor.dtype in (tf.resource, tf.variant):
            return None
        constant = tf.get_static_value(tensor)
        return _size_of_axis(tensor) if constant is None else constant

    return value


def _size_of_axis(tensor: Any) -> Array | None:
    """Return Shape(x)[i] where TensorFlow knows that size, but not all of them."""
    if tensor.op.type != "StridedSlice" or tensor.shape.rank != 0 or tensor.op.inputs[0].op.type != "Shape":
        return None
    dims, begin = tensor.op.inputs[0].op.inputs[0].shape, tf.get_static_value(tensor.op.inputs[1])
    if dims.rank is None or begin is None or begin.size != 1:
        return None
    size = dims[int(begin.ravel()[0])]
    return None if size is None else np.asarray(size, tensor.dtype.as_numpy_dtype)


def _length(
    graph_def: Any,
    node: Any,
    value_of: Callable[[str], Array | None],
    keep: Mapping[str, None],
    mode: bool | Literal["auto"],  # noqa: FBT001 - the option as the user gives it
) -> _Loop | _Unknown:
    if node.name in keep:
        return _Unknown(node.name, "its results are results of the model")
    functions = {function.signature.name: function for function in graph_def.library.function}
    body = functions[node.attr["body"].func.name]
    if any(_writes(inner) for inner in _nodes(functions, body)):
        return _Unknown(node.name, "it writes a variable")
    given = [value_of(ref) for ref in node.input if not ref.startswith("^")]
    state = {i: value for i, value in enumerate(given) if value is not None}
    rounds = _rounds(functions, node, state, most=_MOST_ROUNDS if mode is True else _most_rounds(body))
    if isinstance(rounds, str):
        return _Unknown(node.name, rounds)
    if rounds > _MOST_ROUNDS:
        return _Unknown(node.name, f"it has more than {_MOST_ROUNDS:,} rounds")
    return _Loop(node, rounds, rounds * _size(functions, body))


def _rounds(functions: Mapping[str, Any], node: Any, state: Mapping[int, Array], *, most: int) -> int | str:
    """Count the rounds by computing the condition, and what of the state it needs; else say why that is not known.

    Args:
        functions: The library.
        node: The loop.
        state: What is known of the state before the first round.
        most: Give this and one more where there are more.
    """
    condition, body = (functions[node.attr[key].func.name] for key in ("cond", "body"))
    needed = _needed(condition, body)
    state = {i: value for i, value in state.items() if i in needed}
    for count in range(most + 1):
        try:
            (goes_on,) = _outputs(condition, state, [0])
        except _NotKnownError as error:
            return f"its length depends on {error}"
        if not bool(goes_on):
            return count
        state = _next(body, state)
    return most + 1


def _most_rounds(body: Any) -> int:
    return _MOST_NODES // max(len(body.node_def), 1)


def _size(functions: Mapping[str, Any], body: Any) -> int:
    """Count the nodes of one round, the rounds of the loops in it included as far as they are known."""
    total = 0
    for node in body.node_def:
        total += 1
        for called in _called(node):
            if called not in functions:
                continue
            rounds = 1
            if node.op in _WHILES:
                given = enumerate(ref for ref in node.input if not ref.startswith("^"))
                state = {i: value for i, ref in given if (value := _value(body, {}, ref)) is not None}
                known = _rounds(functions, node, state, most=_most_rounds(functions[node.attr["body"].func.name]))
                rounds = known if isinstance(known, int) else 1
            total += rounds * _size(functions, functions[called])
    return total


def _needed(condition: Any, body: Any) -> set[int]:
    """Return which parts of the state the condition needs, now or after more rounds."""
    needed = set(_arguments(condition, [condition.ret[condition.signature.output_arg[0].name]]))
    names = [argument.name for argument in body.signature.output_arg]
    while True:
        more = needed | set(_arguments(body, [body.ret[names[i]] for i in needed]))
        if more == needed:
            return needed
        needed = more


def _arguments(function: Any, refs: Iterable[str]) -> Iterator[int]:
    """Yield the positions of the arguments that tensors of a function depend on."""
    nodes = {node.name: node for node in function.node_def}
    arguments = {argument.name: i for i, argument in enumerate(function.signature.input_arg)}
    todo, seen = list(refs), set(refs)
    while todo:
        ref = todo.pop()
        if ref in arguments:
            yield arguments[ref]
            continue
        fresh = [other for other in nodes[node_of(ref)].input if not other.startswith("^") and other not in seen]
        seen.update(fresh)
        todo += fresh


def _writes(node: Any) -> bool:
    kinds = ("Assign", "Resource", "LookupTableInsert", "LookupTableImport", "LookupTableRemove")
    return node.op.startswith(kinds) and node.op not in {"ResourceGather", "ResourceGatherNd"}


def _next(body: Any, state: Mapping[int, Array]) -> dict[int, Array]:
    """Return what is known of the state after a round."""
    return {i: value for i in state if (value := _output(body, state, i)) is not None}


def _output(body: Any, state: Mapping[int, Array], i: int) -> Array | None:
    return _value(body, state, body.ret[body.signature.output_arg[i].name])


def _value(function: Any, state: Mapping[int, Array], ref: str) -> Array | None:
    try:
        return _evaluated(function, state, [ref])[0]
    except _NotKnownError:
        return None


def _outputs(function: Any, state: Mapping[int, Array], ports: Iterable[int]) -> list[Array]:
    names = [argument.name for argument in function.signature.output_arg]
    return _evaluated(function, state, [function.ret[names[port]] for port in ports])


def _evaluated(function: Any, state: Mapping[int, Array], refs: Iterable[str]) -> list[Array]:
    nodes = {node.name: node for node in function.node_def}
    arguments = {argument.name: i for i, argument in enumerate(function.signature.input_arg)}
    known: dict[str, Array] = {}

    def value(ref: str) -> Array:
        if ref in arguments:
            if arguments[ref] not in state:
                msg = f"the value of '{ref}'"
                raise _NotKnownError(msg)
            return state[arguments[ref]]
        name = node_of(ref)
        if name not in known:
            node = nodes[name]
            if node.op == "Const":
                known[name] = tf.make_ndarray(node.attr["value"].tensor)
            else:
                known[name] = _computed(node, [value(other) for other in node.input if not other.startswith("^")])
        return known[name]

    return [value(ref) for ref in refs]


def _computed(node: Any, inputs: list[Array]) -> Array:
    if (compare := _COMPARISONS.get(node.op)) is not None:
        return np.asarray(compare(*inputs))
    outputs = evaluate(graph_node(node), inputs) if inputs else None
    if outputs is None or len(outputs) != 1:
        msg = f"what '{node.op}' computes"
        raise _NotKnownError(msg)
    return outputs[0]


def _nodes(functions: Mapping[str, Any], body: Any) -> Iterator[Any]:
    """Yield the nodes of a body, and those of what it calls."""
    for node in body.node_def:
        yield node
        for name in _called(node):
            if name in functions:
                yield from _nodes(functions, functions[name])


def _called(node: Any) -> list[str]:
    names = [value.func.name for value in node.attr.values() if value.func.name]
    return names + [function.name for value in node.attr.values() for function in value.list.func]
