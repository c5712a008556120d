"""Add a computed row as it is, not as a bias.

Given:   y = BiasAdd(x, Squeeze(r))      r (1, …, 1, C), computed; also ExpandDims and Reshape
Result:  y = AddV2(x, r)

Keras adds this way what it computes for one sample, such as h·U in a step of an LSTM.

Refuses: r has more axes than x, another one that is not 1, or an unknown size.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import VIEWS
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    row: Ref


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    view = graph.producer(node.inputs[1])
    if view.op not in VIEWS or node.attrs.get("data_format", b"NHWC") != b"NHWC":
        return None
    data, row, bias = (graph.shape(ref) for ref in (node.inputs[0], view.inputs[0], node.inputs[1]))
    if data is None or row is None or bias is None or len(row) > len(data):
        return Miss("what is added has more axes")
    if row != (*(1,) * (len(row) - 1), *bias) or None in row:
        return Miss("what is added is no row")
    return _Match(node, view.inputs[0])


def _apply(graph: Graph, match: _Match) -> None:
    node = match.node
    graph.replace_node(node.name, Node(node.name, "AddV2", [node.inputs[0], match.row], {"T": node.attrs["T"]}))


PASS = Rewrite(__name__, frozenset({"BiasAdd"}), _match, _apply)
