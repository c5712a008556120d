"""Lower fake quantization of quantization-aware training, which TF.js lacks or leaves out.

Given:   y = FakeQuantWithMinMaxVars(x, min, max)             also …Args, …VarsPerChannel
Result:  y = floor((clip(x) - min) / s - zero + 0.5) · s      min, max and s moved so that 0 is a step
Given:   y = QuantizeAndDequantizeV2(x, min, max)             also V3, V4; along an axis, or of the data's own range
Result:  y = round(clip(x) · s) / s                           half to even, or up

Of constant ranges, all but the last line is computed here. TensorFlow's own CPUs differ in the last bit of the product,
so that a value just between two steps may go either way.

Refuses: other data than float32; the number of bits is computed; of the data's own range, the rank is unknown.
Source: TensorFlow ``core/kernels/fake_quant_ops_functor.h`` and ``quantize_and_dequantize_op.h``, 2.21.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_FAKE = frozenset({"FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel"})
_TWO_WAY = frozenset({"QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3", "QuantizeAndDequantizeV4"})
_HUGE = np.finfo(np.float32).max


@dataclasses.dataclass(frozen=True)
class _Match:
    """The first and the last step; ``rank`` is that of the data."""

    node: Node
    first: float
    last: float
    rank: int | None


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if node.attrs.get("T", FLOAT32) != FLOAT32:
        return Miss("its data are no float32")
    bits, narrow = node.attrs.get("num_bits", 8), node.attrs.get("narrow_range", False) is True
    if node.op == "QuantizeAndDequantizeV3":
        given = graph.constant(node.inputs[3])
        if given is None:
            return Miss("the number of bits is computed: it has to be a constant")
        bits = int(given)
    assert isinstance(bits, int)
    shape = graph.shape(node.inputs[0])
    rank = None if shape is None else len(shape)
    if rank is None and node.op in _TWO_WAY and not (_is_given(node) and _axis(node) == -1):
        return Miss("the rank is unknown, of the data whose range it takes, or along an axis of which it differs")
    if node.op in _FAKE:
        return _Match(node, 1 if narrow else 0, (1 << bits) - 1, rank)
    if node.attrs.get("signed_input", True) is not True:
        return _Match(node, 0, (1 << bits) - 1, rank)
    return _Match(node, -(1 << (bits - 1)) + (1 if narrow else 0), (1 << (bits - 1)) - 1, rank)


def _is_given(node: Node) -> bool:
    return node.attrs.get("range_given", node.op == "QuantizeAndDequantizeV3") is True


def _axis(node: Node) -> int:
    axis = node.attrs.get("axis", -1)
    assert isinstance(axis, int)
    return axis


_NUMPY: Mapping[str, Callable[..., Array]] = {
    "AddV2": np.add,
    "Floor": np.floor,
    "Greater": np.greater,
    "Less": np.less,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Mul": np.multiply,
    "RealDiv": np.divide,
    "SelectV2": np.where,
    "Sub": np.subtract,
}
_Number = Array | Ref


class _Arithmetic:
    """Float32 arithmetic: done at once where all operands are known, else added to the graph."""

    def __init__(self, new: Lowering) -> None:
        self._new = new

    def __call__(self, op: str, *operands: _Number | float) -> _Number:
        """Compute, or add a node."""
        if not any(isinstance(operand, str) for operand in operands):
            numbers = [
                one if isinstance(one, np.ndarray) and one.dtype == bool else np.float32(one) for one in operands
            ]
            with np.errstate(all="ignore"):
                return np.asarray(_NUMPY[op](*numbers))
        return self._new.add(op, *map(self.ref, operands), T=FLOAT32)

    def ref(self, number: _Number | float) -> Ref:
        """Return a number as a tensor."""
        if isinstance(number, str):
            return number
        known = np.asarray(number)
        return self._new.constant(known, "bool" if known.dtype == bool else "float32")


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    calculate, x = _Arithmetic(new), node.inputs[0]
    least, most = _range(graph, new, match)
    if node.op in _FAKE:
        least, most, inverse, zero, scale = _moved(calculate, match, least, most)
        shifted = calculate("Sub", _clipped(calculate, x, least, most), least)
        steps = calculate("Sub", calculate("Mul", shifted, inverse), zero)
        to_even = False
    else:
        least, most, inverse, scale = _widened(calculate, match, least, most)
        clipped = _clipped(calculate, x, least, most) if _is_given(node) else x
        steps = calculate("Mul", clipped, inverse)
        to_even = node.attrs.get("round_mode", b"HALF_TO_EVEN") == b"HALF_TO_EVEN"
    if to_even:
        rounded = new.add("Round", calculate.ref(steps), T=FLOAT32)
    else:
        rounded = calculate.ref(calculate("Floor", calculate("AddV2", steps, 0.5)))
    new.replace("Mul", rounded, calculate.ref(scale), T=FLOAT32)


def _clipped(calculate: _Arithmetic, x: Ref, least: _Number, most: _Number) -> _Number:
    return calculate("Maximum", calculate("Minimum", x, most), least)


def _range(graph: Graph, new: Lowering, match: _Match) -> tuple[_Number, _Number]:
    """Return the range before it is moved, in a form that the data broadcast with."""
    node = match.node
    if node.op == "FakeQuantWithMinMaxArgs":
        least, most = (np.asarray(node.attrs.get(key, own), np.float32) for key, own in (("min", -6.0), ("max", 6.0)))
        return least, most
    axis, rank = (_axis(node) if node.op in _TWO_WAY else -1), match.rank or 0
    if node.op in _TWO_WAY and not _is_given(node):
        others = new.constant([other for other in range(rank) if other != axis])
        ends = [
            new.add(op, node.inputs[0], others, T=FLOAT32, Tidx=INT32, keep_dims=axis != -1) for op in ("Min", "Max")
        ]
        return ends[0], ends[1]
    ends_given: list[_Number] = []
    for ref in node.inputs[1:3]:
        known, shape = graph.constant(ref), [-1 if other == axis else 1 for other in range(rank)]
        if known is not None:
            ends_given.append(known if axis == -1 else known.reshape(shape))
        else:
            ends_given.append(ref if axis == -1 else new.reshape(ref, shape, FLOAT32))
    return ends_given[0], ends_given[1]


def _moved(calculate: _Arithmetic, match: _Match, least: _Number, most: _Number) -> tuple[_Number, ...]:
    """Move a range so that 0 is a step: its ends, 1 / scale, the step of 0 from the least, and the scale.

    A range of nothing has the scale 0.
    """
    first, last = match.first, match.last
    scale = calculate("RealDiv", calculate("Sub", most, least), last - first)
    divisor = calculate("SelectV2", calculate("Greater", scale, 0), scale, 1)
    exact = calculate("Sub", first, calculate("RealDiv", least, divisor))
    zero = calculate("Floor", calculate("AddV2", exact, 0.5))
    zero = calculate("Minimum", calculate("Maximum", zero, first), last)
    least, most = (calculate("Mul", calculate("Sub", end, zero), divisor) for end in (first, last))
    inverse = calculate("RealDiv", 1, divisor)
    below = calculate("Mul", calculate("Sub", 0, least), inverse)
    return least, most, inverse, calculate("Floor", calculate("AddV2", below, 0.5)), scale


def _widened(calculate: _Arithmetic, match: _Match, least: _Number, most: _Number) -> tuple[_Number, ...]:
    """Take the finer of the scales that map an end to the first, or last, step: the ends, the scale, and 1 / scale."""

    def factor(step: float, end: _Number) -> _Number:
        is_beyond = calculate("Greater", calculate("Mul", end, step), 0)
        return calculate("SelectV2", is_beyond, calculate("RealDiv", step, end), _HUGE)

    by_most = factor(match.last, most)
    scale = calculate("RealDiv", most, match.last)
    if match.first == 0:
        return calculate("Mul", scale, 0), most, by_most, scale
    by_least = factor(match.first, least)
    is_finer = calculate("Less", by_least, by_most)
    scale = calculate("SelectV2", is_finer, calculate("RealDiv", least, match.first), scale)
    return (
        calculate("SelectV2", is_finer, least, calculate("Mul", scale, match.first)),
        calculate("SelectV2", is_finer, calculate("Mul", scale, match.last), most),
        calculate("Minimum", by_least, by_most),
        scale,
    )


PASS = Rewrite(__name__, _FAKE | _TWO_WAY, _match, _apply)
