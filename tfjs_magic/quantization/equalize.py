"""Cross-layer equalisation: scale the channels between two kernels against each other, so that one step suits them all.

Given:   y = Linear(f(Linear(x, A) + b), B)
Result:  y = Linear(f(Linear(x, A·s) + b·s), B/s)     s: a power of two for each channel in between

f is any chain of Relu, LeakyRelu, MaxPool, AvgPool, Identity and views that keep the channels last: f(s·z) = s·f(z) for
s > 0. A product with a power of two is exact: the outputs stay the same bits as long as nothing leaves float32's range.

Refuses: anything else in between (Relu6 and Sigmoid are bound to their scale), a second consumer or a public output in
between, shared weights, channels in groups. Left: pairs whose expected noise would not become half; then the layers in
between still compute what the source's do.

Source: Nagel and others, Data-Free Quantization (ICCV 2019), section 4.1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import is_channels_first
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import ADD_OPS, VIEWS, Linear, addends, linear, per_channel
from tfjs_magic.graph.refs import NodeName, Ref, node_of

_HOMOGENEOUS = VIEWS | {"Relu", "LeakyRelu", "MaxPool", "AvgPool", "Identity"}
#: Op type → the axis of the weights along which the channels of the data lie.
_INPUT_AXIS = {"Conv2D": 2, "DepthwiseConv2dNative": 2, "Conv2DBackpropInput": 3, "MatMul": 0}
#: Rounds over all pairs: in a chain each pair moves its neighbours.
_MOST_ROUNDS = 20
#: Share of the expected noise that must be left at most.
_WORTHWHILE = 0.5
_MOST_POWERS = 12
_LARGEST = 2.0**60

#: Whether a weight, by name and values, gets one step for all its channels.
IsRounded = Callable[[str, Array], bool]


@dataclasses.dataclass(frozen=True)
class _Pair:
    """Two linear ops, and the nodes from the first on that stand before the second."""

    first: NodeName
    bias: NodeName | None
    between: tuple[NodeName, ...]
    second: NodeName


@dataclasses.dataclass(frozen=True)
class _Channels:
    """Of each channel between two kernels: the largest size and the sum of squares of the kernel's values there."""

    largest: NDArray[np.float64]
    squares: NDArray[np.float64]
    values: int


def equalize(graph: Graph, is_rounded: IsRounded) -> int:
    """Equalise every pair of kernels where that is exact and worthwhile; return how many pairs changed.

    Args:
        graph: Its activations are not fused yet; edited.
        is_rounded: Both kernels of a pair must be.
    """
    pairs = [pair for node in graph if (pair := _pair(graph, node, is_rounded)) is not None]
    changed: set[NodeName] = set()
    for _ in range(_MOST_ROUNDS):
        now = {pair.first for pair in pairs if _equalize(graph, pair)}
        changed |= now
        if not now:
            break
    return len(changed)


def _pair(graph: Graph, node: Node, is_rounded: IsRounded) -> _Pair | None:
    first = _own_kernel(graph, node, is_rounded)
    bias: NodeName | None = None
    between = [node.name]
    while first is not None and (following := graph.only_consumer(between[-1])) is not None:
        data = graph[between[-1]].ref()
        second = _own_kernel(graph, following, is_rounded)
        if second is not None:
            fits = _takes(second, data) and second.weights.shape[_input_axis(second)] == first.channels
            return _Pair(node.name, bias, tuple(between), following.name) if fits else None
        if following.op in ADD_OPS:
            offset = _own_bias(graph, following, data, first)
            if bias is not None or len(between) > 1 or offset is None:
                return None
            bias = offset
        elif following.op not in _HOMOGENEOUS or is_channels_first(graph, following) or following.inputs[0] != data:
            return None
        if (graph.shape(following.ref()) or (None,))[-1] != first.channels:
            return None
        between.append(following.name)
    return None


def _own_kernel(graph: Graph, node: Node, is_rounded: IsRounded) -> Linear | None:
    """Return a linear op whose weights are its own."""
    found = linear(graph, node)
    if found is None or found.weights.dtype != np.float32 or not found.weights.size:
        return None
    name = node_of(found.weight_ref)
    own = graph.only_consumer(name) is node and is_rounded(name, found.weights)
    return found if own and np.isfinite(found.weights).all() else None


def _takes(second: Linear, data: Ref) -> bool:
    """Whether the op takes the data as data, channel by channel."""
    node = second.node
    place = 2 if node.op == "Conv2DBackpropInput" else 0
    return node.inputs[place] == data and not node.attrs.get("transpose_a", False)


