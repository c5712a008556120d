"""What a backend may compute otherwise, depending on the values that it meets: no check can tell before it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tfjs_magic.errors import quoted_list
from tfjs_magic.graph.conditions import reduced_axes
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.large_integers import large_integers
from tfjs_magic.graph.refs import Ref
from tfjs_magic.options import BACKENDS, Backend

_GPUS: tuple[Backend, ...] = ("webgl", "webgpu")
_MOST_NODES = 3
_REDUCTIONS = frozenset({"All", "Any", "Max", "Mean", "Min", "Prod", "Sum"})
#: What is right of no values on cpu.
_RIGHT_OF_NOTHING = frozenset({"Any", "Prod", "Sum"})
#: Op → the attributes that say whether its operands are transposed.
_PRODUCTS = {
    **dict.fromkeys(("BatchMatMul", "BatchMatMulV2"), ("adj_x", "adj_y")),
    **dict.fromkeys(("MatMul", "_FusedMatMul"), ("transpose_a", "transpose_b")),
}


def caveats(*graphs: Graph) -> dict[str, tuple[str, ...]]:
    """Return backend → a sentence for each way in which values may come out otherwise there.

    Args:
        graphs: In order, after the passes.
    """
    said = [row for graph in graphs for kind in _KINDS for row in kind(graph)]
    return {
        backend: sentences
        for backend in BACKENDS[::-1]
        if (sentences := tuple(dict.fromkeys(sentence for backends, sentence in said if backend in backends)))
    }


_Said = Iterator[tuple[Sequence[Backend], str]]


def _ties(graph: Graph) -> _Said:
    if any(node.op in {"ArgMax", "ArgMin"} and not _all_differ(graph, node.inputs[0]) for node in graph):
        yield ("webgpu",), "On webgpu, ArgMax and ArgMin may find another than the first of values that are equal."


def _all_differ(graph: Graph, ref: Ref) -> bool:
    """Whether a tensor chooses between constants of which no value is there twice."""
    node = graph.producer(ref)
    if node.op == "Reshape":
        return _all_differ(graph, node.inputs[0])
    if node.op != "SelectV2":
        return False
    one, other = (graph.constant(ref) for ref in node.inputs[1:])
    return one is not None and other is not None and np.unique([one, other]).size == one.size + other.size


def _large_integers(graph: Graph) -> _Said:
    if nodes := large_integers(graph):
        what = "webgl and webgpu keep integers as float32: beyond 2^24 (16777216) digits may be lost"
        yield _GPUS, f"{what} ({_named(nodes)})."


def _written_twice(graph: Graph) -> _Said:
    """Source: tfjs-backend-webgl ``src/scatter_gpu.ts``, 4.22, which adds up whatever has the same index."""
    if nodes := [node for node in graph if node.op == "TensorScatterUpdate" and _may_repeat(graph, node)]:
        yield ("webgl",), f"webgl adds up what TensorScatterUpdate writes to one place ({_named(nodes)})."


def _may_repeat(graph: Graph, node: Node) -> bool:
    places, shape = graph.constant(node.inputs[1]), graph.shape(node.inputs[1])
    if places is not None:
        rows = places.reshape(-1, places.shape[-1])
        return len(np.unique(rows, axis=0)) < len(rows)
    return shape is None or any(size != 1 for size in shape[:-1])


def _nothing(graph: Graph) -> _Said:
    """A batch of no rows is another matter: what is computed of each row is not computed along that axis."""
    nodes = [node for node in graph if _goes_along_free_axis(graph, node)]
    if nodes:
        is_on_cpu = any(node.op not in _RIGHT_OF_NOTHING.union(_PRODUCTS) for node in nodes)
        where = BACKENDS if is_on_cpu else [backend for backend in BACKENDS if backend != "cpu"]
        what = "If an axis of unknown size is empty, what is reduced along it is not Python's result, or fails"
        yield where, f"{what} ({_named(nodes)})."


def _goes_along_free_axis(graph: Graph, node: Node) -> bool:
    shape = graph.shape(node.inputs[0]) if node.inputs else None
    if shape is None:
        return False
    if node.op in _PRODUCTS:
        made, other = graph.shape(node.ref()), graph.shape(node.inputs[1])
        turned = [bool(node.attrs.get(name)) for name in _PRODUCTS[node.op]]
        if made is None or other is None or None in made[1:]:  # that is probably empty, too
            return False
        return shape[-2 if turned[0] else -1] is None and other[-1 if turned[1] else -2] is None
    axes = (reduced_axes(graph, node) or ()) if node.op in _REDUCTIONS else ()
    return any(_may_be_empty(graph, node.inputs[0], axis - len(shape)) for axis in axes)


def _may_be_empty(graph: Graph, ref: Ref, axis: int) -> bool:
    """Whether an axis, counted from the back, is of unknown size, and nothing was put beside its values."""
    if not _is_free(graph, ref, axis):
        return False
    node = graph.producer(ref)
    if node.op in {"Pad", "PadV2"}:
        sides = graph.constant(node.inputs[1])
        return sides is None or not sides[axis].any()
    if node.op == "ConcatV2":
        return all(_may_be_empty(graph, given, axis) for given in node.inputs[:-1])
    if node.op == "SelectV2":
        return all(_may_be_empty(graph, given, axis) for given in node.inputs if _is_free(graph, given, axis))
    return True


def _is_free(graph: Graph, ref: Ref, axis: int) -> bool:
    shape = graph.shape(ref)
    return shape is not None and len(shape) >= -axis and shape[axis] is None


def _half_pixels(graph: Graph) -> _Said:
    """A transform that is computed is rounded otherwise than in TensorFlow: a tie may go to the other side."""
    nodes = [
        node
        for node in graph
        if node.op.startswith("ImageProjectiveTransform")
        and node.attrs.get("interpolation") == b"NEAREST"
        and graph.producer(node.inputs[1]).op not in {"Const", "Placeholder"}
    ]
    if nodes:
        what = "Half way between two pixels, a transform that is computed may pick the other one"
        yield ("wasm", "webgl"), f"{what} ({_named(nodes)})."


_KINDS: Sequence[Callable[[Graph], _Said]] = (_ties, _large_integers, _written_twice, _nothing, _half_pixels)


def _named(nodes: Sequence[Node]) -> str:
    return f"node {quoted_list((node.name for node in nodes), limit=_MOST_NODES)}"
