"""Multiply the matrices of a batch one by one: wasm takes 2 to 13 times as long for a batch, such as attention's heads.

Given:   y = BatchMatMulV2(a, b)                          a (B…, N, K), b (B…, K, M)
Result:  y = Reshape(ConcatV2(aᵢ · bᵢ))                   aᵢ, bᵢ = Split(Reshape(a)), Split(Reshape(b))

The heads of attention lie side by side in x (1, N, H, K), so that a Transpose of it, and one of y, are not needed:

Given:   Transpose(BatchMatMulV2(Transpose(x, 0213), b), 0213)
Result:  Reshape(ConcatV2(xᵢ · bᵢ))                       along the second axis; xᵢ = Split(Reshape(x, (N, H·K)))

GPUs would need some 12 programs more for each attention of four heads.

Refuses: a size is unknown; the batches differ; there are more than 32 products, whose nodes swell the graph, or such of
less than 2¹⁶ multiplications, for which a batch takes less time.
"""

from __future__ import annotations

import dataclasses
import math

from tfjs_magic.artifacts import Dims
from tfjs_magic.graph.conditions import takes_floats
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_MOST_PRODUCTS = 32
_FEWEST_MULTIPLICATIONS = 2**16
_SIDE_BY_SIDE, _AND_SWAPPED = (0, 2, 1, 3), (0, 2, 3, 1)


@dataclasses.dataclass(frozen=True)
class _Match:
    """``shape`` is that of the product."""

    node: Node
    shape: tuple[int, ...]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not takes_floats(graph, node) or set((graph.shape(node.ref()) or ())[:-2]) <= {1}:
        return None
    a, b, made = (_known(graph.shape(ref)) for ref in (*node.inputs, node.ref()))
    if a is None or b is None or made is None:
        return Miss("a size is unknown")
    if a[:-2] != b[:-2]:
        return Miss("the batches differ")
    if math.prod(made[:-2]) > _MOST_PRODUCTS:
        return Miss(f"there are more than {_MOST_PRODUCTS} products")
    if math.prod(a[-2:]) * made[-1] < _FEWEST_MULTIPLICATIONS:
        return Miss("the products are small")
    return _Match(node, made)


def _known(shape: Dims | None) -> tuple[int, ...] | None:
    return None if shape is None or None in shape else tuple(int(size or 0) for size in shape)


def _apply(graph: Graph, match: _Match) -> None:
    node, new, count = match.node, Lowering(graph, match.node), math.prod(match.shape[:-2])
    operands = (
        _matrices(graph, new, ref, count, swaps=node.attrs.get(key) is True)
        for ref, key in zip(node.inputs, ("adj_x", "adj_y"), strict=True)
    )
    products = [
        new.add("BatchMatMulV2", *pair, T=FLOAT32, adj_x=False, adj_y=False) for pair in zip(*operands, strict=True)
    ]
    behind = graph.only_consumer(node.name)
    is_undone = behind is not None and _order(graph, behind) == _SIDE_BY_SIDE and match.shape[0] == 1
    joined = new.add("ConcatV2", *products, new.constant(int(is_undone)), T=FLOAT32, Tidx=INT32, N=count)
    if behind is not None and is_undone:
        _, heads, rows, columns = match.shape
        graph.replace_uses(behind.ref(), new.reshape(joined, [1, rows, heads, columns], FLOAT32))
    else:
        new.replace("Reshape", joined, new.constant(match.shape), T=FLOAT32, Tshape=INT32)


def _matrices(graph: Graph, new: Lowering, ref: Ref, count: int, *, swaps: bool) -> list[Ref]:
    """Return the matrices of an operand, rows and columns exchanged if ``swaps``."""
    source = graph.producer(ref)
    order, shape = _order(graph, source), _known(graph.shape(ref)) or ()
    rows, columns = shape[-2:]
    if order in {_SIDE_BY_SIDE, _AND_SWAPPED} and shape[0] == 1:
        if order == _AND_SWAPPED:
            rows, columns, swaps = columns, rows, not swaps
        flat, axis = new.reshape(source.inputs[0], [rows, count * columns], FLOAT32), 1
        if swaps:
            flat, axis = new.add("Transpose", flat, new.constant([1, 0]), T=FLOAT32, Tperm=INT32), 0
    else:
        if swaps:
            matrices = new.reshape(ref, [count, rows, columns], FLOAT32)
            ref = new.add("Transpose", matrices, new.constant([0, 2, 1]), T=FLOAT32, Tperm=INT32)
        flat, axis = new.reshape(ref, [-1, rows if swaps else columns], FLOAT32), 0
    split = graph.producer(new.add("Split", new.constant(axis), flat, T=FLOAT32, num_split=count))
    for port in range(count):
        graph.set_shape(split.ref(port), (columns, rows) if swaps else (rows, columns))
    return [split.ref(port) for port in range(count)]


def _order(graph: Graph, node: Node) -> tuple[int, ...] | None:
    """Return the order in which a Transpose puts axes."""
    order = graph.constant(node.inputs[1]) if node.op == "Transpose" else None
    return None if order is None else tuple(order.tolist())


PASS = Rewrite(__name__, frozenset({"BatchMatMul", "BatchMatMulV2"}), _match, _apply, targets=("wasm",))
