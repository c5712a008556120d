"""Take the mean of a row by a product: layer normalisation then needs a third less programs on GPUs.

Given:   y = Mean(x, -1)                  x float32 of two to four axes, of which the last has n values
Result:  y = MatMul(x, c)                 x (N, n), c (n, 1) = 1 / n; where the axis is not kept, a Reshape behind
         y = BatchMatMulV2(x, c)          x (B, N, n)
         y = _FusedMatMul(x, c, e)        x (1, N, n), where a number e is added to it, as layer normalisation does
         y = Conv2D(x, c)                 x (B, H, W, n), c (1, 1, n, 1)

webgl has two programs for a Mean, between others that unpack and pack. It rounds as wasm does then, value by value;
infinities and NaN come out as before, everywhere. On wasm a Mean takes as long, and with a batch half as long.

Refuses: n is unknown, one, or over 4096, which are a lot for one thread of a GPU; there may be no rows; the axis is not
kept, and more than one other size is unknown.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.graph.conditions import reduced_axes, takes_floats
from tfjs_magic.graph.counts import is_counted
from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.graph.linear import addends
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_MOST_VALUES = 4096
_ONES = (1, 1, 1, 1)
_BY_RANK: dict[int, tuple[str, dict[str, Attr]]] = {
    2: ("MatMul", {"transpose_a": False, "transpose_b": False}),
    3: ("BatchMatMulV2", {"adj_x": False, "adj_y": False}),
    4: ("Conv2D", {"strides": _ONES, "dilations": _ONES, "padding": b"VALID", "data_format": b"NHWC"}),
}
_FUSED_RANK = 3
#: As a batch of products is written, so that ``unfuse`` knows it.
_FUSED: dict[str, Attr] = {
    "adj_x": False,
    "adj_y": False,
    "fused_ops": (b"BiasAdd",),
    "num_args": 1,
    "epsilon": 0.0,
}


@dataclasses.dataclass(frozen=True)
class _Match:
    """``sum`` adds a number to a batch of one; of two or four axes, a number is fused as any linear op's bias is."""

    node: Node
    rank: int
    length: int
    sum: tuple[Node, float] | None


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    shape, axes = graph.shape(node.inputs[0]), reduced_axes(graph, node)
    if shape is None or len(shape) not in _BY_RANK or axes != (len(shape) - 1,) or not takes_floats(graph, node):
        return None
    length = shape[-1]
    if length is None or not 1 < length <= _MOST_VALUES:
        return Miss(f"the number of values is unknown, below two, or over {_MOST_VALUES}")
    if 0 in shape or (None in shape and is_counted(graph, node.inputs[0])):
        return Miss("there may be no rows")
    if not node.attrs.get("keep_dims", False) and shape.count(None) > 1:
        return Miss("more than one size is unknown")
    return _Match(node, len(shape), length, _sum(graph, node))


def _sum(graph: Graph, node: Node) -> tuple[Node, float] | None:
    """Return what adds a number to the means of a batch of one; wasm adds the bias of a larger batch several times."""
    add, shape = graph.only_consumer(node.name), graph.shape(node.inputs[0]) or ()
    if add is None or len(shape) != _FUSED_RANK or shape[0] != 1 or not node.attrs.get("keep_dims", False):
        return None
    values = [graph.constant(other) for data, other in addends(add) if data == node.ref()]
    value = next((value for value in values if value is not None and value.size == 1), None)
    return None if value is None or value.ndim > _FUSED_RANK else (add, float(value.ravel()[0]))


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    op, attrs = _BY_RANK[match.rank]
    column = new.constant(np.full((*(1,) * (match.rank == 4) * 2, match.length, 1), 1 / match.length), "float32")
    if match.sum is not None:
        add, number = match.sum
        bias = new.constant([number], "float32")
        Lowering(graph, add).replace("_FusedMatMul", node.inputs[0], column, bias, T=FLOAT32, **_FUSED)
        return
    if node.attrs.get("keep_dims", False):
        new.replace(op, node.inputs[0], column, T=FLOAT32, **attrs)
        return
    product = new.add(op, node.inputs[0], column, T=FLOAT32, **attrs)
    new.replace("Reshape", product, new.shape(node.ref()), T=FLOAT32, Tshape=INT32)


PASS = Rewrite(__name__, frozenset({"Mean"}), _match, _apply, targets=("auto", "webgl", "webgpu"))