def _own_bias(graph: Graph, node: Node, data: Ref, first: Linear) -> NodeName | None:
    for left, offset in addends(node):
        value = graph.constant(offset)
        if left == data and value is not None and value.dtype == np.float32:
            own = graph.only_consumer(node_of(offset)) is node
            return node_of(offset) if own and per_channel(value, first.channels, first.rank) is not None else None
    return None


def _input_axis(op: Linear) -> int:
    return 1 if op.node.attrs.get("transpose_b", False) else _INPUT_AXIS[op.node.op]


def _equalize(graph: Graph, pair: _Pair) -> bool:
    first, second = linear(graph, graph[pair.first]), linear(graph, graph[pair.second])
    assert first is not None
    assert second is not None
    before, after = _out_of(first), _into(second)
    bias = None if pair.bias is None else graph[pair.bias]
    offset = None if bias is None else per_channel(bias.value, first.channels, first.rank)
    if (scale := _scale(before, after, np.zeros(first.channels) if offset is None else offset)) is None:
        return False
    changed = {node_of(first.weight_ref): (first.weights, first.scaled(scale))}
    axis = [-1 if i == _input_axis(second) else 1 for i in range(second.weights.ndim)]
    changed[node_of(second.weight_ref)] = (second.weights, _times(second.weights, 1 / scale.reshape(axis)))
    if bias is not None and bias.value is not None:
        changed[bias.name] = (bias.value, _times(bias.value, scale))
    if any(np.count_nonzero(old) != np.count_nonzero(new) or not _exact(new) for old, new in changed.values()):
        return False
    for name, (_, new) in changed.items():
        graph.replace_node(name, dataclasses.replace(graph[name], value=new))
    graph.forget_layers(*pair.between)
    return True


def _times(values: Array, factor: NDArray[np.float64]) -> Array:
    with np.errstate(over="ignore", under="ignore"):
        return (values * factor).astype(np.float32)


def _exact(values: Array) -> bool:
    """Whether all are far from the ends of float32's range, where bits are lost, and so what is made of them."""
    sizes = np.abs(values)
    return bool((sizes < _LARGEST).all() and not ((sizes > 0) & (sizes < 1 / _LARGEST)).any())


def _out_of(op: Linear) -> _Channels:
    kernel = op.weights
    if op.node.op == "DepthwiseConv2dNative":
        kernel = kernel.reshape(*kernel.shape[:2], -1)
        return _channels(kernel, 2)
    transposed = op.node.op == "Conv2DBackpropInput" or op.node.attrs.get("transpose_b", False)
    return _channels(kernel, kernel.ndim - 2 if transposed else kernel.ndim - 1)


def _into(op: Linear) -> _Channels:
    return _channels(op.weights, _input_axis(op))


def _channels(kernel: Array, axis: int) -> _Channels:
    others = tuple(i for i in range(kernel.ndim) if i != axis)
    return _Channels(
        np.abs(kernel).max(others).astype(np.float64),
        np.square(kernel, dtype=np.float64).sum(others),
        kernel.size // kernel.shape[axis],
    )


def _scale(before: _Channels, after: _Channels, bias: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return a power of two per channel; None if that gains too little.

    With both kernels' largest values the same in each channel, no channel spoils the step of the others. What stands
    between them may be as large as the kernel makes it, or as its bias, which data alone tell: it gains in both cases.
    """
    used = (before.largest > 0) & (after.largest > 0)
    if not used.any():
        return None
    powers = np.zeros(len(used))
    powers[used] = np.log2(after.largest[used] / before.largest[used]) / 2
    powers[used] = np.round(powers[used] - np.median(powers[used])).clip(-_MOST_POWERS, _MOST_POWERS)
    scale = 2.0**powers
    same = np.ones_like(scale)
    biased = dataclasses.replace(before, squares=before.squares + np.square(bias))
    gains = (_noise(case, after, scale) <= _WORTHWHILE * _noise(case, after, same) for case in (before, biased))
    return scale if all(gains) else None


def _noise(before: _Channels, after: _Channels, scale: NDArray[np.float64]) -> float:
    """Return what rounding adds to the second op's outputs, up to a factor that does not depend on ``scale``.

    Each value of a kernel is off by its largest value times a constant; what passes through a channel is as large as
    the first kernel there, and what becomes of it as the second.
    """
    one = np.square((before.largest * scale).max()) * before.values * (after.squares / np.square(scale)).sum()
    other = np.square((after.largest / scale).max()) * after.values * (before.squares * np.square(scale)).sum()
    return float(one + other)
