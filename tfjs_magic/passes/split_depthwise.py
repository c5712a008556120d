"""Write a depthwise convolution as a sum of those that wasm is fast at: 7 rows and columns take a quarter of the time.

Given:   y = Act(Add(DepthwiseConv2dNative(x, W), b))              W (H, W, C, 1); Act and Add may be missing, or fused
Result:  y = Act(Σᵢ DepthwiseConv2dNative(x, Wᵢ) + b)              Wᵢ dilated, with EXPLICIT padding

Wᵢ has 1, 3, 4, 9 or 25 of the taps of W, evenly spaced in both directions: such that lie around the place that a
number of y is computed for, so that no padding is negative. 7 rows and columns are 5 by 5, 3 by 3 dilated by 3, and 2
by 2 four times; the one tap that comes twice is halved. No tap is added: a NaN goes where it went, and no further.

What a number of y takes on wasm, in nanoseconds (Node 20, SIMD, one thread): 0.2, 0.3, 0.4, 1.3 and 4.1 for 1, 3, 4, 9
and 25 taps in any form, dilated or not, if the channels are a multiple of 4; 3.0, and 0.6 for each tap, for any other
number of them; 0.6 for a sum. A node more takes 15 µs. The pieces are the best of many greedy choices.

Refuses: more is fused than a bias and an activation without a number of its own, as a graph that others made may have;
the kernel is computed, or shared; a channel makes several numbers, or there is a stride, for which there is no
fast way; the channels are not last; a tap is in no piece (padding VALID, or on one side); there are more than 32
pieces, whose nodes swell the graph; a sum takes no less time.

Source: XNNPACK ``src/configs/dwconv-config.c``, whose kernels for wasm have 3, 4, 9 and 25 taps, in TF.js 4.22.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import axis_sizes, is_channels_first
from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.graph.refs import Ref, node_of
from tfjs_magic.passes.lowering import Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

#: Taps → nanoseconds for each number that is made.
_FAST = {1: 0.2, 3: 0.3, 4: 0.4, 9: 1.3, 25: 4.1}
_SLOW, _SLOW_TAP, _SUM, _NODE = 3.0, 0.6, 0.6, 15_000.0
#: Channels that are computed together.
_LANES = 4
_MOST_PIECES = 32
#: Taps that all first pieces together are tried for: a second of time for the largest kernels.
_TRIED_TAPS = 20_000
_OF_FUSION = frozenset({"fused_ops", "num_args", "epsilon"})
_ACTIVATIONS = frozenset({b"Relu", b"Relu6", b"Elu", b"Sigmoid"})
_UNPADDED: dict[str, Attr] = {"padding": b"VALID", "explicit_paddings": ()}


@dataclasses.dataclass(frozen=True)
class _Axis:
    """An axis of the kernel: taps, the rate of their dilation, and the zeros before the data and behind."""

    taps: int
    rate: int
    before: int
    behind: int

    def spans(self, count: int) -> list[_Span]:
        """Return the taps that so many may be, the middle ones first."""
        steps = range(1, (self.taps - 1) // (count - 1) + 1) if count > 1 else (1,)
        found = [_Span(self, first, step, count) for step in steps for first in range(self.taps - (count - 1) * step)]
        return sorted((span for span in found if min(span.paddings) >= 0), key=lambda span: span.distance)


@dataclasses.dataclass(frozen=True)
class _Span:
    """Some taps of an axis, evenly spaced."""

    axis: _Axis
    first: int
    step: int
    count: int

    @property
    def last(self) -> int:
        return self.first + (self.count - 1) * self.step

    @property
    def places(self) -> slice:
        return slice(self.first, self.last + 1, self.step)

    @property
    def rate(self) -> int:
        return self.step * self.axis.rate if self.count > 1 else 1

    @property
    def paddings(self) -> tuple[int, int]:
        axis = self.axis
        return axis.before - self.first * axis.rate, axis.behind - (axis.taps - 1 - self.last) * axis.rate

    @property
    def distance(self) -> int:
        """How far from the middle they lie."""
        return abs(self.first + self.last - self.axis.taps + 1)


_Piece = tuple[_Span, _Span]


@dataclasses.dataclass(frozen=True)
class _Candidates:
    """Pieces of one form: any of ``rows`` with any of ``columns``, which the masks (N, taps) have as ones."""

    rows: list[_Span]
    columns: list[_Span]

    @functools.cached_property
    def masks(self) -> tuple[Array, Array]:
        return _masks(self.rows), _masks(self.columns)

    @functools.cached_property
    def price(self) -> float:
        return _FAST[self.rows[0].count * self.columns[0].count] + _SUM

    def best(self, left: Array) -> tuple[float, _Piece]:
        """Return the piece with most taps that are left, and what one of these costs."""
        rows, columns = self.masks
        counts = rows @ left @ columns.T
        place = int(counts.argmax())
        row, column = divmod(place, len(self.columns))
        most = float(counts.ravel()[place])
        return self.price / most if most else math.inf, (self.rows[row], self.columns[column])


def _masks(spans: list[_Span]) -> Array:
    masks = np.zeros((len(spans), spans[0].axis.taps), np.float32)
    for mask, span in zip(masks, spans, strict=True):
        mask[span.places] = 1
    return masks


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    pieces: tuple[_Piece, ...]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    steps = node.attrs.get("fused_ops", ())
    assert isinstance(steps, tuple)
    if steps and (steps[0] not in {b"BiasAdd", b"noop"} or not _ACTIVATIONS.issuperset(steps[1:])):
        return Miss("more is fused than a bias and a plain activation")
    weights = graph.constant(node.inputs[1])
    if weights is None or graph.only_consumer(node_of(node.inputs[1])) is not node:
        return Miss("the kernel is computed, or shared")
    if math.prod(weights.shape[:2]) in _FAST or not weights.size:
        return None
    if weights.shape[3] > 1:
        return Miss("a channel makes several numbers")
    if is_channels_first(graph, node) or {*axis_sizes(node, "strides")} != {1}:
        return Miss("the channels are not last, or there is a stride")
    return _split(graph, node, weights)


def _split(graph: Graph, node: Node, weights: Array) -> _Match | Miss:
    rows, columns, channels, _ = weights.shape
    large = Miss(f"it would be more than {_MOST_PIECES} pieces")
    if rows * columns > _MOST_PIECES * max(_FAST):
        return large
    pieces = _cover(*_axes(node, weights))
    if not pieces:
        return Miss("the taps around a place are not all")
    if len(pieces) > _MOST_PIECES:
        return large
    filled = -(-channels // _LANES) * _LANES / channels
    gain = _SLOW + _SLOW_TAP * rows * columns - _price(pieces) * filled
    if not gain * _numbers(graph, node) > _NODE * 2 * (len(pieces) - 1):
        return Miss("a sum takes no less time")
    return _Match(node, pieces)


def _axes(node: Node, weights: Array) -> tuple[_Axis, _Axis]:
    rates = axis_sizes(node, "dilations") or (1, 1)
    windows = [(taps - 1) * rate for taps, rate in zip(weights.shape, rates, strict=False)]
    paddings = [(0, 0)] * 2
    if node.attrs["padding"] == b"SAME":
        paddings = [(window // 2, window - window // 2) for window in windows]
    elif node.attrs["padding"] == b"EXPLICIT":
        sides = node.attrs["explicit_paddings"]
        assert isinstance(sides, tuple)
        top, bottom, left, right = (int(side) for side in sides[2:6])  # type: ignore[arg-type]
        paddings = [(top, bottom), (left, right)]
    height, width = (
        _Axis(taps, rate, *sides) for taps, rate, sides in zip(weights.shape, rates, paddings, strict=False)
    )
    return height, width


def _numbers(graph: Graph, node: Node) -> float:
    """Return how many numbers a run makes: with an unknown size they are many, with an unknown batch those of one."""
    shape = graph.shape(node.ref())
    return (
        math.inf if shape is None or None in shape[1:] else math.prod(size or 0 for size in (shape[0] or 1, *shape[1:]))
    )


def _price(pieces: tuple[_Piece, ...]) -> float:
    return sum(_FAST[height.count * width.count] + _SUM for height, width in pieces) - _SUM


@functools.cache
def _cover(height: _Axis, width: _Axis) -> tuple[_Piece, ...]:
    """Return the cheapest pieces found that have every tap; none if there are no such."""
    forms = [
        (rows, taps // rows) for taps in sorted(_FAST, reverse=True) for rows in range(1, taps + 1) if taps % rows == 0
    ]
    spans = [(height.spans(rows), width.spans(columns)) for rows, columns in forms]
    candidates = [_Candidates(*pair) for pair in spans if all(pair)]
    starts = [(row, column) for each in candidates for row in each.rows for column in each.columns]
    most = _TRIED_TAPS // (height.taps * width.taps)
    found = [tuple(_greedy(start, candidates)) for start in starts[:most]]
    return min(filter(_is_whole, found), key=_price, default=())


def _is_whole(pieces: tuple[_Piece, ...]) -> bool:
    return bool(_times(pieces).all())


def _greedy(start: _Piece, candidates: list[_Candidates]) -> Iterator[_Piece]:
    """Yield pieces, each the cheapest for a tap that is left, until none is left or can be had."""
    height, width = start
    left, piece, price = np.ones((height.axis.taps, width.axis.taps), np.float32), start, 0.0
    while price < math.inf:
        yield piece
        left[piece[0].places, piece[1].places] = 0
        price, piece = min((each.best(left) for each in candidates), key=lambda found: found[0])


def _times(pieces: tuple[_Piece, ...]) -> Array:
    """Return how many pieces have each tap."""
    height, width = pieces[0]
    times = np.zeros((height.axis.taps, width.axis.taps, 1, 1), np.int32)
    for rows, columns in pieces:
        times[rows.places, columns.places] += 1
    return times


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    data, kernel, *bias = node.inputs
    steps = node.attrs.get("fused_ops", ())
    assert isinstance(steps, tuple)
    parts: list[Ref] = []
    for (rows, columns), ref in zip(match.pieces, _kernels(graph, kernel, match.pieces), strict=True):
        sides = (0, 0, *rows.paddings, *columns.paddings, 0, 0)
        padding: dict[str, Attr] = {"padding": b"EXPLICIT", "explicit_paddings": sides}
        attrs = {key: value for key, value in node.attrs.items() if key not in _OF_FUSION}
        attrs |= {"dilations": (1, rows.rate, columns.rate, 1)} | (padding if any(sides) else _UNPADDED)
        if bias and not parts:
            attrs |= {key: node.attrs[key] for key in _OF_FUSION & node.attrs.keys()} | {"fused_ops": steps[:1]}
            parts.append(new.add("FusedDepthwiseConv2dNative", data, ref, *bias, **attrs))
        else:
            parts.append(new.add("DepthwiseConv2dNative", data, ref, **attrs))
        graph.set_shape(parts[-1], graph.shape(node.ref()))
    dtype = node.attrs["T"]
    *others, last = parts
    total = functools.reduce(lambda one, other: new.add("AddV2", one, other, T=dtype), others)
    if activation := b"".join(steps[1:]):  # type: ignore[arg-type]
        new.replace(activation.decode(), new.add("AddV2", total, last, T=dtype), T=dtype)
    else:
        new.replace("AddV2", total, last, T=dtype)


def _kernels(graph: Graph, ref: Ref, pieces: tuple[_Piece, ...]) -> Iterator[Ref]:
    """Yield the weights of each piece. Their names end in that of the kernel: patterns for quantization go by it."""
    kernel, times = graph.producer(ref), _times(pieces)
    left = np.array(kernel.value)
    for i, (rows, columns) in enumerate(pieces):
        places = rows.places, columns.places
        comes_again = times[places] > 1
        taken = left[places] * np.where(comes_again, 0.5, 1).astype(left.dtype)
        left[places] = np.where(comes_again, taken, 0)
        times[places] -= 1
        if i:
            yield graph.add_constant(f"{i}/{kernel.name}", taken)
        else:
            graph.replace_node(kernel.name, dataclasses.replace(kernel, value=taken, shapes=()))
            yield ref


PASS = Rewrite(
    __name__, frozenset({"DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"}), _match, _apply, targets=("wasm",)
)
