"""The linear ops with constant weights, as the folding passes see them: y[..., c] depends linearly on W[..., c].

Kernel layouts: Conv2D (H, W, C_in, C_out); DepthwiseConv2dNative (H, W, C_in, M), output channel c·M + m;
Conv2DBackpropInput (H, W, C_out, C_in); MatMul (K, N), or (N, K) with ``transpose_b``. Data is NHWC or (B, K).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import is_channels_first
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import NodeName, Ref, closure

#: Op type → position of the weights among the inputs.
_WEIGHT_INPUT = {"Conv2D": 1, "DepthwiseConv2dNative": 1, "Conv2DBackpropInput": 1, "MatMul": 1}
#: Ops that change the shape alone.
VIEWS = frozenset({"ExpandDims", "Reshape", "Squeeze"})
#: Ops that may add an offset; see :func:`addends`.
ADD_OPS = frozenset({"Add", "AddV2", "BiasAdd"})


@dataclasses.dataclass(frozen=True)
class Linear:
    """A linear op with constant weights.

    Attributes:
        node: The op; its output's last axis is the channel axis.
        weight_input: Position of the weights among ``node.inputs``.
        weights: Float array; must not be written to.
        rank: Rank of the output.
        channels: Length of the output's last axis.
    """

    node: Node
    weight_input: int
    weights: Array
    rank: int
    channels: int

    @property
    def weight_ref(self) -> Ref:
        """The tensor ref of the weights."""
        return self.node.inputs[self.weight_input]

    def scaled(self, scale: NDArray[np.float64]) -> Array:
        """Return weights whose output is scaled by ``scale`` (C,): multiplied in float64, rounded once.

        They are infinite where the product overflows.
        """
        if self.node.op == "DepthwiseConv2dNative":
            scale = scale.reshape(self.weights.shape[2:])
        elif self.node.op == "Conv2DBackpropInput" or self.node.attrs.get("transpose_b", False):
            scale = scale[:, np.newaxis]
        with np.errstate(over="ignore"):
            # numpy casts buffer by buffer: no second copy of the weights in float64 exists.
            return np.multiply(
                self.weights, scale, out=np.empty_like(self.weights), dtype=np.float64, casting="same_kind"
            )


def linear(graph: Graph, node: Node) -> Linear | None:
    """Describe ``node`` if it is a linear op with constant float weights and the channels last."""
    position = _WEIGHT_INPUT.get(node.op)
    if position is None or is_channels_first(graph, node):
        return None
    weights = graph.constant(node.inputs[position])
    if weights is None or weights.dtype.kind != "f":
        return None
    if node.op == "MatMul":
        return Linear(node, position, weights, 2, weights.shape[0 if node.attrs.get("transpose_b", False) else 1])
    if node.op == "DepthwiseConv2dNative":
        return Linear(node, position, weights, 4, math.prod(weights.shape[2:]))
    return Linear(node, position, weights, 4, weights.shape[2 if node.op == "Conv2DBackpropInput" else 3])


def linear_ends(graph: Graph, start: Node, through: AbstractSet[str]) -> list[Linear] | None:
    """Return the linear ops that a node's output reaches; None if it reaches anything else, or one node on two ways.

    Args:
        graph: Where the node is.
        start: Its output's last axis are channels.
        through: Ops that may lie between, where they keep the last axis.
    """
    channels = (graph.shape(start.ref()) or (None,))[-1]
    ends, pending, seen = [], [start], set()
    while pending:
        node = pending.pop()
        if graph.is_output(node.name):
            return None
        for consumer in graph.consumers(node.name):
            if consumer.name in seen or consumer.inputs.count(node.ref()) != 1:
                return None
            seen.add(consumer.name)
            found = linear(graph, consumer)
            if found is not None and not consumer.attrs.get("transpose_a", False):
                ends.append(found)
            elif consumer.op in through and (graph.shape(consumer.ref()) or (None,))[-1] == channels:
                pending.append(consumer)
            else:
                return None
    return ends


def names_before(graph: Graph, start: Node, ends: AbstractSet[NodeName]) -> set[NodeName]:
    """Return the names of the nodes from one up to its linear ops, which compute something else if it is left out."""
    return closure([start.name], lambda name: [n.name for n in graph.consumers(name) if n.name not in ends])


def spread(weights: Array, rates: Sequence[int]) -> Array:
    """Return a dilated kernel written out: along each of the first axes, rate - 1 zeros between its values."""
    sides = [(side - 1) * rate + 1 for side, rate in zip(weights.shape, rates, strict=False)]
    kernel = np.zeros((*sides, *weights.shape[len(sides) :]), weights.dtype)
    kernel[tuple(slice(None, None, rate) for rate in rates)] = weights
    return kernel


def addends(node: Node) -> tuple[tuple[Ref, Ref], ...]:
    """Return (data, offset) for each way to read a node as data + offset; none if it adds along no last axis."""
    if node.op in {"Add", "AddV2"}:
        left, right = node.inputs
        return (left, right), (right, left)
    if node.op == "BiasAdd" and node.attrs.get("data_format", b"NHWC") == b"NHWC":
        return ((node.inputs[0], node.inputs[1]),)
    return ()


def biased_linear(graph: Graph, node: Node) -> tuple[Linear, Ref] | None:
    """Return the linear op and the ref of the constant, if ``node`` adds a constant to a linear op."""
    for data, offset in addends(node):
        found = linear(graph, graph.producer(data))
        if found is not None and graph.constant(offset) is not None:
            return found, offset
    return None


def per_channel(value: Array | None, channels: int, rank: int) -> NDArray[np.float64] | None:
    """Return a constant operand as one number per channel, if broadcasting it says just that.

    Args:
        value: The operand; None if it is no constant.
        channels: Length of the other operand's last axis.
        rank: Rank of the other operand.

    Returns:
        (channels,) in float64; None if it varies along another axis or would enlarge the result.
    """
    if (
        value is None
        or value.ndim > rank
        or value.size not in {1, channels}
        or (value.ndim and value.shape[-1] != value.size)
    ):
        return None
    if not np.isfinite(value).all():
        return None
    return np.broadcast_to(value.astype(np.float64).ravel(), (channels,))
