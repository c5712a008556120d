"""From which axis of which tensor an axis has its size, where the size itself is not known."""

from __future__ import annotations

from collections.abc import Sequence

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref

_Axis = tuple[Ref, int]
_UNARY = frozenset({"Identity", "Relu", "Sigmoid", "Tanh", "ZerosLike"})
_BINARY = frozenset({"Add", "AddV2", "Mul", "Sub"})
#: Axes that are followed; a recurrent net has very many.
_MOST = 100


def axis_origin(graph: Graph, ref: Ref, axis: int) -> _Axis | None:
    """Return the axis, counted from the front, from which another one has its size; None if there may be several."""
    todo, seen, origins = [(ref, axis)], set[_Axis](), set[_Axis]()
    while todo and len(seen) < _MOST:
        place = todo.pop()
        if place not in seen:
            seen.add(place)
            before = _before(graph, *place)
            todo += before
            if not before:
                origins.add(place)
    return origins.pop() if len(origins) == 1 and not todo else None


def _before(graph: Graph, ref: Ref, axis: int) -> Sequence[_Axis]:
    """Return the axes of a node's operands that all have to have the size of an axis of its result, or 1."""
    node = graph.producer(ref)
    if node.op in _UNARY or node.op == "BiasAdd" or (node.op == "MatMul" and _keeps_rows(node, axis)):
        return [(node.inputs[0], axis)]
    if node.op in _BINARY:
        return _of_operands(graph, node, axis)
    if node.op == "Transpose" and (order := graph.constant(node.inputs[1])) is not None:
        return [(node.inputs[0], int(order[axis]) % len(order))]
    if node.op == "Split" and (along := _along(graph, node)) is not None and along != axis:
        return [(node.inputs[1], axis)]
    if node.op == "StridedSlice" and _place(graph, node) is not None:
        return [(node.inputs[0], axis + 1)]
    return _of_sizes(graph, node.inputs[0], axis) if node.op == "Fill" else []


def _keeps_rows(node: Node, axis: int) -> bool:
    return axis == 0 and not node.attrs.get("transpose_a", False)


def _along(graph: Graph, node: Node) -> int | None:
    axis, shape = graph.constant(node.inputs[0]), graph.shape(node.inputs[1])
    return None if axis is None or shape is None else int(axis) % len(shape)


def _of_operands(graph: Graph, node: Node, axis: int) -> list[_Axis]:
    shapes = [graph.shape(ref) for ref in node.inputs]
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes):
        return []
    rank = max(map(len, known))
    places = [(ref, axis - rank + len(shape), shape) for ref, shape in zip(node.inputs, known, strict=True)]
    return [(ref, place) for ref, place, shape in places if place >= 0 and shape[place] != 1]


def _of_sizes(graph: Graph, sizes: Ref, axis: int) -> list[_Axis]:
    packed = graph.producer(sizes)
    if packed.op == "Shape":
        return [(packed.inputs[0], axis)]
    size = graph.producer(packed.inputs[axis]) if packed.op == "Pack" else packed
    source = graph.producer(size.inputs[0]) if size.op == "StridedSlice" else size
    shape = graph.shape(source.inputs[0]) if source.op == "Shape" else None
    place = _place(graph, size) if shape is not None and size is not source else None
    return [] if place is None else [(source.inputs[0], place % len(shape or ()))]


def _place(graph: Graph, node: Node) -> int | None:
    """Return the place that a slice takes of the first axis, if it takes one and leaves the other axes."""
    begin = graph.constant(node.inputs[1])
    others = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask")
    if begin is None or begin.size != 1 or any(node.attrs.get(mask, 0) for mask in others):
        return None
    return int(begin.ravel()[0]) if node.attrs.get("shrink_axis_mask", 0) == 1 else None
