"""Between which two numbers the values of a tensor lie, where the graph itself says it: bytes, classes, remainders.

TF.js has kernels that compute integers as float32, which holds every integer up to 2²⁴.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref

#: The smallest and the largest value, where nothing is known infinities.
Range = tuple[float, float]

#: float32 has every integer up to here.
EXACT = 2**24
_UNKNOWN: Range = (-math.inf, math.inf)
_BITS = 31
#: Beyond these integers wrap.
_INT32: Range = (-(2**31), 2**31 - 1)
#: What an integer without a bound may be beyond int32 after; a product is of no known range then anyway.
_WRAPPING = frozenset({"Abs", "AddN", "AddV2", "Neg", "Sub"})
#: What adds or multiplies the values of its first operand, along axes.
_REPEATED = frozenset({"Cumprod", "Cumsum", "Prod", "Sum"})
_FLOATS = frozenset({"float16", "float32", "float64"})
#: How far to look back.
_FARTHEST = 50
_DTYPES: dict[object, Range] = {"bool": (0, 1), "int8": (-128, 127), "uint8": (0, 255)}
#: Op type → the inputs whose values it hands on.
_HANDS_ON = {
    **dict.fromkeys("BroadcastTo Cast DepthToSpace ExpandDims Gather GatherNd GatherV2".split(), slice(1)),
    **dict.fromkeys("Identity Max MaxPool Min MirrorPad Pad Reshape ResizeNearestNeighbor".split(), slice(1)),
    **dict.fromkeys("ReverseV2 Slice SplitV Squeeze StridedSlice Tile Transpose Unpack".split(), slice(1)),
    **dict.fromkeys("Fill Split".split(), slice(1, 2)),
    **dict.fromkeys("Select SelectV2".split(), slice(1, 3)),
    "ConcatV2": slice(-1),
    **dict.fromkeys("Cumprod Cumsum Prod Sum".split(), slice(1)),
    "OneHot": slice(2, 4),
    "Pack": slice(None),
    **dict.fromkeys("PadV2 TensorScatterUpdate".split(), slice(0, 3, 2)),
}


def is_small(graph: Graph, ref: Ref) -> bool:
    """Whether float32 has every value of a tensor of integers exactly."""
    return largest(graph, ref) <= EXACT


def largest(graph: Graph, ref: Ref) -> float:
    """Return what no value of a tensor exceeds, whatever its sign; infinity where that is not known."""
    return max(map(abs, value_range(graph, ref)))


def value_range(graph: Graph, ref: Ref) -> Range:
    """Return a range that all values of a tensor lie in."""
    return _range(graph, ref, {}, _FARTHEST)


def handed_on(node: Node) -> list[Ref]:
    """Return the inputs whose values it hands on, or computes with: not indices, sizes and conditions."""
    return node.inputs[_HANDS_ON.get(node.op, slice(None))]


def computed(graph: Graph, node: Node) -> list[Ref]:
    """Return the outputs that it computes with arithmetic, as far as the range of the result is known."""
    is_known = node.op in _ARITHMETIC or (node.op in _REPEATED and _terms(graph, node) is not None)
    return [node.ref()] if is_known else []


def _range(graph: Graph, ref: Ref, known: dict[Ref, Range], far: int) -> Range:
    if ref not in known:
        known[ref] = _UNKNOWN  # so that a loop has an end
        low, high = _found(graph, ref, known, far) if far else _UNKNOWN
        known[ref] = (low, high) if _INT32[0] <= low <= high <= _INT32[1] else _one_end(low, high)
    return known[ref]


def _one_end(low: float, high: float) -> Range:
    """Keep what a minimum or a maximum leaves known; a finite end beyond int32 has wrapped."""
    wraps = any(math.isfinite(end) and not _INT32[0] <= end <= _INT32[1] for end in (low, high))
    return _UNKNOWN if wraps else (low, high)


def _found(graph: Graph, ref: Ref, known: dict[Ref, Range], far: int) -> Range:
    node = graph.producer(ref)
    if node.value is not None:
        return _of_constant(node.value)
    if node.op in {"ArgMax", "ArgMin"}:
        return _of_places(graph, node)
    if (narrow := _DTYPES.get(node.attrs.get({"Cast": "DstT", "Placeholder": "dtype"}.get(node.op, "")))) is not None:
        return narrow
    if node.op not in _HANDS_ON and node.op not in _ARITHMETIC and node.op not in _REPEATED:
        return _UNKNOWN
    ranges = [_range(graph, given, known, far - 1) for given in handed_on(node)]
    if node.op in _ARITHMETIC:
        wraps = node.op in _WRAPPING and node.attrs.get("T") not in _FLOATS
        return _UNKNOWN if wraps and not _is_bounded(ranges) else _ARITHMETIC[node.op](*ranges)
    handed = [*ranges, (0, 0)] if node.op == "Pad" else ranges
    return _repeated(graph, node, ranges[0]) if node.op in _REPEATED else _hull(handed)


def _of_constant(value: Array) -> Range:
    if not value.size or value.dtype.kind not in "biuf":
        return _UNKNOWN
    low, high = float(value.min()), float(value.max())
    return _UNKNOWN if math.isnan(low) or math.isnan(high) else (low, high)


def _of_places(graph: Graph, node: Node) -> Range:
    """Return the places along an axis."""
    shape, axis = graph.shape(node.inputs[0]), graph.constant(node.inputs[1])
    side = None if shape is None or axis is None else shape[int(axis)]
    return (0, math.inf if side is None else side)


def _is_bounded(ranges: Iterable[Range]) -> bool:
    return all(math.isfinite(end) for ends in ranges for end in ends)


def _terms(graph: Graph, node: Node) -> int | None:
    """Return how many values at most a sum or a product is made of; None if a size is unknown."""
    shape = graph.shape(node.inputs[0])
    return None if shape is None or None in shape else math.prod(side or 0 for side in shape)


def _repeated(graph: Graph, node: Node, given: Range) -> Range:
    """Return the range of a sum or a product of up to as many values, or of none."""
    terms, size = _terms(graph, node), max(map(abs, given))
    if terms is None or not _is_bounded([given]):
        return _UNKNOWN
    if node.op in {"Cumsum", "Sum"}:
        return terms * min(given[0], 0), terms * max(given[1], 0)
    if size > 1 and terms * math.log2(size) >= _BITS:
        return _UNKNOWN
    most = max(size, 1) ** terms
    return -most, most


def _hull(ranges: Iterable[Range]) -> Range:
    lows, highs = zip(*ranges, strict=True)
    return min(lows), max(highs)


def _product(x: Range, y: Range) -> Range:
    if not _is_bounded((x, y)):
        return _UNKNOWN
    ends = [a * b for a in x for b in y]
    return min(ends), max(ends)


def _sizes(x: Range) -> Range:
    return (0 if x[0] <= 0 <= x[1] else min(map(abs, x))), max(map(abs, x))


_ARITHMETIC: dict[str, Callable[..., Range]] = {
    "Abs": _sizes,
    "AddN": lambda *each: (sum(x[0] for x in each), sum(x[1] for x in each)),
    "AddV2": lambda x, y: (x[0] + y[0], x[1] + y[1]),
    "Sub": lambda x, y: (x[0] - y[1], x[1] - y[0]),
    "Mul": _product,
    "FloorDiv": lambda x, y: (-max(map(abs, x)), max(map(abs, x))) if y[0] >= 1 else _UNKNOWN,
    "FloorMod": lambda _, y: (min(y[0], 0), max(y[1], 0)),
    "Neg": lambda x: (-x[1], -x[0]),
    "Maximum": lambda x, y: (max(x[0], y[0]), max(x[1], y[1])),
    "Minimum": lambda x, y: (min(x[0], y[0]), min(x[1], y[1])),
    "Square": lambda x: _product(x, x),
    "SquaredDifference": lambda x, y: _product(*[(x[0] - y[1], x[1] - y[0])] * 2),
}
