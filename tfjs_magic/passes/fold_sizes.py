"""Fold sizes that are known into constants, although the shape that they are taken from is not known as a whole.

Given:   y = StridedSlice(Shape(x), begin, end, strides)      x (None, 9, 7, 3), begin 1, end 3
Result:  y = (9, 7)

Refuses: the slice is computed, or takes an unknown size; a mask adds an axis; nothing else says in which branch of a
condition, or in which loop, what takes it stands.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.branches import may_be_constant
from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    value: Array


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    source = graph.producer(node.inputs[0])
    if source.op != "Shape" or (shape := graph.shape(source.inputs[0])) is None:
        return None
    ends = [graph.constant(ref) for ref in node.inputs[1:]]
    if any(vector is None or vector.size != 1 for vector in ends):
        return Miss("the slice is computed")
    if node.attrs.get("new_axis_mask", 0) or node.attrs.get("ellipsis_mask", 0):
        return Miss("a mask adds an axis")
    begin, end, step = (int(vector.ravel()[0]) for vector in ends if vector is not None)
    if node.attrs.get("shrink_axis_mask", 0):
        taken: int | tuple[int | None, ...] | None = shape[begin] if -len(shape) <= begin < len(shape) else None
    else:
        taken = shape[
            None if node.attrs.get("begin_mask", 0) else begin : None if node.attrs.get("end_mask", 0) else end : step
        ]
    if taken is None or (isinstance(taken, tuple) and None in taken):
        return Miss("an unknown size is taken")
    if not may_be_constant(graph, node):
        return Miss("it alone says in which branch the next op stands")
    return _Match(node, np.asarray(taken, str(node.attrs.get("T", "int32"))))


def _apply(graph: Graph, match: _Match) -> None:
    node = match.node
    dtype = DType(match.value.dtype.name)
    graph.replace_node(node.name, Node(node.name, "Const", attrs={"dtype": dtype}, value=match.value))


PASS = Rewrite(__name__, frozenset({"StridedSlice"}), _match, _apply)
