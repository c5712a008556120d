"""Repeat the values along an axis by a nearest resize: wasm takes 35 times as long to tile.

Given:   y = Reshape(Tile(ExpandDims(x, a + 1), (1, …, k, …, 1)))      each value k times along axis a, as UpSampling2D
Result:  y = ResizeNearestNeighbor(x)                    rows or columns of x (N, H, W, C)
         y = Reshape(ResizeNearestNeighbor(Reshape(x)))  any other axis, as the rows of (-1, n, 1, rest)
Given:   y = ResizeNearestNeighbor(ResizeNearestNeighbor(x))           both by whole factors
Result:  y = ResizeNearestNeighbor(x)

With half-pixel centres, row i shows row ⌊(i + 0.5) / k⌋ of x: at least 0.5 / k away from where float32 might go wrong.

Refuses: a size is unknown; what is tiled is used elsewhere, too; there are more than 2²⁰ rows or columns.
"""

from __future__ import annotations

import dataclasses
import math

from tfjs_magic.artifacts import Dims
from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_LONGEST = 2**20
_WHOLE: dict[str, Attr] = {"align_corners": False, "half_pixel_centers": True}


@dataclasses.dataclass(frozen=True)
class _Match:
    """What is resized, the view of it that has rows if it is no image, and how many rows and columns it gets."""

    node: Node
    data: Ref
    view: tuple[int, ...] | None
    sides: tuple[int, int]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    return _match_resizes(graph, node) if node.op == "ResizeNearestNeighbor" else _match_repeat(graph, node)


def _match_repeat(graph: Graph, node: Node) -> _Match | Miss | None:
    tile = graph.producer(node.inputs[0])
    if (repeated := _repeated(graph, tile)) is None:
        return None
    data, axis, times = repeated
    shape, wide, made = (graph.shape(ref) for ref in (data, tile.inputs[0], node.ref()))
    if shape is None or None in shape[1:] or (None in shape and axis == 0):
        return Miss("a size is unknown")
    sizes = [size or 0 for size in shape]
    if wide != (*shape[: axis + 1], 1, *shape[axis + 1 :]) or made != _times(shape, axis, times):
        return None  # other axes meet
    if sizes[axis] * times > _LONGEST:
        return Miss(f"there are more than {_LONGEST} rows or columns")
    if graph.only_consumer(tile.name) is None:
        return Miss("what is tiled is used elsewhere, too")
    is_image = len(shape) == 4 and axis in {1, 2}
    view = None if is_image else (-1, sizes[axis], 1, math.prod(sizes[axis + 1 :]))
    sizes[axis] *= times
    return _Match(node, data, view, (sizes[1], sizes[2]) if is_image else (sizes[axis], 1))


def _repeated(graph: Graph, tile: Node) -> tuple[Ref, int, int] | None:
    """Return what was given a new axis and tiled along that one, the axis before it, and how often."""
    if tile.op != "Tile" or tile.attrs.get("T") != "float32":
        return None
    expanded, counts = graph.producer(tile.inputs[0]), graph.constant(tile.inputs[1])
    axes = [] if counts is None else [axis for axis, count in enumerate(counts) if count != 1]
    if counts is None or expanded.op not in {"ExpandDims", "Reshape"} or len(axes) != 1 or axes[0] == 0:
        return None
    return expanded.inputs[0], axes[0] - 1, int(counts[axes[0]])


def _times(shape: Dims, axis: int, times: int) -> Dims:
    return tuple(size * times if i == axis and size is not None else size for i, size in enumerate(shape))


def _match_resizes(graph: Graph, node: Node) -> _Match | Miss | None:
    inner = graph.producer(node.inputs[0])
    if inner.op != node.op or not (_is_repeat(graph, inner) and _is_repeat(graph, node)):
        return None
    if graph.only_consumer(inner.name) is None:
        return Miss("what is tiled is used elsewhere, too")
    sides = graph.constant(node.inputs[1])
    assert sides is not None
    height, width = map(int, sides)
    return _Match(node, inner.inputs[0], None, (height, width))


def _is_repeat(graph: Graph, resize: Node) -> bool:
    """Whether a resize only repeats rows and columns."""
    given, sides = graph.shape(resize.inputs[0]), graph.constant(resize.inputs[1])
    if given is None or sides is None or any(resize.attrs.get(key) != value for key, value in _WHOLE.items()):
        return False
    return all(old and new % old == 0 and new <= _LONGEST for old, new in zip(given[1:3], sides.tolist(), strict=True))


def _apply(graph: Graph, match: _Match) -> None:
    node, new, data = match.node, Lowering(graph, match.node), match.data
    sides, attrs = new.constant(match.sides), {"T": FLOAT32, **_WHOLE}
    if match.view is None:
        new.replace("ResizeNearestNeighbor", data, sides, **attrs)
        return
    made = graph.shape(node.ref()) or ()
    data = new.add("ResizeNearestNeighbor", new.reshape(data, match.view, FLOAT32), sides, **attrs)
    shape = new.constant([-1 if size is None else size for size in made])
    new.replace("Reshape", data, shape, T=FLOAT32, Tshape=INT32)


PASS = Rewrite(__name__, frozenset({"Reshape", "ResizeNearestNeighbor"}), _match, _apply)
