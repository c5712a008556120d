"""Reshape to sizes that are known but for one: -1 says that one, and what computed it is not run.

Given:   y = Reshape(x, sizes)        sizes computed from those of x (None, 64, 128), say (batch · 64, 128)
Result:  y = Reshape(x, (-1, 128))

Keras multiplies a sequence by a matrix this way. What TensorFlow does not know of a shape is worked out on the way.

Stays as it is: more than one size is unknown; y has no values whatever that size is, where -1 would mean any.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfjs_magic.artifacts import Dims
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.graph.shapes import shape_of
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import GraphPass


def _run(graph: Graph) -> int:
    if not any(_is_computed(graph, node) for node in graph):
        return 0
    graph.sort()  # a size that is known now tells of those behind it
    return sum(_fold(graph, node) for node in graph)


def _is_computed(graph: Graph, node: Node) -> bool:
    return node.op == "Reshape" and graph.constant(node.inputs[1]) is None


def _fold(graph: Graph, node: Node) -> bool:
    made = graph.shape(node.ref())
    if made is None or None not in made or node.value is not None:
        return False
    if not _is_computed(graph, node):
        graph.set_shape(node.ref(), _known(made, shape_of(graph, node)))
        return False
    made = _known(made, _sizes(graph, node.inputs[1]))
    graph.set_shape(node.ref(), made)
    if made.count(None) > 1 or 0 in made:
        return False
    new = Lowering(graph, node)
    sizes = new.constant([-1 if size is None else size for size in made])
    new.replace("Reshape", node.inputs[0], sizes, T=node.attrs["T"], Tshape=INT32)
    return True


def _known(made: Dims, other: Dims | None) -> Dims:
    """Return all that is known from two things that are known of a shape."""
    if other is None or len(other) != len(made):
        return made
    return tuple(b if a is None else a for a, b in zip(made, other, strict=True))


def _sizes(graph: Graph, ref: Ref) -> Dims | None:
    """Return the numbers in a scalar or vector of sizes, each as far as it is known."""
    node = graph.producer(ref)
    if node.value is not None:
        return tuple(None if n < 0 else int(n) for n in node.value.ravel())
    if node.op == "Shape":
        return graph.shape(node.inputs[0])
    if node.op in {"Pack", "ConcatV2"}:
        parts = [_sizes(graph, part) for part in node.inputs[: len(node.inputs) - (node.op == "ConcatV2")]]
        known = [part for part in parts if part is not None]
        return None if len(known) < len(parts) else tuple(size for part in known for size in part)
    first = _sizes(graph, node.inputs[0]) if node.op in {"Cast", "GatherV2", "Identity", "Prod"} else None
    if first is None or node.op in {"Cast", "Identity"}:
        return first
    if node.op == "Prod":
        return (_product(first),) if graph.shape(ref) == () else None
    places = graph.constant(node.inputs[1])
    return None if places is None else tuple(first[int(place)] for place in places.ravel())


def _product(sizes: Sequence[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return math.prod(known) if len(known) == len(sizes) else None


PASS = GraphPass(__name__, _run)
