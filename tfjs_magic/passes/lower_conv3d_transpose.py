"""Lower the transposed 3-D convolution, which TF.js lacks, to a convolution of spread data.

Given:   y = Conv3DBackpropInputV2(size, W, x)    W (D, H, W, C_out, C_in); x (N, I_d, I_h, I_w, C_in); strides s
Result:  y = Conv3D(Pad(spread(x)), W')           W' (D, H, W, C_in, C_out), flipped; spread: s - 1 zeros after each

Per axis, O long in y: SAME has p = max((I - 1)·s + K - O, 0) // 2 in front, VALID 0; the data get K - 1 - p zeros in
front, and behind what makes the result O long. Dilations spread the kernel.

Refuses: the weights are computed; a size is unknown; the channels are not last.
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
    """The flipped kernel; per axis: length, stride, zeros in front and behind (negative: cut off)."""

    node: Node
    kernel: Array
    lengths: list[int]
    strides: Sequence[int]
    front: list[int]
    behind: list[int]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    weights = graph.constant(node.inputs[1])
    if weights is None or is_channels_first(graph, node):
        return Miss("the weights are computed, or the channels are not last")
    given, made = graph.shape(node.inputs[2]), graph.shape(node.ref())
    if given is None or made is None or None in (*given[1:], *made[1:]):
        return Miss("the size of the data is unknown")
    strides = axis_sizes(node, "strides")
    rates = axis_sizes(node, "dilations") or (1,) * len(strides)
    kernel = spread(weights, rates)[::-1, ::-1, ::-1].swapaxes(3, 4)
    front, behind = [], []
    for axis, (stride, k) in enumerate(zip(strides, kernel.shape[:3], strict=True)):
        i, o = given[axis + 1] or 0, made[axis + 1] or 0
        before = max((i - 1) * stride + k - o, 0) // 2 if node.attrs["padding"] == b"SAME" else 0
        front.append(k - 1 - before)
        behind.append(o + before - i * stride)
    return _Match(node, np.ascontiguousarray(kernel), [side or 0 for side in given[1:]], strides, front, behind)


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    data = _spread(new, match)
    sides = [n * s + min(b, 0) for n, s, b in zip(match.lengths, match.strides, match.behind, strict=False)]
    if min(match.behind) < 0:
        begin = new.constant([0] * 5)
        data = new.add("Slice", data, begin, new.constant([-1, *sides, -1]), T=FLOAT32, Index=INT32)
    if data != node.inputs[2]:
        graph.set_shape(data, (None, *sides, match.lengths[-1]))
    paddings = [[0, 0], *([f, max(b, 0)] for f, b in zip(match.front, match.behind, strict=True)), [0, 0]]
    if np.any(paddings):
        data = new.add("Pad", data, new.constant(paddings), T=FLOAT32, Tpaddings=INT32)
        padded = [side + sum(pair) for side, pair in zip(sides, paddings[1:4], strict=True)]
        graph.set_shape(data, (None, *padded, match.lengths[-1]))
    kernel = graph.add_constant(node.inputs[1], match.kernel)
    ones = (1, 1, 1, 1, 1)
    new.replace("Conv3D", data, kernel, T=FLOAT32, strides=ones, dilations=ones, padding=b"VALID", data_format=b"NDHWC")


def _spread(new: Lowering, match: _Match) -> Ref:
    """Put stride - 1 zeros after each value, axis by axis: the axis is the second but one of (-1, length, 1, rest)."""
    data, sides = match.node.inputs[2], list(match.lengths)
    for axis, stride in enumerate(match.strides):
        if stride == 1:
            continue
        shape = [-1, sides[axis], 1, math.prod(sides[axis + 1 :])]
        data = new.add("Reshape", data, new.constant(shape), T=FLOAT32, Tshape=INT32)
        zeros = new.constant([[0, 0], [0, 0], [0, stride - 1], [0, 0]])
        data = new.add("Pad", data, zeros, T=FLOAT32, Tpaddings=INT32)
        sides[axis] *= stride
    if sides == match.lengths:
        return data
    return new.add("Reshape", data, new.constant([-1, *sides]), T=FLOAT32, Tshape=INT32)


PASS = Rewrite(__name__, frozenset({"Conv3DBackpropInputV2"}), _match, _apply)
