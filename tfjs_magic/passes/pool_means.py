"""Take the mean of an image by a pooling: wasm is 6 to 9 times as fast, and GPUs need one program for three or four.

Given:   y = Mean(x, (1, 2))              x (N, H, W, C) float32
Result:  y = AvgPool(x)                   a window of H by W, where the axes are kept
         y = Reshape(AvgPool(x))          else

On a GPU one thread adds a whole window: up to 64 by 64 values that takes less than the programs that are saved. On wasm
the mean of NaN is -inf then, as a convolution of NaN is there.

Refuses: a size is unknown; the image is larger, or one pixel, for which wasm has no pooling.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.conditions import reduced_axes, takes_floats
from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_MOST_VALUES = 64 * 64


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    height: int
    width: int


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    shape, axes = graph.shape(node.inputs[0]), reduced_axes(graph, node)
    if shape is None or len(shape) != 4 or sorted(axes or ()) != [1, 2] or not takes_floats(graph, node):
        return None
    _, height, width, channels = shape
    if height is None or width is None or channels is None:
        return Miss("a size is unknown")
    if not 1 < height * width <= _MOST_VALUES:
        return Miss(f"the image has one pixel, none, or more than {_MOST_VALUES}")
    return _Match(node, height, width)


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    window = (1, match.height, match.width, 1)
    attrs: dict[str, Attr] = {"ksize": window, "strides": window, "padding": b"VALID", "data_format": b"NHWC"}
    if node.attrs.get("keep_dims", False):
        new.replace("AvgPool", node.inputs[0], T=node.attrs["T"], **attrs)
        return
    pooled = new.add("AvgPool", node.inputs[0], T=node.attrs["T"], **attrs)
    channels = (graph.shape(node.inputs[0]) or ())[3]
    new.replace("Reshape", pooled, new.constant([-1, channels]), T=node.attrs["T"], Tshape=INT32)


PASS = Rewrite(__name__, frozenset({"Mean"}), _match, _apply)
