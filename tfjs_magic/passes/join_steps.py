"""Do for all steps of a loop at once what each of them does with its part of the input alone.

Given:   yᵢ = Op(xᵢ, c), i = 0 … n - 1        xᵢ (rows, K) all parts of x along its first axis, of Unpack or Split
Result:  yᵢ = Split(Op(Reshape(x), c))[i]     Op: MatMul, an offset per channel, Split along the channels

So a recurrent net has one product x·W for all its steps, with its bias.

Refuses: a part is not used this way; c is computed, or varies along another axis; a part is no matrix, or its number of
columns is unknown.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator, Sequence

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import ADD_OPS, addends, linear, per_channel
from tfjs_magic.graph.refs import Ref, node_of, port_of
from tfjs_magic.passes.lowering import FLOAT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    """What every step does.

    Attributes:
        parts: The node that takes the input apart.
        rows: Of one step, if known.
        columns: Of one step.
        steps: The node of each step, in the order of the parts.
    """

    parts: Node
    rows: int | None
    columns: int
    steps: tuple[Node, ...]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if node.outputs < 2 or not _along_first_axis(graph, node):
        return None
    shape = graph.shape(node.ref())
    found: dict[Hashable, dict[int, Node]] = {}
    for consumer in graph.consumers(node.name):
        for port, key in _readings(graph, consumer, node):
            found.setdefault(key, {})[port] = consumer
    if not found:
        return None
    if shape is None or len(shape) != 2 or (columns := shape[1]) is None:
        return Miss("a part is no matrix, or its number of columns is unknown")
    every = next((steps for steps in found.values() if len(steps) == node.outputs), None)
    if every is None:
        return Miss("a part is not used like the others")
    return _Match(node, shape[0], columns, tuple(every[port] for port in range(node.outputs)))


def _along_first_axis(graph: Graph, node: Node) -> bool:
    if node.attrs["T"] != FLOAT32:
        return False
    if node.op == "Unpack":
        return node.attrs.get("axis", 0) == 0
    axis = graph.constant(node.inputs[0])
    return axis is not None and int(axis) == 0


def _readings(graph: Graph, node: Node, parts: Node) -> Iterator[tuple[int, Hashable]]:
    """Yield (port, key) where a node does with one part what can be done with all; the same key means the same."""
    if node.controls or any(node.name in user.controls for user in graph.consumers(node.name)):
        return
    for data, others in _operands(graph, node):
        if node_of(data) == parts.name:
            yield (
                port_of(data),
                (
                    node.op,
                    node.inputs.index(data),
                    tuple(others),
                    frozenset(node.attrs.items()),
                ),
            )


def _operands(graph: Graph, node: Node) -> Iterator[tuple[Ref, Sequence[Ref]]]:
    """Yield (data, constants) for each way to read a node as an op that takes every row for itself."""
    if node.op == "MatMul" and linear(graph, node) is not None and not node.attrs.get("transpose_a", False):
        yield node.inputs[0], node.inputs[1:]
    if node.op == "Split" and (axis := graph.constant(node.inputs[0])) is not None and int(axis) in {-1, 1}:
        yield node.inputs[1], node.inputs[:1]
    for data, offset in addends(node) if node.op in ADD_OPS else ():
        shape = graph.shape(data) or (None,)
        if shape[-1] is not None and per_channel(graph.constant(offset), shape[-1], len(shape)) is not None:
            yield data, (offset,)


def _apply(graph: Graph, match: _Match) -> None:
    parts, first, new = match.parts, match.steps[0], Lowering(graph, match.parts)
    count, total = len(match.steps), None if match.rows is None else match.rows * len(match.steps)
    rows = new.reshape(parts.inputs[0], [-1, match.columns], FLOAT32) if parts.op == "Unpack" else parts.inputs[1]
    inputs = [rows if node_of(ref) == parts.name else ref for ref in first.inputs]
    joined = graph.producer(new.add(first.op, *inputs, **first.attrs))
    zero = new.constant(0)
    for port in range(first.outputs):
        one = graph.shape(first.ref(port)) or (None, None)
        graph.set_shape(joined.ref(port), (total, one[1]))
        split = graph.producer(new.add("Split", zero, joined.ref(port), num_split=count, T=FLOAT32))
        for i, step in enumerate(match.steps):
            graph.set_shape(split.ref(i), (match.rows, one[1]))
            graph.replace_uses(step.ref(port), split.ref(i))


PASS = Rewrite(__name__, frozenset({"Split", "Unpack"}), _match, _apply)
