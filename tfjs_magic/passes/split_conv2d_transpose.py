"""Split a transposed convolution into its phases, one convolution: wasm takes 4 to 8 times as long for the op itself.

Given:   y = Act(Add(Conv2DBackpropInput(size, W, x), b))    stride s, W (k, k, C_out, C_in); Act and Add may be missing
Result:  z = Act(Add(Conv2D(x, W'), b'))                     W' (⌈k / s⌉, ⌈k / s⌉, C_in, s·s·C_out), b' is b s·s times
         y = Slice(Reshape(Transpose(Reshape(z))))           (N, M, M, s·s·C_out) as (N, s·M, s·M, C_out)

Row s·m + p of y is the sum, over d, of row m - d of x times row s·d + p of W: for each phase p a convolution. Where
SAME cuts rows off in front, they are computed, too, if W' has fewer rows then, and sliced off, as what is too much
behind. GPUs would need more programs (a DCGAN on webgl 27 for 20).

Refuses: a size is unknown; the kernel is computed, dilated, shared, or would be over twice as large; the channels are
not last; the padding is explicit.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import axis_sizes, is_channels_first, is_dilated
from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.graph.linear import ADD_OPS, addends, per_channel
from tfjs_magic.graph.refs import node_of
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_ACTIVATIONS = frozenset({"Relu", "Relu6", "Elu", "Sigmoid", "LeakyRelu"})
_ONES = (1, 1, 1, 1)


@dataclasses.dataclass(frozen=True)
class _Axis:
    """One axis of the result.

    Attributes:
        given: Rows of x.
        size: Rows of y.
        stride: How many phases there are.
        cut: Rows that are computed in front of y.
        first: The smallest d.
        last: The largest d.
        start: Which row of W is that of the smallest d and the first phase; negative where W begins later.
    """

    given: int
    size: int
    stride: int
    cut: int
    first: int
    last: int
    start: int

    @property
    def taps(self) -> int:
        """Rows of W'."""
        return self.last - self.first + 1

    @property
    def rows(self) -> int:
        """Rows of each phase."""
        return -(-(self.size + self.cut) // self.stride)

    @property
    def paddings(self) -> tuple[int, int]:
        """Rows of zeros before x and behind it."""
        return self.last, self.rows - self.first - self.given


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    weights: Array
    axes: tuple[_Axis, _Axis]
    bias: Array | None
    activation: Node | None
    last: Node


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    weights = graph.constant(node.inputs[1])
    given, made = graph.shape(node.inputs[2]), graph.shape(node.ref())
    if is_channels_first(graph, node):
        return Miss("the channels are not last")
    if weights is None or is_dilated(graph, node) or graph.only_consumer(node_of(node.inputs[1])) is not node:
        return Miss("the kernel is computed, dilated, or shared")
    if given is None or made is None or None in given[1:3] or None in made[1:3]:
        return Miss("a size is unknown")
    if node.attrs["padding"] == b"EXPLICIT":
        return Miss("it is padded explicitly")
    cuts = node.attrs["padding"] == b"SAME"
    height, width = (
        _axis(n or 0, size or 0, k, stride, cuts=cuts)
        for n, size, k, stride in zip(
            given[1:3], made[1:3], weights.shape[:2], axis_sizes(node, "strides"), strict=True
        )
    )
    if height.taps * height.stride * width.taps * width.stride > 2 * weights.shape[0] * weights.shape[1]:
        return Miss("the kernel would be over twice as large")
    return _Match(node, weights, (height, width), *_behind(graph, node, weights.shape[2]))


def _axis(given: int, size: int, k: int, stride: int, *, cuts: bool) -> _Axis:
    """Return how an axis is computed with the fewest rows of W'."""
    before = max((given - 1) * stride + k - size, 0) // 2 if cuts else 0
    ways = []
    for cut in (0, before):
        shift = before - cut  # row s·d + p + shift of W
        first, last = -((stride - 1 + shift) // stride), (k - 1 - shift) // stride
        ways.append(_Axis(given, size, stride, cut, first, last, stride * first + shift))
    return min(ways, key=lambda axis: axis.taps)


def _behind(graph: Graph, node: Node, channels: int) -> tuple[Array | None, Node | None, Node]:
    """Return the bias and the activation behind an op, and the last node of the three."""
    bias, activation, last = None, None, node
    consumer = graph.only_consumer(node.name)
    if consumer is not None and consumer.op in ADD_OPS:
        offset = next((other for data, other in addends(consumer) if graph.producer(data) is node), None)
        value = None if offset is None else graph.constant(offset)
        if value is not None and (numbers := per_channel(value, channels, 4)) is not None:
            bias, last, consumer = numbers.astype(value.dtype), consumer, graph.only_consumer(consumer.name)
    if consumer is not None and consumer.op in _ACTIVATIONS:
        activation = last = consumer
    return bias, activation, last


def _kernel(match: _Match) -> Array:
    """Return W' from W (k, k, C_out, C_in)."""
    height, width = match.axes
    c_out, c_in = match.weights.shape[2:]
    paddings = [
        (-axis.start, axis.taps * axis.stride + axis.start - k)
        for axis, k in zip(match.axes, match.weights.shape[:2], strict=True)
    ]
    padded = np.pad(match.weights, [*paddings, (0, 0), (0, 0)])
    rows = padded.reshape(height.taps, height.stride, width.taps, width.stride, c_out, c_in)[::-1, :, ::-1]
    phases = height.stride * width.stride
    return np.ascontiguousarray(rows.transpose(0, 2, 5, 1, 3, 4).reshape(height.taps, width.taps, c_in, phases * c_out))


def _apply(graph: Graph, match: _Match) -> None:
    node, new, (height, width) = match.node, Lowering(graph, match.last), match.axes
    dtype, channels, phases = node.attrs["T"], match.weights.shape[2], height.stride * width.stride
    paddings = (0, 0, *height.paddings, *width.paddings, 0, 0)
    attrs: dict[str, Attr] = {"strides": _ONES, "dilations": _ONES, "data_format": b"NHWC", "padding": b"VALID"}
    if any(paddings):
        attrs |= {"padding": b"EXPLICIT", "explicit_paddings": paddings}
    old = graph.producer(node.inputs[1])
    data = new.add("Conv2D", node.inputs[2], node.inputs[1], T=dtype, **attrs)
    batch = (graph.shape(node.ref()) or (None,))[0]
    graph.set_shape(data, (batch, height.rows, width.rows, phases * channels))
    if match.bias is not None:
        bias = new.constant(np.tile(match.bias, phases), match.bias.dtype.name)
        data = new.add("AddV2", data, bias, T=dtype)
    if match.activation is not None:
        data = new.add(match.activation.op, data, **match.activation.attrs)
    if phases > 1:
        data = new.reshape(data, [-1, width.rows, height.stride, width.stride * channels], dtype)
        data = new.add("Transpose", data, new.constant([0, 2, 1, 3]), T=dtype, Tperm=INT32)
        data = new.reshape(data, [-1, height.rows * height.stride, width.rows * width.stride, channels], dtype)
    if any(axis.rows * axis.stride != axis.size for axis in match.axes):
        begin, sizes = new.constant([0, height.cut, width.cut, 0]), new.constant([-1, height.size, width.size, -1])
        data = new.add("Slice", data, begin, sizes, T=dtype, Index=INT32)
    graph.replace_uses(match.last.ref(), data)
    # The op is gone, so the kernel keeps its name: patterns for quantization go by it.
    graph.replace_node(old.name, dataclasses.replace(old, value=_kernel(match)))


PASS = Rewrite(__name__, frozenset({"Conv2DBackpropInput"}), _match, _apply, targets=("wasm",))
