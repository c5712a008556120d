"""Lower SpaceToDepth, which TF.js lacks, and DepthToSpace of anything but floats, which alone TF.js takes.

Given:   y = SpaceToDepth(x)                             x (N, H, W, C), blocks of b × b
Result:  y = Reshape(Transpose(Reshape(x)))              (N·H/b, b, W/b, b·C), with the middle axes exchanged
Given:   y = DepthToSpace(x)                             x (N, H, W, b·b·C)
Result:  y = Reshape(Transpose(Reshape(x)))              (N·H, W, b, b·C), with the middle axes exchanged

H and W that are known only in the browser are computed there.

Refuses: the number of channels is unknown; the channels are not last.
Source: TensorFlow ``core/ops/array_ops.cc``.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.conditions import is_channels_first, takes_no_floats
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    block: int
    channels: int


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if node.op == "DepthToSpace" and not takes_no_floats(graph, node):
        return None
    if is_channels_first(graph, node):
        return Miss("the channels are not last")
    shape, block = graph.shape(node.inputs[0]), node.attrs["block_size"]
    assert isinstance(block, int)
    if shape is None or shape[3] is None:
        return Miss("the number of channels is unknown")
    return _Match(node, block, shape[3])


def _apply(graph: Graph, match: _Match) -> None:
    node, new, block, channels = match.node, Lowering(graph, match.node), match.block, match.channels
    x, dtype = node.inputs[0], node.attrs["T"]
    known = graph.shape(x) or ()
    given_height, given_width = (new.size(x, axis) if known[axis] is None else known[axis] or 0 for axis in (1, 2))
    op = "FloorDiv" if node.op == "SpaceToDepth" else "Mul"
    height, width = (_scaled(new, op, size, block) for size in (given_height, given_width))
    if node.op == "SpaceToDepth":
        data = new.reshape(x, [-1, block, width, block * channels], dtype)
        channels *= block**2
    else:
        channels //= block**2
        data = new.reshape(x, [-1, given_width, block, block * channels], dtype)
    data = new.add("Transpose", data, new.constant([0, 2, 1, 3]), T=dtype, Tperm=INT32)
    new.replace("Reshape", data, new.dims([-1, height, width, channels]), T=dtype, Tshape=INT32)


def _scaled(new: Lowering, op: str, size: int | Ref, block: int) -> int | Ref:
    """Return a size times the block, or divided by it."""
    if isinstance(size, int):
        return size * block if op == "Mul" else size // block
    return new.add(op, size, new.constant(block), T=INT32)


PASS = Rewrite(__name__, frozenset({"DepthToSpace", "SpaceToDepth"}), _match, _apply)
