"""Put the channels last: TF.js computes with them first wrongly, or not at all.

Given:   y = Conv2D(x), MaxPool(x), BiasAdd(x) …      data_format NCHW or NCDHW
Result:  y = Transpose(Conv2D(Transpose(x)))          NHWC or NDHWC; strides, dilations, windows and paddings with it

``merge_transposes`` takes pairs of transposes away again.

Refuses: the rank of a bias's data is unknown.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

#: Op type → position of its data. The first output is data, too.
_DATA = {
    "AvgPool": 0,
    "AvgPool3D": 0,
    "BiasAdd": 0,
    "Conv2D": 0,
    "Conv2DBackpropInput": 2,
    "Conv3D": 0,
    "Conv3DBackpropInputV2": 2,
    "DepthToSpace": 0,
    "DepthwiseConv2dNative": 0,
    "FusedBatchNorm": 0,
    "FusedBatchNormV2": 0,
    "FusedBatchNormV3": 0,
    "MaxPool": 0,
    "MaxPool3D": 0,
    "SpaceToDepth": 0,
}


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    rank: int


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    data_format = node.attrs.get("data_format", b"NHWC")
    if data_format not in {b"NCHW", b"NCDHW"}:
        return None
    shape = graph.shape(node.inputs[_DATA[node.op]])
    if node.op == "BiasAdd" and shape is None:
        return Miss("the rank is unknown")
    assert isinstance(data_format, bytes)
    return _Match(node, len(shape) if shape is not None else len(data_format))


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    to_last = [0, *range(2, match.rank), 1]
    to_first = [0, match.rank - 1, *range(1, match.rank - 1)]
    types: dict[str, Attr] = {"T": node.attrs["T"], "Tperm": INT32}
    position, inputs = _DATA[node.op], list(node.inputs)
    inputs[position] = new.add("Transpose", inputs[position], new.constant(to_last), **types)
    if node.op in {"Conv2DBackpropInput", "Conv3DBackpropInputV2"}:
        inputs[0] = new.add(
            "GatherV2", inputs[0], new.constant(to_last), new.constant(0), Tparams=INT32, Tindices=INT32
        )
    attrs = {key: _moved(key, value, to_last) for key, value in node.attrs.items()}
    attrs["data_format"] = b"NHWC" if match.rank < 5 else b"NDHWC"
    last = new.add(node.op, *inputs, **attrs)
    for ref, first in ((inputs[position], node.inputs[position]), (last, node.ref())):
        shape = graph.shape(first)
        graph.set_shape(ref, None if shape is None else tuple(shape[i] for i in to_last))
    for port in graph.used_ports(node.name) - {0}:
        graph.replace_uses(node.ref(port), graph.producer(last).ref(port))
    new.replace("Transpose", last, new.constant(to_first), **types)


def _moved(key: str, value: Attr, order: list[int]) -> Attr:
    """Put the entries per axis in the new order; explicit paddings have two of them."""
    if not isinstance(value, tuple):
        return value
    if key in {"strides", "dilations", "ksize"} and len(value) == len(order):
        return tuple(value[i] for i in order)
    if key == "explicit_paddings" and len(value) == 2 * len(order):
        return tuple(value[2 * i + side] for i in order for side in (0, 1))
    return value


PASS = Rewrite(__name__, frozenset(_DATA), _match, _apply)
