"""Lower ExtractImagePatches, which TF.js lacks and many vision transformers begin with.

Given:   y = ExtractImagePatches(x)                  x (N, H, W, C), patches (h, w), strides, rates
Result:  y = Reshape(Transpose(Reshape(x)))          where the patches tile the image: (N·H/h, h, W/w, w·C), exchanged
         y = Reshape(GatherV2(Reshape(Pad(x))))      else: (N, H·W, C), by the places of each patch

Sizes that are known only in the browser are taken there, and the places computed.

Refuses: the rank is unknown; no patch fits in.
Source: TensorFlow ``core/ops/array_ops.cc``, ``ExtractImagePatches``.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import axis_sizes
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Steps:
    """How patches are taken along an axis."""

    patch: int
    stride: int
    rate: int

    @property
    def reach(self) -> int:
        """How many values a patch spans."""
        return (self.patch - 1) * self.rate + 1

    @property
    def inner(self) -> Array:
        """Where a patch takes its values, from its first on."""
        return self.rate * np.arange(self.patch)


@dataclasses.dataclass(frozen=True)
class _Axis:
    """An axis of the image; ``made`` is the number of patches."""

    steps: _Steps
    size: int
    made: int

    @property
    def tiled(self) -> bool:
        """Whether the patches cover the axis without gap, overlap and rest."""
        steps = self.steps
        return steps.rate == 1 and steps.patch == steps.stride and steps.patch * self.made == self.size

    @property
    def padding(self) -> tuple[int, int]:
        """Zeros in front and behind that the patches reach into."""
        total = max((self.made - 1) * self.steps.stride + self.steps.reach - self.size, 0)
        return total // 2, total - total // 2

    @property
    def places(self) -> Array:
        """Where each patch (made, patch) is taken from, in the padded axis."""
        return self.steps.stride * np.arange(self.made)[:, None] + self.steps.inner


@dataclasses.dataclass(frozen=True)
class _Match:
    """``axes`` is None where a size is unknown."""

    node: Node
    steps: tuple[_Steps, _Steps]
    axes: tuple[_Axis, _Axis] | None


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    given, made = graph.shape(node.inputs[0]), graph.shape(node.ref())
    if given is None:
        return Miss("the rank of the images is unknown")
    if 0 in (made or ())[1:]:
        return Miss("no patch fits in")
    first, second = zip(*(axis_sizes(node, key) for key in ("ksizes", "strides", "rates")), strict=True)
    steps = _Steps(*first), _Steps(*second)
    if made is None or None in (*given[1:], *made[1:]):
        return _Match(node, steps, None)
    axes = [_Axis(each, given[i] or 0, made[i] or 0) for i, each in enumerate(steps, start=1)]
    return _Match(node, steps, (axes[0], axes[1]))


def _apply(graph: Graph, match: _Match) -> None:
    if match.axes is None:
        _apply_to_any_size(graph, match)
        return
    node, new = match.node, Lowering(graph, match.node)
    (first, second), dtype = match.axes, node.attrs["T"]
    channels = (graph.shape(node.inputs[0]) or ())[3] or 0
    patch, other = (steps.patch for steps in match.steps)
    made = new.constant([-1, first.made, second.made, patch * other * channels])
    data = node.inputs[0]
    if first.tiled and second.tiled:
        shape = new.constant([-1, patch, second.made, other * channels])
        data = new.add("Reshape", data, shape, T=dtype, Tshape=INT32)
        data = new.add("Transpose", data, new.constant([0, 2, 1, 3]), T=dtype, Tperm=INT32)
        new.replace("Reshape", data, made, T=dtype, Tshape=INT32)
        return
    paddings = [(0, 0), first.padding, second.padding, (0, 0)]
    if any(map(any, paddings)):
        data = new.add("Pad", data, new.constant(paddings), T=dtype, Tpaddings=INT32)
    height, width = (axis.size + sum(axis.padding) for axis in match.axes)
    data = new.reshape(data, [-1, height * width, channels], dtype)
    places = first.places[:, None, :, None] * width + second.places[None, :, None, :]
    _gather(new, node, data, new.constant(places.ravel()), made)


def _gather(new: Lowering, node: Node, data: Ref, places: Ref, made: Ref) -> None:
    """Gather rows of (N, H·W, C), and give them their shape."""
    dtype = node.attrs["T"]
    data = new.add("GatherV2", data, places, new.constant(1), Tparams=dtype, Tindices=INT32, Taxis=INT32, batch_dims=0)
    new.replace("Reshape", data, made, T=dtype, Tshape=INT32)


def _apply_to_any_size(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    data, dtype, channels = node.inputs[0], node.attrs["T"], new.size(node.inputs[0], 3)
    sides, numbers, places = [], [], []
    zeros: list[int | Ref] = [0, 0]
    for axis, steps in enumerate(match.steps, start=1):
        side = new.size(data, axis)
        made, front, behind = _counted(new, steps, side, is_padded=node.attrs["padding"] == b"SAME")
        zeros += [front, behind]
        sides.append(new.integer("AddV2", side, new.integer("AddV2", front, behind)))
        numbers.append(made)
        first = new.add("Mul", new.range(made), new.constant(steps.stride), T=INT32)
        inner = new.constant(steps.inner)
        places.append(new.add("AddV2", new.expand(first, 1, INT32), inner, T=INT32))
    if node.attrs["padding"] == b"SAME":
        data = new.add("Pad", data, new.reshape(new.dims([*zeros, 0, 0]), [4, 2], INT32), T=dtype, Tpaddings=INT32)
    data = new.reshape(data, [-1, new.integer("Mul", *sides), channels], dtype)
    rows, columns = places
    patch, other = (steps.patch for steps in match.steps)
    rows = new.add("Mul", new.reshape(rows, [numbers[0], 1, patch, 1], INT32), sides[1], T=INT32)
    columns = new.reshape(columns, [1, numbers[1], 1, other], INT32)
    everywhere = new.vector(new.add("AddV2", rows, columns, T=INT32), INT32)
    depth = new.integer("Mul", channels, patch * other)
    _gather(new, node, data, everywhere, new.dims([-1, *numbers, depth]))


def _counted(new: Lowering, steps: _Steps, side: Ref, *, is_padded: bool) -> tuple[Ref, int | Ref, int | Ref]:
    """Return how many patches there are along an axis, and the zeros in front and behind."""
    if not is_padded:
        fitting = new.integer("Sub", side, steps.reach - steps.stride)
        return new.quotient(fitting, steps.stride), 0, 0
    made = new.quotient(new.integer("AddV2", side, steps.stride - 1), steps.stride)
    reached = new.integer("AddV2", new.integer("Mul", made, steps.stride), steps.reach - steps.stride)
    total = new.integer("Maximum", new.integer("Sub", reached, side), 0)
    front = new.quotient(total, 2)
    return made, front, new.integer("Sub", total, front)


PASS = Rewrite(__name__, frozenset({"ExtractImagePatches"}), _match, _apply)
