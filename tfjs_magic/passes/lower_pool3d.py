"""Lower 3-D pooling to two 2-D ones: maxima and means are taken axis by axis.

Given:   y = MaxPool3D(x), or AvgPool3D      x (N, D, H, W, C), window (d, h, w)
Result:  y = Reshape(MaxPool(Reshape(MaxPool(Reshape(x)))))
         (N·D, H, W, C) with window (h, w), then (N, D, H'·W', C) with window (d, 1)

TF.js pads SAME by a negative number where the strides leave data out; wasm starts maxima above zero.

Refuses: a size is unknown; the channels are not last.
Source: tfjs-core ``src/ops/conv_util.ts``, ``get3DPadAndOutInfo``, 4.22.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.conditions import is_channels_first
from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    """Sizes (D, H, W, C) and (D', H', W', C)."""

    node: Node
    given: tuple[int, ...]
    made: tuple[int, ...]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if is_channels_first(graph, node):
        return Miss("the channels are not last")
    shapes = graph.shape(node.inputs[0]), graph.shape(node.ref())
    given, made = (tuple(side for side in (shape or ())[1:] if side is not None) for shape in shapes)
    if len(given) != 4 or len(made) != 4:
        return Miss("a size is unknown")
    return _Match(node, given, made)


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    op, dtype = node.op.removesuffix("3D"), node.attrs["T"]
    depth, *image, channels = match.given
    _, height, width, _ = match.made
    window, strides = node.attrs["ksize"], node.attrs["strides"]
    assert isinstance(window, tuple)
    assert isinstance(strides, tuple)
    common: dict[str, Attr] = {"T": dtype, "padding": node.attrs["padding"], "data_format": b"NHWC"}
    data = new.reshape(node.inputs[0], [-1, *image, channels], dtype)
    data = new.add(op, data, ksize=(1, *window[2:]), strides=(1, *strides[2:]), **common)
    data = new.reshape(data, [-1, depth, height * width, channels], dtype)
    data = new.add(op, data, ksize=(1, window[1], 1, 1), strides=(1, strides[1], 1, 1), **common)
    new.replace("Reshape", data, new.constant([-1, *match.made]), T=dtype, Tshape=INT32)


PASS = Rewrite(__name__, frozenset({"AvgPool3D", "MaxPool3D"}), _match, _apply)
