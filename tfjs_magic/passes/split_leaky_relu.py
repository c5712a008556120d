"""Write a leaky relu as two relus: wasm computes it number by number, also behind a convolution that it is fused with.

Given:   y = LeakyRelu(x, α)
Result:  y = Sub(Relu(x), Relu(Mul(x, -α)))       to the bit; but webgl's Relu of -inf is NaN, and wasm's of NaN 0

Three ops more, for a sixth of the time for a value: it pays from some 2¹⁴ values on.

Refuses: α is not positive; there are fewer than 2¹⁵ values, unknown sizes not counted.
"""

from __future__ import annotations

import numpy as np

from tfjs_magic.graph.conditions import takes_floats
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import FEW_VALUES, FLOAT32, Lowering, has_many_values
from tfjs_magic.passes.rewrite import Miss, Rewrite


def _match(graph: Graph, node: Node) -> Node | Miss | None:
    if not takes_floats(graph, node):
        return None
    if not _slope(node) > 0:
        return Miss("the slope is not positive")
    return node if has_many_values(graph, node.ref()) else Miss(FEW_VALUES)


def _slope(node: Node) -> float:
    alpha = node.attrs.get("alpha", 0.2)
    assert isinstance(alpha, float)
    return alpha


def _apply(graph: Graph, node: Node) -> None:
    new, (data,) = Lowering(graph, node), node.inputs
    negative = new.add("Mul", data, new.constant(np.float32(-_slope(node)), "float32"), T=FLOAT32)
    new.replace("Sub", *(new.add("Relu", ref, T=FLOAT32) for ref in (data, negative)), T=FLOAT32)


PASS = Rewrite(__name__, frozenset({"LeakyRelu"}), _match, _apply, targets=("wasm",))
