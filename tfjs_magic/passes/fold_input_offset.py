"""Fold the β of a layer normalisation into the biases of the linear ops behind; its γ may then be folded, too.

Given:   y = Linear(Add(Mul(Mul(d, Rsqrt(v)), γ), β), W)      β constant, one number per channel or a scalar
Result:  y = Add(Linear(Mul(Mul(d, Rsqrt(v)), γ), W), β·W)    MatMul, and Conv2D without padding

There may be several linear ops, and between reshapes that keep the last axis. Add stands for Add, AddV2 and BiasAdd.
What is normalised is about one: β·W cannot take most of a far larger sum away, as with other data.

Refuses: an operand is transposed, zeros are padded, or β·W is not finite. Left: what anything else uses.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import takes_floats
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import ADD_OPS, VIEWS, Linear, addends, linear_ends, names_before, per_channel
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    """``data`` takes the place of the sum; per linear op what is added behind, (C_out,)."""

    sum: Node
    data: Ref
    offsets: list[tuple[Node, Array]]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not takes_floats(graph, node):
        return None
    for data, offset in addends(node):
        shape, value = graph.shape(data) or (None,), graph.constant(offset)
        is_normalised = value is not None and shape[-1] is not None and _is_normalised(graph, graph.producer(data))
        if not is_normalised or not (ends := linear_ends(graph, node, VIEWS)):
            continue
        if (vector := per_channel(value, shape[-1] or 0, len(shape))) is None:
            return Miss("the offset is not one number per channel")
        if not all(_is_plain(end.node) for end in ends):
            return Miss("an operand is transposed, or zeros are padded")
        offsets = [(end.node, _product(end, vector)) for end in ends]
        if not all(np.isfinite(value).all() for _, value in offsets):
            return Miss("the folded offset is not finite")
        return _Match(node, data, offsets)
    return None


def _is_normalised(graph: Graph, node: Node) -> bool:
    """Whether a node divides by a root, and may multiply by γ, in either order."""
    factors = [graph.producer(ref) for ref in node.inputs] if node.op == "Mul" else []
    inner = [graph.producer(ref) for factor in factors if factor.op == "Mul" for ref in factor.inputs]
    return any(factor.op == "Rsqrt" for factor in (*factors, *inner))


def _is_plain(node: Node) -> bool:
    if node.op == "MatMul":
        return not node.attrs.get("transpose_b", False)
    return node.op == "Conv2D" and node.attrs["padding"] == b"VALID"


def _product(end: Linear, offset: NDArray[np.float64]) -> Array:
    """Return what an offset of all its channels adds to the output."""
    kernel = end.weights.reshape(-1, *end.weights.shape[-2:])
    with np.errstate(over="ignore"):
        product: Array = np.einsum("i,kio->o", offset, kernel, dtype=np.float64).astype(np.float32)
    return product


def _apply(graph: Graph, match: _Match) -> None:
    graph.forget_layers(*names_before(graph, match.sum, {node.name for node, _ in match.offsets}))
    for node, offset in match.offsets:
        new = Lowering(graph, node)
        product = new.add(node.op, *node.inputs, **node.attrs)
        graph.set_shape(product, graph.shape(node.ref()))
        new.replace("AddV2", product, new.constant(offset, "float32"), T=FLOAT32)
    graph.replace_uses(match.sum.ref(), match.data)


PASS = Rewrite(__name__, ADD_OPS, _match, _apply)
