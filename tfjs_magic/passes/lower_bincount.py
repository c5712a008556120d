"""Count with weights of 1, and examples in one row: webgpu is right with float weights and one axis only.

Given:   y = DenseBincount(x, size, [])           counts, or whether a value is there at all (binary_output)
Result:  y = Cast(DenseBincount(x, size, ones))   float32 on the way; Minimum(…, 1) for a binary output

Given:   y = DenseBincount(x, size, w)            x (N, W); w likewise, or as above
Result:  y = Reshape(DenseBincount(x', N·size, w), (N, size))
         x' = SelectV2(x < size, x + i·size, N·size + 1) of example i, flat

Refuses: the weights are integers; the number of axes is unknown, or 0.
Source: tfjs-backend-webgpu ``src/bincount_webgpu.ts``, 4.22: it takes coordinates of the input for those of the result.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.conditions import counts_without_float_weights, takes_vector
from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    dtype: DType
    is_binary: bool
    has_weights: bool
    is_vector: bool


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not counts_without_float_weights(graph, node):
        return None
    dtype, has_weights, shape = node.attrs["T"], graph.shape(node.inputs[2]) != (0,), graph.shape(node.inputs[0])
    assert isinstance(dtype, DType)
    if has_weights and dtype != "float32":
        return Miss("the weights are integers")
    if not shape:
        return Miss("the number of axes is unknown, or 0")
    is_binary = node.attrs.get("binary_output") is True
    return _Match(node, dtype, is_binary, has_weights, takes_vector(graph, node))


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    data, size, weights = node.inputs
    total, shape = size, None
    if not match.is_vector:
        total = _folded(graph, new, "Mul", new.size(data, 0), size)
        data = _flat(graph, new, match, total)
        graph.set_shape(data, (None,))
        shape = _pair(graph, new, size)
        weights = new.reshape(weights, [-1], FLOAT32) if match.has_weights else weights
    if not match.has_weights:
        floats = new.add("Cast", data, SrcT=node.attrs["Tidx"], DstT=FLOAT32)
        weights = new.add("OnesLike", floats, T=FLOAT32)
    counts = new.add(node.op, data, total, weights, **{**node.attrs, "T": FLOAT32, "binary_output": False})
    if match.is_binary:
        counts = new.add("Minimum", counts, new.constant(1, "float32"), T=FLOAT32)
    if shape is not None:
        counts = new.add("Reshape", counts, shape, T=FLOAT32, Tshape=INT32)
    new.replace("Cast", counts, SrcT=FLOAT32, DstT=match.dtype)


def _flat(graph: Graph, new: Lowering, match: _Match, total: Ref) -> Ref:
    """Return the values of all examples, each with bins of its own; those without a bin have none either."""
    data, size, _ = match.node.inputs
    examples = new.add("Mul", new.range(new.size(data, 0)), size, T=INT32)
    # Another number than the total: that one is read at once, which takes long for one that is on the GPU already.
    beyond = _folded(graph, new, "AddV2", total, new.constant(1))
    shifted = new.add("AddV2", data, new.reshape(examples, [-1, 1], INT32), T=INT32)
    has_bin = new.add("Less", data, size, T=INT32)
    return new.reshape(new.add("SelectV2", has_bin, shifted, beyond, T=INT32), [-1], INT32)


def _folded(graph: Graph, new: Lowering, op: str, ref: Ref, other: Ref) -> Ref:
    """Return a sum or a product: a constant where it is known."""
    one, two = graph.constant(ref), graph.constant(other)
    if one is None or two is None:
        return new.add(op, ref, other, T=INT32)
    return new.constant(one * two if op == "Mul" else one + two)


def _pair(graph: Graph, new: Lowering, size: Ref) -> Ref:
    """Return the shape (N, size)."""
    known = graph.constant(size)
    if known is not None:
        return new.constant([-1, int(known)])
    return new.add("Pack", new.constant(-1), size, axis=0, N=2, T=INT32)


PASS = Rewrite(__name__, frozenset({"DenseBincount"}), _match, _apply)
