"""Lower the test of a float's sign bit, which TF.js cannot read, to comparisons.

Given:   y = Less(BitwiseAnd(Bitcast(x), -2³¹), 0)       float32 as int32: ``keras.ops.signbit``
Result:  y = LogicalOr(Less(x, 0), n)                    n = LogicalAnd(Equal(x, 0), Less(Reciprocal(x), 0))
Given:   z = LogicalAnd(Equal(x, 0), y)                  ``keras.ops.argmax`` and ``argmin`` of floats
Result:  z = LogicalAnd(Equal(x, 0), Less(Reciprocal(x), 0))

1 / x tells the zeros apart. NaN has no sign: that of its bits is the processor's.

Source: Keras 3 ``src/backend/tensorflow/numpy.py``, ``signbit``.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite

_SIGN_BIT = np.iinfo(np.int32).min


@dataclasses.dataclass(frozen=True)
class _Match:
    """``x`` are the floats; whether only zeros are asked about."""

    node: Node
    x: Ref
    of_zeros: bool


def _match(graph: Graph, node: Node) -> _Match | None:
    masked = graph.producer(node.inputs[0])
    if masked.op != "BitwiseAnd" or not _is(graph, node.inputs[1], 0):
        return None
    ways = (masked.inputs, masked.inputs[::-1])
    found = [bits for bits, mask in ways if _is(graph, mask, _SIGN_BIT) and _is_float(graph.producer(bits))]
    if not found:
        return None
    x = graph.producer(found[0]).inputs[0]
    user = graph.only_consumer(node.name)
    return _Match(node, x, user is not None and user.op == "LogicalAnd" and _asks_for_zeros(graph, user, x))


def _asks_for_zeros(graph: Graph, both: Node, x: Ref) -> bool:
    others = [graph.producer(ref) for ref in both.inputs]
    return any(other.op == "Equal" and other.inputs[0] == x and _is(graph, other.inputs[1], 0) for other in others)


def _is_float(node: Node) -> bool:
    return node.op == "Bitcast" and node.attrs["T"] == "float32" and node.attrs["type"] == "int32"


def _is(graph: Graph, ref: Ref, number: int) -> bool:
    value = graph.constant(ref)
    return value is not None and value.size == 1 and value.ravel()[0] == number


def _apply(graph: Graph, match: _Match) -> None:
    x, new = match.x, Lowering(graph, match.node)
    zero = new.constant(0, "float32")
    inverse = new.add("Reciprocal", x, T=FLOAT32)
    graph.set_shape(inverse, graph.shape(x))
    if match.of_zeros:
        new.replace("Less", inverse, zero, T=FLOAT32)
        return
    is_zero = new.add("Equal", x, zero, T=FLOAT32)
    negative_zero = new.add("LogicalAnd", is_zero, new.add("Less", inverse, zero, T=FLOAT32))
    new.replace("LogicalOr", new.add("Less", x, zero, T=FLOAT32), negative_zero)


PASS = Rewrite(__name__, frozenset({"Less"}), _match, _apply)
