"""Lower ExtractImagePatches, which TF.js lacks and many vision transformers begin with.

Given:   y = ExtractImagePatches(x)                  x (N, H, W, C), patches (h, w), strides, rates
Result:  y = Reshape(Transpose(Reshape(x)))          where the patches tile the image: (N·H/h, h, W/w, w·C), exchanged
         y = Reshape(GatherV2(Reshape(Pad(x))))      else: (N, H·W, C), by the places of each patch

Refuses: a size is unknown; no patch fits in.
Source: TensorFlow ``core/ops/array_ops.cc``, ``ExtractImagePatches``.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import axis_sizes
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Axis:
    """An axis of the image; ``made`` is the number of patches."""

    size: int
    made: int
    patch: int
    stride: int
    rate: int

    @property
    def tiled(self) -> bool:
        """Whether the patches cover the axis without gap, overlap and rest."""
        return self.rate == 1 and self.patch == self.stride and self.patch * self.made == self.size

    @property
    def padding(self) -> tuple[int, int]:
        """Zeros in front and behind that the patches reach into."""
        total = max((self.made - 1) * self.stride + (self.patch - 1) * self.rate + 1 - self.size, 0)
        return total // 2, total - total // 2

    @property
    def places(self) -> Array:
        """Where each patch (made, patch) is taken from, in the padded axis."""
        return self.stride * np.arange(self.made)[:, None] + self.rate * np.arange(self.patch)


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    axes: list[_Axis]
    channels: int


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    given, made = graph.shape(node.inputs[0]), graph.shape(node.ref())
    if given is None or made is None or None in (*given[1:], *made[1:]):
        return Miss("a size is unknown")
    if 0 in made[1:]:
        return Miss("no patch fits in")
    steps = zip(*(axis_sizes(node, key) for key in ("ksizes", "strides", "rates")), strict=True)
    axes = [_Axis(given[i] or 0, made[i] or 0, *step) for i, step in enumerate(steps, start=1)]
    return _Match(node, axes, given[3] or 0)


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    (first, second), channels, dtype = match.axes, match.channels, node.attrs["T"]
    made = new.constant([-1, first.made, second.made, first.patch * second.patch * channels])
    data = node.inputs[0]
    if first.tiled and second.tiled:
        shape = new.constant([-1, first.patch, second.made, second.patch * channels])
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
    attrs = {"Tparams": dtype, "Tindices": INT32, "Taxis": INT32, "batch_dims": 0}
    data = new.add("GatherV2", data, new.constant(places.ravel()), new.constant(1), **attrs)
    new.replace("Reshape", data, made, T=dtype, Tshape=INT32)


PASS = Rewrite(__name__, frozenset({"ExtractImagePatches"}), _match, _apply)
