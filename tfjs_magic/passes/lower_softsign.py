"""Lower Softsign, which TF.js lacks.

Given:   y = Softsign(x)
Result:  y = x / (1 + |x|)
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    dtype: str


def _match(_: Graph, node: Node) -> _Match | Miss | None:
    return _Match(node, str(node.attrs["T"]))


def _apply(graph: Graph, match: _Match) -> None:
    node = match.node
    attrs = {"T": node.attrs["T"]}
    (x,) = node.inputs
    size = graph.add(Node(graph.fresh_name(f"{node.name}/abs"), "Abs", [x], dict(attrs)))
    one = graph.add_constant(f"{node.name}/one", np.ones((), match.dtype))
    sum_ = graph.add(Node(graph.fresh_name(f"{node.name}/add"), "AddV2", [size.name, one], dict(attrs)))
    graph.replace_node(node.name, Node(node.name, "RealDiv", [x, sum_.name], dict(attrs)))


PASS = Rewrite(__name__, frozenset({"Softsign"}), _match, _apply)
