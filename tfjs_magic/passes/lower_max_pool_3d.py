"""Lower MaxPool3D, which starts above zero on wasm, to two 2-D poolings: a maximum is one of the maxima.

Given:   y = MaxPool3D(x)                             x (N, D, H, W, C); window and strides per axis
Result:  y = Reshape(MaxPool(Reshape(MaxPool(Reshape(x)))))
         first over H and W of (N·D, H, W, C), then over D of (N, D, H'·W', C)

Refuses: a size is unknown; the channels are not last.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    """Sizes (D, H, W, C) of the data and of the result."""

    node: Node
    given: tuple[int, ...]
    made: tuple[int, ...]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    given, made = graph.shape(node.inputs[0]), graph.shape(node.name)
    if given is None or made is None or None in (*given[1:], *made[1:]):
        return Miss("the size of the data is unknown")
    if node.attrs.get("data_format", b"NDHWC") != b"NDHWC":
        return Miss("the channels are not last")
    return _Match(node, *(tuple(side or 0 for side in shape[1:]) for shape in (given, made)))


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    (depth, height, width, channels), (_, rows, columns, _) = match.given, match.made
    window, strides = node.attrs["ksize"], node.attrs["strides"]
    assert isinstance(window, tuple)
    assert isinstance(strides, tuple)
    types = {"T": node.attrs["T"], "padding": node.attrs["padding"], "data_format": b"NHWC"}
    data = new.reshape(node.inputs[0], [-1, height, width, channels], node.attrs["T"])
    data = new.add("MaxPool", data, ksize=(1, *window[2:]), strides=(1, *strides[2:]), **types)
    data = new.reshape(data, [-1, depth, rows * columns, channels], node.attrs["T"])
    data = new.add("MaxPool", data, ksize=(1, window[1], 1, 1), strides=(1, strides[1], 1, 1), **types)
    new.replace("Reshape", data, new.constant([-1, *match.made]), T=node.attrs["T"], Tshape=INT32)


LOWER_MAX_POOL_3D = Rewrite("lower_max_pool_3d", frozenset({"MaxPool3D"}), _match, _apply)
