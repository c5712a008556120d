"""Move a reshape behind what acts on channels, so that this meets the linear op that it can be folded or fused into.

Given:   y = Act(Reshape(z))              z ends a chain of such ops behind a linear op; also ExpandDims and Squeeze
Result:  y = Reshape(Act(z))              Act: Relu, Relu6, Elu, Sigmoid, LeakyRelu
Given:   y = Add(Reshape(z), b), or Mul   b constant, along the last axes of Reshape(z), which hold the channels of z
Result:  y = Reshape(Add(z, b'))          b' (C,), or a scalar

Keras reshapes around Dense and Conv1D. Add stands for Add, AddV2 and BiasAdd.

Refuses: something else uses the reshape; b varies along another axis, or the channels are not the last axes.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tfjs_magic.artifacts import Array, Dims
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import ADD_OPS, VIEWS, addends, linear
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_ACTIVATIONS = frozenset({"Relu", "Relu6", "Elu", "Sigmoid", "LeakyRelu"})
_BINARY = ADD_OPS | {"Mul"}


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    view: Node
    operand: tuple[Ref, Array] | None


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    for data, operand in _readings(graph, node):
        view = graph.producer(data)
        if view.op not in VIEWS or (channels := _channels(graph, view.inputs[0])) is None:
            continue
        if graph.only_consumer(view.name) is not node:
            return Miss("something else uses what is reshaped")
        if operand is None:
            return _Match(node, view, None)
        value = graph.constant(operand)
        assert value is not None
        vector = _along_channels(value, graph.shape(data), channels)
        if vector is None:
            return Miss("the constant varies along another axis than the channels")
        return _Match(node, view, (operand, vector))
    return None


def _readings(graph: Graph, node: Node) -> list[tuple[Ref, Ref | None]]:
    """Return (data, constant) for each way to read a node; the constant of an activation is None."""
    if node.op in _ACTIVATIONS:
        return [(node.inputs[0], None)]
    left, right = node.inputs
    pairs = ((left, right), (right, left)) if node.op == "Mul" else addends(node)
    return [(data, other) for data, other in pairs if graph.constant(other) is not None]


def _channels(graph: Graph, ref: Ref) -> int | None:
    """Return the number of channels if a tensor is a linear op's, or what this pass moves behind one."""
    node = graph.producer(ref)
    if (found := linear(graph, node)) is not None:
        return found.channels
    if node.op not in _BINARY | _ACTIVATIONS:
        return None
    return next((c for data, _ in _readings(graph, node) if (c := _channels(graph, data)) is not None), None)


def _along_channels(value: Array, shape: Dims | None, channels: int) -> Array | None:
    """Return a constant that is added to a tensor of a shape as one number per channel, or as a scalar."""
    if value.size == 1 and shape is not None and value.ndim <= len(shape):
        return value.reshape(())
    sizes = list(shape or ())
    last: list[int] = []
    while sizes and (size := sizes.pop()) is not None and math.prod(last) < channels:
        last.insert(0, size)
    trimmed = value.reshape(value.shape[-len(last) :]) if value.size == math.prod(value.shape[-len(last) :]) else None
    if math.prod(last) != channels or trimmed is None or value.ndim > len(shape or ()):
        return None
    return np.ascontiguousarray(np.broadcast_to(trimmed, last)).reshape(channels)


def _apply(graph: Graph, match: _Match) -> None:
    node, view, new = match.node, match.view, Lowering(graph, match.node)
    data, *others = view.inputs
    if match.operand is None:
        moved = new.add(node.op, data, **node.attrs)
    else:
        name, value = match.operand
        op = "Mul" if node.op == "Mul" else "AddV2"
        moved = new.add(op, data, graph.add_constant(name, value), T=node.attrs["T"])
    graph.set_shape(moved, graph.shape(data))
    new.replace(view.op, moved, *others, **view.attrs)


PASS = Rewrite(__name__, _BINARY | _ACTIVATIONS, _match, _apply)
