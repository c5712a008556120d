"""Lower DepthToSpace of anything but floats, which alone TF.js takes.

Given:   y = DepthToSpace(x)                             x (N, H, W, b·b·C), blocks of b × b
Result:  y = Reshape(Transpose(Reshape(x)))              (N·H, W, b, b·C), with the middle axes exchanged

Refuses: H, W or the number of channels is unknown; the channels are not last.
Source: TensorFlow ``core/ops/array_ops.cc``, ``DepthToSpace``.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.conditions import is_channels_first, takes_no_floats
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    block: int
    sides: tuple[int, int, int]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not takes_no_floats(graph, node):
        return None
    if is_channels_first(graph, node):
        return Miss("the channels are not last")
    shape, block = graph.shape(node.inputs[0]), node.attrs["block_size"]
    assert isinstance(block, int)
    if shape is None or shape[1] is None or shape[2] is None or shape[3] is None:
        return Miss("a size is unknown")
    return _Match(node, block, (shape[1], shape[2], shape[3]))


def _apply(graph: Graph, match: _Match) -> None:
    node, new, block = match.node, Lowering(graph, match.node), match.block
    height, width, depth = match.sides
    dtype, channels = node.attrs["T"], depth // block**2
    data = new.reshape(node.inputs[0], [-1, width, block, block * channels], dtype)
    data = new.add("Transpose", data, new.constant([0, 2, 1, 3]), T=dtype, Tperm=INT32)
    shape = new.constant([-1, height * block, width * block, channels])
    new.replace("Reshape", data, shape, T=dtype, Tshape=INT32)


PASS = Rewrite(__name__, frozenset({"DepthToSpace"}), _match, _apply)
