"""Take the mean of an image by a pooling: wasm is 6 to 9 times as fast, and GPUs need one program for three or four.

Given:   y = Mean(x, (1, 2))              x (N, H, W, C) float32
Result:  y = AvgPool(x)                   a window of H by W, where the axes are kept
         y = Reshape(AvgPool(x))          else
         y = AvgPool(AvgPool(x))          of rows, then of what they give, for over 64 by 64 pixels

On a GPU one thread adds a whole window: up to 4096 values that takes less than the programs that are saved. In two
steps it rounds a hundredth as much as wasm's Mean, which adds one value after the other. On wasm the mean of NaN is
-inf then, as a convolution of NaN is there.

Refuses: a size is unknown; it is one pixel, for which wasm has no pooling, or a window has more than 4096 values.
"""

from __future__ import annotations

import dataclasses
import math

from tfjs_magic.graph.conditions import reduced_axes, takes_floats
from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_MOST_VALUES = 64 * 64


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    windows: tuple[tuple[int, int], ...]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    shape, axes = graph.shape(node.inputs[0]), reduced_axes(graph, node)
    if shape is None or len(shape) != 4 or sorted(axes or ()) != [1, 2] or not takes_floats(graph, node):
        return None
    _, height, width, channels = shape
    if height is None or width is None or channels is None:
        return Miss("a size is unknown")
    windows = _windows(height, width)
    if not all(1 < math.prod(window) <= _MOST_VALUES for window in windows):
        return Miss(f"the image has one pixel, none, or more than {_MOST_VALUES} in a window")
    return _Match(node, windows)


def _windows(height: int, width: int) -> tuple[tuple[int, int], ...]:
    return ((height, width),) if height * width <= _MOST_VALUES else ((1, width), (height, 1))


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    keeps = bool(node.attrs.get("keep_dims", False))
    pooled = node.inputs[0]
    for window in match.windows[:-1] if keeps else match.windows:
        pooled = new.add("AvgPool", pooled, T=node.attrs["T"], **_attrs(window))
    if keeps:
        new.replace("AvgPool", pooled, T=node.attrs["T"], **_attrs(match.windows[-1]))
    else:
        channels = (graph.shape(node.inputs[0]) or ())[3]
        new.replace("Reshape", pooled, new.constant([-1, channels]), T=node.attrs["T"], Tshape=INT32)


def _attrs(window: tuple[int, int]) -> dict[str, Attr]:
    sides = (1, *window, 1)
    return {"ksize": sides, "strides": sides, "padding": b"VALID", "data_format": b"NHWC"}


PASS = Rewrite(__name__, frozenset({"Mean"}), _match, _apply)
