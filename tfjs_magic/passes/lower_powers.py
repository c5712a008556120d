"""Write powers of small whole numbers as products: a power takes wasm 20 times as long.

Given:   y = Pow(x, n)          n a constant, 2 or 3, floats
Result:  y = Mul(x, x), or Mul(Mul(x, x), x)

Left: other exponents.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.conditions import takes_floats
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import Lowering
from tfjs_magic.passes.rewrite import Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    exponent: int


def _match(graph: Graph, node: Node) -> _Match | None:
    value = graph.constant(node.inputs[1])
    if value is None or value.size != 1 or not takes_floats(graph, node) or float(value.ravel()[0]) not in {2.0, 3.0}:
        return None
    shape = graph.shape(node.inputs[0])
    return None if shape is None or len(shape) < value.ndim else _Match(node, int(value.ravel()[0]))


def _apply(graph: Graph, match: _Match) -> None:
    new, data, dtype = Lowering(graph, match.node), match.node.inputs[0], match.node.attrs["T"]
    first = data if match.exponent == 2 else new.add("Mul", data, data, T=dtype)
    new.replace("Mul", first, data, T=dtype)


PASS = Rewrite(__name__, frozenset({"Pow"}), _match, _apply)
