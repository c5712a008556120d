"""Whether two tensors have the same sizes where these are not known, such as that of the batch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tfjs_magic.graph.ir import Graph
from tfjs_magic.graph.refs import Ref

#: Their result has the sizes of the first operand; the second group's if the others are scalars.
_KEEPING = frozenset({"Identity", "Relu", "ReverseV2", "Sigmoid", "Tanh", "ZerosLike"})
_KEEPING_BESIDE_SCALARS = frozenset({"Equal", "Greater", "Less", "NotEqual", "SelectV2"})
#: The sizes of each of their results follow from those of the operands, and from the values of some: op → their places.
_FOLLOWING: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys("AddV2 BatchMatMulV2 MatMul Mul Pack SelectV2 Sub Unpack _FusedMatMul".split(), ()),
    "ConcatV2": (-1,),
    "GatherV2": (2,),
    "Reshape": (1,),
    "Split": (0,),
    "StridedSlice": (1, 2, 3),
    "Transpose": (1,),
}


def same_sizes(graph: Graph, one: Ref, other: Ref) -> bool:
    """Whether two tensors have the same sizes for certain: both are made alike of tensors that have."""
    todo, seen = [(one, other)], set[tuple[Ref, Ref]]()
    while todo:
        pair = first, second = _source(graph, todo[-1][0]), _source(graph, todo.pop()[1])
        if first == second or pair in seen or _are_known(graph, first, second):
            continue
        seen.add(pair)
        a, b = graph.producer(first), graph.producer(second)
        if a.op not in _FOLLOWING or (a.op, a.attrs, len(a.inputs)) != (b.op, b.attrs, len(b.inputs)):
            return False
        if not all(_is_same_value(graph, a.inputs[place], b.inputs[place]) for place in _FOLLOWING[a.op]):
            return False
        todo += zip(a.inputs, b.inputs, strict=True)
    return True


def _source(graph: Graph, ref: Ref) -> Ref:
    """Return the tensor from which another one has its sizes."""
    while True:
        node = graph.producer(ref)
        is_beside_scalars = node.op in _KEEPING_BESIDE_SCALARS and all(graph.shape(o) == () for o in node.inputs[1:])
        if node.op not in _KEEPING and not is_beside_scalars:
            return ref
        ref = node.inputs[0]


def _are_known(graph: Graph, one: Ref, other: Ref) -> bool:
    shape = graph.shape(one)
    return shape is not None and None not in shape and shape == graph.shape(other)


def _is_same_value(graph: Graph, one: Ref, other: Ref) -> bool:
    first, second = graph.constant(one), graph.constant(other)
    return one == other or (first is not None and second is not None and np.array_equal(first, second))
