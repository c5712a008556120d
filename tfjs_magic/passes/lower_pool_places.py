"""Lower MaxPoolWithArgmax, which no backend of TF.js computes as TensorFlow does, to a maximum and its place.

Given:   y, i = MaxPoolWithArgmax(x)                x (N, H, W, C), windows (h, w)
Result:  y = MaxPool(x)
         i = start of the window + first (a·W + b)·C for which x[a::, b::] == y

Each (a, b) of the window is one slice of x, padded with the least number where padding is SAME.

Refuses: the data are no floats; the height or the width is unknown.
Source: TensorFlow ``core/kernels/maxpooling_op.cc``, ``SpatialMaxPoolWithArgMaxHelper``: the first of equals counts.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import axis_sizes, takes_floats
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Axis:
    """An axis of the image; ``made`` is the number of windows."""

    size: int
    made: int
    window: int
    stride: int

    @property
    def padding(self) -> tuple[int, int]:
        """How far the windows reach beyond the axis, in front and behind."""
        total = max((self.made - 1) * self.stride + self.window - self.size, 0)
        return total // 2, total - total // 2

    @property
    def starts(self) -> Array:
        """Where each window starts, in the axis without padding."""
        return self.stride * np.arange(self.made) - self.padding[0]


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    height: _Axis
    width: _Axis


def _match(graph: Graph, node: Node) -> _Match | Miss:
    if not takes_floats(graph, node):
        return Miss("the data are no floats")
    given, made = graph.shape(node.inputs[0]), graph.shape(node.ref())
    if given is None or made is None or None in (*given[1:3], *made[1:3]):
        return Miss("the height or the width is unknown")
    steps = zip(axis_sizes(node, "ksize"), axis_sizes(node, "strides"), strict=True)
    height, width = (_Axis(given[i] or 0, made[i] or 0, *step) for i, step in enumerate(steps, start=1))
    return _Match(node, height, width)


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    (data,) = node.inputs
    attrs = {key: node.attrs[key] for key in ("T", "ksize", "strides", "padding")}
    shape = graph.shape(node.ref())
    largest = new.add("MaxPool", data, **attrs, data_format=b"NHWC", explicit_paddings=())
    graph.set_shape(largest, shape)
    graph.replace_uses(node.ref(1), _places(graph, new, match, largest))
    graph.replace_uses(node.ref(), largest)


def _places(graph: Graph, new: Lowering, match: _Match, largest: Ref) -> Ref:
    """Return the place of each maximum in the image, or in the batch, as TensorFlow counts it."""
    (data,), height, width = match.node.inputs, match.height, match.width
    channels = new.size(data, 3)

    def of_pixels(places: Any) -> Ref:
        return new.add("Mul", new.constant(places), channels, T=INT32)

    place = of_pixels((height.starts[:, None, None] * width.size + width.starts[:, None])[None])
    if match.node.attrs["include_batch_in_index"]:
        images = new.add("Mul", new.range(new.size(data, 0)), of_pixels(height.size * width.size), T=INT32)
        place = new.add("AddV2", new.reshape(images, [-1, 1, 1, 1], INT32), place, T=INT32)
    place = new.add("AddV2", place, new.range(channels), T=INT32)
    padding = [(0, 0), height.padding, width.padding, (0, 0)]
    if any(map(any, padding)):
        least = new.constant(np.finfo(np.float32).min, "float32")
        data = new.add("PadV2", data, new.constant(padding), least, T=FLOAT32, Tpaddings=INT32)
    first = new.constant(0)
    # From the last to the first, so that the first of equals is what stays.
    for i, j in reversed([*itertools.product(range(height.window), range(width.window))]):
        there = new.add("Equal", _slice(new, match, data, (i, j)), largest, T=FLOAT32)
        graph.set_shape(there, graph.shape(largest))
        first = new.add("SelectV2", there, of_pixels(i * width.size + j), first, T=INT32)
    place = new.add("AddV2", place, first, T=INT32)
    graph.set_shape(place, graph.shape(largest))
    return place


def _slice(new: Lowering, match: _Match, data: Ref, offset: tuple[int, int]) -> Ref:
    """Return what stands at one place of each window."""
    axes = [*zip((match.height, match.width), offset, strict=True)]
    begin = [0, *offset, 0]
    end = [0, *(at + (axis.made - 1) * axis.stride + 1 for axis, at in axes), 0]
    steps = [1, *(axis.stride for axis, _ in axes), 1]
    # The first and the last axis stay whole.
    masks = {"begin_mask": 9, "end_mask": 9, "ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 0}
    return new.add("StridedSlice", data, *map(new.constant, (begin, end, steps)), T=FLOAT32, Index=INT32, **masks)


PASS = Rewrite(__name__, frozenset({"MaxPoolWithArgmax"}), _match, _apply)
