"""Unroll loops of known length from the functional ``While``: each round becomes a call of its body.

Grappler then inlines the calls and folds the counters, and ``passes/resolve_tensor_lists.py`` takes the lists apart, so
that TF.js runs the result synchronously. Weights stay one: every round takes the same handle. This works on what a
SavedModel holds, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.graph import grappler
from tfjs_magic.graph.evaluate import evaluate
from tfjs_magic.graph.graph_def import graph_node
from tfjs_magic.graph.list_lengths import tell_lengths
from tfjs_magic.graph.refs import Ref, closure, node_of, port_of
from tfjs_magic.graph.rounds import write_rounds
from tfjs_magic.graph.trace import GraphDefFunction

_WHILES = frozenset({"While", "StatelessWhile"})
#: Loops whose rounds would have more nodes than this stay loops, unless the user asks for them: model.json grows by 150
#: bytes a node, and TF.js takes longer to load.
_MOST_NODES = 10_000
_MOST_ROUNDS = 100_000
_MOST_NOTES = 3
#: For conditions only: ``graph/evaluate.py`` is what passes fold with, and no pass makes a predicate a weight.
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
_Mode = bool | Literal["auto"]
#: What TensorFlow knows of a tensor without running it.
_StaticValue = Callable[[str], Array | None]


def unroll_loops(
    function: GraphDefFunction, *, keep: Iterable[str], mode: _Mode
) -> tuple[GraphDefFunction, tuple[str, ...]]:
    """Unroll what can be unrolled; return the function without those loops, and sentences for the report.

    Args:
        function: The attributes of its graph are edited in place.
        keep: Names of the nodes that must survive with their results.
        mode: "auto" leaves long loops as they are; True takes every loop of known length; False leaves all.

    Raises:
        UnsupportedModelError: ``mode`` is True and the length of a loop is not known.
    """
    if mode is False or not _has_loops(function.graph_def):
        return function, ()
    kept, effects = set(keep), dict.fromkeys(function.side_effects)
    graph_def, done, left = function.graph_def, list[_Loop](), list[_Unknown]()
    while _has_loops(graph_def):
        graph_def = _folded(graph_def, [*kept, *effects])
        tell_lengths(graph_def, _static_values)
        found = _measured(graph_def, kept, mode, _MOST_NODES - sum(loop.nodes for loop in done))
        loops = [loop for loop in found if isinstance(loop, _Loop)]
        left = [loop for loop in found if isinstance(loop, _Unknown)]
        for loop in loops:
            _unroll(graph_def, loop)
            effects.pop(loop.node.name, None)  # it has none: its body writes nothing
        done += loops
        if not loops:
            break
    if mode is True and _has_loops(graph_def):
        unknown = left[0] if left else _Unknown("in a branch", "a branch holds it")
        raise UnsupportedModelError(
            f"The loop '{unknown.name}' cannot be unrolled: {unknown.reason}. Fix the sizes with inputs=, or leave "
            "unroll=True out.",
            stage="trace",
            node=unknown.name,
        )
    unrolled = dataclasses.replace(function, graph_def=graph_def, side_effects=list(effects))
    return unrolled, tuple(_notes([loop.rounds for loop in done], left, graph_def))


def _folded(graph_def: Any, keep: list[str]) -> Any:
    """Let grappler inline and fold; again without what constants wait for, which is why it did not fold with them."""
    graph_def = grappler.optimize(graph_def, keep=keep, lower=False)
    waiting = [node for node in graph_def.node if node.op == "Const" and node.input]
    for node in waiting:
        del node.input[:]  # outside of branches it means nothing
    return grappler.optimize(graph_def, keep=keep, lower=False) if waiting else graph_def


def _measured(graph_def: Any, kept: set[str], mode: _Mode, budget: int) -> list[_Loop | _Unknown]:
    """Return the loops with their lengths; those that "auto" would need more nodes for than the budget as unknown."""
    value_of = _static_values(graph_def)
    library = {function.signature.name: _Body(function) for function in graph_def.library.function}
    found: list[_Loop | _Unknown] = []
    for node in graph_def.node:
        if node.op not in _WHILES:
            continue
        loop = _length(library, node, value_of, kept, mode)
        if mode == "auto" and isinstance(loop, _Loop) and loop.nodes > budget:
            loop = _Unknown(node.name, f"its rounds would have more than {_MOST_NODES:,} nodes")
        budget -= loop.nodes if isinstance(loop, _Loop) else 0
        found.append(loop)
    return found


def _notes(rounds: list[int], left: Sequence[_Unknown], graph_def: Any) -> Iterator[str]:
    if rounds:
        shown = ", ".join(map(str, rounds[:5])) + (" …" if len(rounds) > 5 else "")
        loops = "1 loop was" if len(rounds) == 1 else f"{len(rounds)} loops were"
        yield f"{loops} unrolled ({shown} rounds)."
    for loop in left[:_MOST_NOTES]:
        yield f"The loop '{loop.name}' was not unrolled: {loop.reason}."
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
    """Put its rounds in the place of the loop."""
    name = loop.node.name
    state = write_rounds(graph_def, loop.node, loop.rounds)
    graph_def.node.remove(loop.node)
    last = [f"^{node_of(Ref(ref))}" for ref in state]
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


class _Body:
    """A function of the library, whose values are computed where what they depend on is known.

    Attributes:
        nodes: In order.
        results: What it returns.
    """

    def __init__(self, function: Any) -> None:
        self.nodes = list(function.node_def)
        self.results = [Ref(function.ret[argument.name]) for argument in function.signature.output_arg]
        self._by_name = {node.name: node for node in self.nodes}
        self._arguments = {argument.name: i for i, argument in enumerate(function.signature.input_arg)}
        self._constants: dict[str, Array] = {}

    def arguments(self, ref: Ref) -> set[int]:
        """Return the positions of the arguments that a tensor depends on."""
        found = closure([ref], lambda r: () if r in self._arguments else _data(self._by_name[node_of(r)]))
        return {self._arguments[ref] for ref in found if ref in self._arguments}

    def compute(self, refs: Iterable[Ref], state: Mapping[int, Array]) -> list[Array | str]:
        """Compute tensors from what is known of the arguments; a text says what of it is not known."""
        known: dict[str, Array | str] = {}

        def value(ref: Ref) -> Array | str:
            if ref in self._arguments:
                return state.get(self._arguments[ref], f"the value of '{ref}'")
            if (name := node_of(ref)) not in known:
                known[name] = self._constant(name) if self._by_name[name].op == "Const" else computed(name)
            return known[name]

        def computed(name: str) -> Array | str:
            inputs = [value(ref) for ref in _data(self._by_name[name])]
            arrays = [array for array in inputs if not isinstance(array, str)]
            return (
                _computed(self._by_name[name], arrays)
                if len(arrays) == len(inputs)
                else next(reason for reason in inputs if isinstance(reason, str))
            )

        return [value(ref) for ref in refs]

    def _constant(self, name: str) -> Array:
        if name not in self._constants:
            self._constants[name] = tf.make_ndarray(self._by_name[name].attr["value"].tensor)
        return self._constants[name]


_Library = Mapping[str, _Body]


def _data(node: Any) -> list[Ref]:
    return [ref for ref in node.input if not ref.startswith("^")]


def _computed(node: Any, inputs: list[Array]) -> Array | str:
    if (compare := _COMPARISONS.get(node.op)) is not None:
        return np.asarray(compare(*inputs))
    outputs = evaluate(graph_node(node), inputs) if inputs else None
    return f"what '{node.op}' computes" if outputs is None or len(outputs) != 1 else outputs[0]


def _static_values(graph_def: Any) -> _StaticValue:
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


def _length(library: _Library, node: Any, value_of: _StaticValue, kept: set[str], mode: _Mode) -> _Loop | _Unknown:
    if node.name in kept:
        return _Unknown(node.name, "its results are results of the model")
    body = library[node.attr["body"].func.name]
    if any(_writes(inner) for inner in _nodes(library, body)):
        return _Unknown(node.name, "it writes a variable")
    state = {i: value for i, ref in enumerate(_data(node)) if (value := value_of(ref)) is not None}
    rounds = _rounds(library, node, state, most=_MOST_ROUNDS if mode is True else _most_rounds(body))
    if isinstance(rounds, str):
        return _Unknown(node.name, rounds)
    if rounds > _MOST_ROUNDS:
        return _Unknown(node.name, f"it has more than {_MOST_ROUNDS:,} rounds")
    return _Loop(node, rounds, rounds * _size(library, body))


def _rounds(library: _Library, node: Any, state: Mapping[int, Array], *, most: int) -> int | str:
    """Count the rounds by computing the condition, and what of the state it needs; else say why that is not known.

    Args:
        library: The functions.
        node: The loop.
        state: What is known of the state before the first round.
        most: Give this and one more where there are more.
    """
    condition, body = (library[node.attr[key].func.name] for key in ("cond", "body"))
    start = condition.arguments(condition.results[0])
    needed = closure(start, lambda i: body.arguments(body.results[i]))  # now, or after more rounds
    state = {i: value for i, value in state.items() if i in needed}
    for count in range(most + 1):
        (goes_on,) = condition.compute(condition.results[:1], state)
        if isinstance(goes_on, str):
            return f"its length depends on {goes_on}"
        if not bool(goes_on):
            return count
        values = body.compute([body.results[i] for i in state], state)
        state = {i: value for i, value in zip(state, values, strict=True) if not isinstance(value, str)}
    return most + 1


def _most_rounds(body: _Body) -> int:
    return _MOST_NODES // max(len(body.nodes), 1)


def _size(library: _Library, body: _Body) -> int:
    """Count the nodes of one round, the rounds of the loops in it included as far as they are known."""
    total = 0
    for node in body.nodes:
        total += 1
        for called in _called(node):
            if called in library:
                total += _inner_rounds(library, body, node) * _size(library, library[called])
    return total


def _inner_rounds(library: _Library, body: _Body, node: Any) -> int:
    """Count the rounds of a node in a body: 1 where it is no loop, or of unknown length."""
    if node.op not in _WHILES:
        return 1
    values = enumerate(body.compute(_data(node), {}))
    state = {i: value for i, value in values if not isinstance(value, str)}
    known = _rounds(library, node, state, most=_most_rounds(library[node.attr["body"].func.name]))
    return known if isinstance(known, int) else 1


def _writes(node: Any) -> bool:
    kinds = ("Assign", "Resource", "LookupTableInsert", "LookupTableImport", "LookupTableRemove")
    return node.op.startswith(kinds) and node.op not in {"ResourceGather", "ResourceGatherNd"}


def _nodes(library: _Library, body: _Body) -> Iterator[Any]:
    """Yield the nodes of a body, and those of what it calls."""
    for node in body.nodes:
        yield node
        for name in _called(node):
            if name in library:
                yield from _nodes(library, library[name])


def _called(node: Any) -> list[str]:
    names = [value.func.name for value in node.attr.values() if value.func.name]
    return names + [function.name for value in node.attr.values() for function in value.list.func]
