"""Lower Erfc, which TF.js lacks and every exact GELU of TF 2.21 uses.

Given:   y = Erfc(x)
Result:  y = 1 - Erf(x)

The absolute error stays that of one float32 rounding; what is lost is the relative precision of the far tail
(x > 4, where erfc < 2e-8).
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
    erf = graph.add(Node(graph.fresh_name(f"{node.name}/erf"), "Erf", list(node.inputs), dict(node.attrs)))
    one = graph.add_constant(f"{node.name}/one", np.ones((), match.dtype))
    graph.replace_node(node.name, Node(node.name, "Sub", [one, erf.name], dict(node.attrs)))


PASS = Rewrite(__name__, frozenset({"Erfc"}), _match, _apply)
