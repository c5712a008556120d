"""Lower the transposed 3-D convolution, which TF.js lacks, to a convolution of spread data.

Given:   y = Conv3DBackpropInputV2(size, W, x)    W (D, H, W, C_out, C_in); x (N, I_d, I_h, I_w, C_in); strides s
Result:  y = Conv3D(Pad(spread(x)), W')           W' (D, H, W, C_in, C_out), flipped; spread: s - 1 zeros after each

Per axis, O long in y: SAME has p = max((I - 1)·s + K - O, 0) // 2 in front, VALID 0; the data get K - 1 - p zeros in
front, and behind what makes the result O long. Dilations spread the kernel. Where a size is known only in the browser,
the data get K - 1 zeros on each side, of which the O + K - 1 from the place p on are taken. Weights that are computed
are flipped there.

Refuses: the channels are not last; the rank, or the size of the weights, is unknown; computed weights have dilations.
Source: TensorFlow ``core/kernels/conv_grad_shape_utils.cc``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import axis_sizes, is_channels_first
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import spread
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    """The flipped kernel, or None, and its shape; per axis: stride, and the sizes of data and result, or None."""

    node: Node
    kernel: Array | None
    window: Sequence[int]
    strides: Sequence[int]
    given: Sequence[int | None]
    made: Sequence[int | None]

    @property
    def channels(self) -> int:
        """How many the data have."""
        return self.window[3]

    @property
    def is_centred(self) -> bool:
        """Whether padding is SAME."""
        return self.node.attrs["padding"] == b"SAME"


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if is_channels_first(graph, node):
        return Miss("the channels are not last")
    given, made, window = graph.shape(node.inputs[2]), graph.shape(node.ref()), graph.shape(node.inputs[1])
    if given is None or made is None or window is None or None in window:
        return Miss("the rank of the data, or the size of the weights, is unknown")
    weights, strides = graph.constant(node.inputs[1]), axis_sizes(node, "strides")
    rates = axis_sizes(node, "dilations") or (1,) * len(strides)
    if weights is None and not {1}.issuperset(rates):
        return Miss("the weights are computed, and have dilations")
    kernel = None if weights is None else _flipped(spread(weights, rates))
    *sides, out, channels = (side or 0 for side in window)
    sides = [(side - 1) * rate + 1 for side, rate in zip(sides, rates, strict=True)]
    return _Match(node, kernel, [*sides, channels, out], strides, given[1:4], made[1:4])


def _flipped(kernel: Array) -> Array:
    """Flip (D, H, W, C_out, C_in) to (D, H, W, C_in, C_out)."""
    return np.ascontiguousarray(kernel[::-1, ::-1, ::-1].swapaxes(3, 4))


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    if None in match.given or None in match.made:
        data = _padded_in_the_browser(new, match)
    else:
        data = _padded(graph, new, match, [side or 0 for side in match.given], [side or 0 for side in match.made])
    kernel = _computed(new, match) if match.kernel is None else graph.add_constant(node.inputs[1], match.kernel)
    ones = (1, 1, 1, 1, 1)
    new.replace("Conv3D", data, kernel, T=FLOAT32, strides=ones, dilations=ones, padding=b"VALID", data_format=b"NDHWC")


def _computed(new: Lowering, match: _Match) -> Ref:
    """Flip weights in the browser: all three axes at once, as one."""
    *sides, channels, out = match.window
    flat = new.reshape(match.node.inputs[1], [math.prod(sides), out, channels], FLOAT32)
    turned = new.add("ReverseV2", flat, new.constant([0]), T=FLOAT32, Tidx=INT32)
    turned = new.add("Transpose", turned, new.constant([0, 2, 1]), T=FLOAT32, Tperm=INT32)
    return new.reshape(turned, match.window, FLOAT32)


def _padded(graph: Graph, new: Lowering, match: _Match, given: list[int], made: list[int]) -> Ref:
    """Spread the data, and add the zeros around; what has no place behind is cut off."""
    front, behind = [], []
    for i, o, stride, k in zip(given, made, match.strides, match.window[:3], strict=True):
        before = max((i - 1) * stride + k - o, 0) // 2 if match.is_centred else 0
        front.append(k - 1 - before)
        behind.append(o + before - i * stride)
    data = _spread(new, match, given)
    sides = [n * s + min(b, 0) for n, s, b in zip(given, match.strides, behind, strict=True)]
    if min(behind) < 0:
        begin = new.constant([0] * 5)
        data = new.add("Slice", data, begin, new.constant([-1, *sides, -1]), T=FLOAT32, Index=INT32)
    if data != match.node.inputs[2]:
        graph.set_shape(data, (None, *sides, match.channels))
    paddings = [[0, 0], *([f, max(b, 0)] for f, b in zip(front, behind, strict=True)), [0, 0]]
    if np.any(paddings):
        data = new.add("Pad", data, new.constant(paddings), T=FLOAT32, Tpaddings=INT32)
        padded = [side + sum(pair) for side, pair in zip(sides, paddings[1:4], strict=True)]
        graph.set_shape(data, (None, *padded, match.channels))
    return data


def _padded_in_the_browser(new: Lowering, match: _Match) -> Ref:
    """Spread the data, add as many zeros as there can be, and take what the result is made of."""
    sizes, _, x = match.node.inputs
    if match.node.attrs.get("Tshape", INT32) != "int32":
        sizes = new.add("Cast", sizes, SrcT=match.node.attrs["Tshape"], DstT=INT32)
    begin: list[int | Ref] = [0]
    taken: list[int | Ref] = [-1]
    for axis, (stride, k) in enumerate(zip(match.strides, match.window[:3], strict=True), start=1):
        o = new.element(sizes, axis)
        before: int | Ref = 0
        if match.is_centred:
            last = new.integer("Mul", new.integer("Sub", new.size(x, axis), 1), stride)
            more = new.integer("Sub", new.integer("AddV2", last, k), o)
            before = new.quotient(new.integer("Maximum", more, 0), 2)
        begin.append(before)
        taken.append(new.integer("AddV2", o, k - 1))
    given = [new.size(x, axis) if n is None else n for axis, n in enumerate(match.given, start=1)]
    data = _surrounded(new, match, _spread(new, match, given), given)
    return new.add("Slice", data, new.dims([*begin, 0]), new.dims([*taken, -1]), T=FLOAT32, Index=INT32)


def _surrounded(new: Lowering, match: _Match, data: Ref, given: Sequence[int | Ref]) -> Ref:
    """Put K - 1 zeros around spread data, axis by axis: GPUs pad no five axes."""
    now = [_product(new, pair) for pair in zip(given, match.strides, strict=True)]
    for axis, k in enumerate(match.window[:3]):
        data = new.reshape(data, [-1, now[axis], _product(new, [*now[axis + 1 :], match.channels])], FLOAT32)
        zeros = new.constant([[0, 0], [k - 1, k - 1], [0, 0]])
        data = new.add("Pad", data, zeros, T=FLOAT32, Tpaddings=INT32)
        now[axis] = new.integer("AddV2", now[axis], 2 * (k - 1))
    return new.reshape(data, [-1, *now, match.channels], FLOAT32)


def _spread(new: Lowering, match: _Match, sides: Sequence[int | Ref]) -> Ref:
    """Put stride - 1 zeros after each value, axis by axis: the axis is the second but one of (-1, length, 1, rest)."""
    data, now = match.node.inputs[2], list(sides)
    for axis, stride in enumerate(match.strides):
        if stride == 1:
            continue
        rest = _product(new, [*now[axis + 1 :], match.channels])
        data = new.reshape(data, [-1, now[axis], 1, rest], FLOAT32)
        zeros = new.constant([[0, 0], [0, 0], [0, stride - 1], [0, 0]])
        data = new.add("Pad", data, zeros, T=FLOAT32, Tpaddings=INT32)
        now[axis] = _product(new, [now[axis], stride])
    return data if now == list(sides) else new.reshape(data, [-1, *now, match.channels], FLOAT32)


def _product(new: Lowering, sizes: Sequence[int | Ref]) -> int | Ref:
    known = math.prod(size for size in sizes if not isinstance(size, str))
    product: int | Ref = known
    for size in sizes:
        if isinstance(size, str):
            product = new.integer("Mul", size, product)
    return product


PASS = Rewrite(__name__, frozenset({"Conv3DBackpropInputV2"}), _match, _apply)
