"""Lower arithmetic that TF.js lacks, or does in another way, to arithmetic that it has.

Given:   y = Rint(x), Inv(x), Invert(x) …         one node, see ``_FORMS``
Result:  y = the few nodes that compute the same

Some backends round integers to float32 in Abs, FloorDiv, Neg and Square. Where they may be beyond 2²⁴, what takes their
place computes with integers.

Refuses: a shift by a constant number of bits that int32 has not.
Source: TensorFlow ``core/ops/math_ops.cc`` and ``core/ops/bitwise_ops.cc``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import finds_values_wrongly, takes_vector
from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.graph.value_ranges import is_small
from tfjs_magic.passes.lowering import BOOL, FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_INTEGERS = frozenset({"int32", "int64"})
_BITS = 32
#: What rounds large integers on some backends.
_ROUNDED = frozenset({"Abs", "FloorDiv", "Neg", "Square"})
#: WebGPU gives a shader eight buffers; the last is for the sum.
_MOST_SUMMED = 7


@dataclasses.dataclass(frozen=True)
class _Match:
    """``factor`` is the power of two of a shift by a constant number of bits."""

    node: Node
    dtype: DType
    factor: Array | None


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    dtype = node.attrs.get("T", DType("float32"))
    assert isinstance(dtype, DType)
    if dtype not in _DTYPES.get(node.op, {dtype}):
        return None
    if _is_right(graph, node, dtype):
        return None
    bits = graph.constant(node.inputs[1]) if node.op in {"LeftShift", "RightShift"} else None
    if bits is None or bits.size != 1:
        return _Match(node, dtype, None)
    number = int(bits.ravel()[0])
    if not 0 <= number < _BITS - 1:
        return Miss(f"it shifts by {number} bits")
    return _Match(node, dtype, np.full(bits.shape, 1 << number))


def _is_right(graph: Graph, node: Node, dtype: DType) -> bool:
    """Whether TF.js computes this node as it is, if not all of its kind."""
    if node.op == "AddN":
        return len(node.inputs) <= _MOST_SUMMED
    if node.op in _ROUNDED and dtype in _INTEGERS:
        return all(is_small(graph, ref) for ref in node.inputs)
    if node.op == "ClipByValue" and dtype == "float32":
        least, most = (graph.constant(ref) for ref in node.inputs[1:])
        return least is not None and most is not None and least.ndim == most.ndim == 0 and bool(least <= most)
    if node.op == "Asinh":
        return graph.producer(node.inputs[0]).op == "Abs"
    if node.op == "Bincount":
        return takes_vector(graph, node)
    return node.op == "DenseBincount" and not finds_values_wrongly(graph, node)


def _apply(graph: Graph, match: _Match) -> None:
    _FORMS[match.node.op](Lowering(graph, match.node), match)


def _odd(new: Lowering, match: _Match) -> None:
    """asinh(x) = sign(x) · asinh(|x|): on GPUs x + √(x² + 1) cancels out where x is negative."""
    (x,) = match.node.inputs
    size = new.add("Asinh", new.add("Abs", x, T=match.dtype), T=match.dtype)
    new.replace("Mul", new.add("Sign", x, T=match.dtype), size, T=match.dtype)


def _renamed(op: str) -> Callable[[Lowering, _Match], None]:
    return lambda new, match: new.replace(op, *match.node.inputs, T=match.dtype)


def _inverted(new: Lowering, match: _Match) -> None:
    """~x = -1 - x."""
    new.replace("Sub", new.constant(-1), *match.node.inputs, T=match.dtype)


def _shifted_left(new: Lowering, match: _Match) -> None:
    x, bits = match.node.inputs
    if match.factor is None:
        factor = _power_of_two(new, match, _clamped(new, match, bits))
    else:
        factor = new.constant(match.factor)
    new.replace("Mul", x, factor, T=match.dtype)


def _shifted_right(new: Lowering, match: _Match) -> None:
    """Signed: rounds down, as FloorDiv does. By computed bits in two steps: int32 has no 2³¹."""
    x, bits = match.node.inputs
    if match.factor is not None:
        new.replace("FloorDiv", x, new.constant(match.factor), T=match.dtype)
        return
    bits = _clamped(new, match, bits)
    half = new.add("FloorDiv", bits, new.constant(2, match.dtype), T=match.dtype)
    rest = new.add("Sub", bits, half, T=match.dtype)
    first = new.add("FloorDiv", x, _power_of_two(new, match, half), T=match.dtype)
    new.replace("FloorDiv", first, _power_of_two(new, match, rest), T=match.dtype)


def _clamped(new: Lowering, match: _Match, bits: Ref) -> Ref:
    """Return the number of bits that TensorFlow shifts by."""
    least, most = new.constant(0, match.dtype), new.constant(_BITS - 1, match.dtype)
    return new.add("Minimum", new.add("Maximum", bits, least, T=match.dtype), most, T=match.dtype)


def _power_of_two(new: Lowering, match: _Match, bits: Ref) -> Ref:
    powers = new.constant([1 << bit if bit < _BITS - 1 else -(1 << bit) for bit in range(_BITS)], match.dtype)
    attrs: dict[str, Attr] = {"Tparams": match.dtype, "Tindices": match.dtype, "Taxis": INT32, "batch_dims": 0}
    return new.add("GatherV2", powers, bits, new.constant(0), **attrs)


def _crossed(new: Lowering, match: _Match) -> None:
    """A × b of the last axis: a' · b" − a" · b', turned by one place and by two."""
    attrs: dict[str, Attr] = {"Tparams": match.dtype, "Tindices": INT32, "Taxis": INT32, "batch_dims": 0}

    def turned(ref: Ref, *places: int) -> Ref:
        return new.add("GatherV2", ref, new.constant(places), new.constant(-1), **attrs)

    a, b = match.node.inputs
    products = (
        new.add("Mul", turned(a, *one), turned(b, *other), T=match.dtype)
        for one, other in (((1, 2, 0), (2, 0, 1)), ((2, 0, 1), (1, 2, 0)))
    )
    new.replace("Sub", *products, T=match.dtype)


def _scattered(new: Lowering, match: _Match) -> None:
    """What comes at the same place twice is added twice."""
    x, indices, updates = match.node.inputs
    attrs: dict[str, Attr] = {"T": match.dtype, "Tindices": match.node.attrs["Tindices"]}
    new.replace("AddV2", x, new.add("ScatterNd", indices, updates, new.shape_now(x), **attrs), T=match.dtype)


def _floor_divided(new: Lowering, match: _Match) -> None:
    """TF.js's FloorDiv gives int32, whatever it takes."""
    if match.dtype in _INTEGERS:
        _divided(new, match)
        return
    new.replace("Floor", new.add("RealDiv", *match.node.inputs, T=match.dtype), T=match.dtype)


def _divided(new: Lowering, match: _Match) -> None:
    """Divide as floats, then add how far that is off: what is left, a multiple of the divisor, is small.

    The divisor -2³¹ alone is beyond it.
    """
    (x, y), dtype = match.node.inputs, match.dtype

    def quotient(of: Ref) -> Ref:
        return new.add("RealDiv", new.add("Cast", of, SrcT=dtype, DstT=FLOAT32), divisor, T=FLOAT32)

    divisor = new.add("Cast", y, SrcT=dtype, DstT=FLOAT32)
    about = new.add("Cast", quotient(x), SrcT=FLOAT32, DstT=dtype)
    whole = new.add("Sub", x, new.add("FloorMod", x, y, T=dtype), T=dtype)
    left = new.add("Sub", whole, new.add("Mul", about, y, T=dtype), T=dtype)
    off = new.add("Round", quotient(left), T=FLOAT32)
    new.replace("AddV2", about, new.add("Cast", off, SrcT=FLOAT32, DstT=dtype), T=dtype)


def _negated(new: Lowering, match: _Match) -> None:
    new.replace("Sub", new.constant(0, match.dtype), *match.node.inputs, T=match.dtype)


def _without_sign(new: Lowering, match: _Match) -> None:
    (x,) = match.node.inputs
    new.replace("Maximum", x, new.add("Sub", new.constant(0, match.dtype), x, T=match.dtype), T=match.dtype)


def _summed(new: Lowering, match: _Match) -> None:
    """Sum as many as fit, then go on with their sum."""
    first, *rest = match.node.inputs
    more = _MOST_SUMMED - 1
    while len(rest) > more:
        first, rest = new.add("AddN", first, *rest[:more], T=match.dtype, N=_MOST_SUMMED), rest[more:]
    new.replace("AddN", first, *rest, T=match.dtype, N=1 + len(rest))


def _squared(new: Lowering, match: _Match) -> None:
    new.replace("Mul", *match.node.inputs, *match.node.inputs, T=match.dtype)


def _clipped(new: Lowering, match: _Match) -> None:
    """Clip in two steps, the lower bound last, as TensorFlow does where it is above the upper one.

    In one step wasm reads integers as floats, everything takes the first value of a bound, and bounds in the wrong
    order are refused.
    """
    x, least, most = match.node.inputs
    new.replace("Maximum", new.add("Minimum", x, most, T=match.dtype), least, T=match.dtype)


def _counted_once(new: Lowering, match: _Match) -> None:
    """1 for every value that is there at all; the weights mean nothing."""
    node = match.node
    attrs = {**node.attrs, "binary_output": False}
    counts = new.add(node.op, *node.inputs[:2], new.constant([], match.dtype), **attrs)
    new.replace("Minimum", counts, new.constant(1, match.dtype), T=match.dtype)


def _counted_flat(new: Lowering, match: _Match) -> None:
    """Wasm counts a matrix by row, and takes a number for a matrix."""
    x, size, weights = match.node.inputs
    flat = new.vector(x, INT32)
    new.replace("Bincount", flat, size, new.vector(weights, match.dtype), **match.node.attrs)


def _euclidean_norm(new: Lowering, match: _Match) -> None:
    """√(Σx²): TF.js takes one axis or two."""
    x, axes = match.node.inputs
    squares = new.add("Sum", new.add("Square", x, T=match.dtype), axes, **match.node.attrs)
    new.replace("Sqrt", squares, T=match.dtype)


def _half_of_squares(new: Lowering, match: _Match) -> None:
    """Σx² / 2, over all axes."""
    flat = new.vector(new.add("Square", *match.node.inputs, T=match.dtype), match.dtype)
    total = new.add("Sum", flat, new.constant([0]), T=match.dtype, Tidx=INT32, keep_dims=False)
    new.replace("Mul", total, new.constant(0.5, match.dtype), T=match.dtype)


def _truncated(new: Lowering, match: _Match) -> None:
    """Cut towards zero: x // y, and 1 more where that is negative and leaves a rest; -2³¹ has no absolute value."""
    operands, zero = match.node.inputs, new.constant(0, match.dtype)
    quotient, rest = (new.add(op, *operands, T=match.dtype) for op in ("FloorDiv", "FloorMod"))
    less, left = new.add("Less", quotient, zero, T=match.dtype), new.add("NotEqual", rest, zero, T=match.dtype)
    more = new.add("Cast", new.add("LogicalAnd", less, left), SrcT=BOOL, DstT=match.dtype)
    new.replace("AddV2", quotient, more, T=match.dtype)


def _remainder(new: Lowering, match: _Match) -> None:
    """Take the dividend's sign: sign(x) · (|x| mod |y|); of integers, which -2³¹ is among, r or r - y."""
    if match.dtype in _INTEGERS:
        _integer_remainder(new, match)
        return
    rest = new.add("FloorMod", *(new.add("Abs", x, T=match.dtype) for x in match.node.inputs), T=match.dtype)
    new.replace("Mul", _sign(new, match.node.inputs[0], match.dtype), rest, T=match.dtype)


def _integer_remainder(new: Lowering, match: _Match) -> None:
    """R = x mod y has y's sign: where x has the other one, r - y."""
    (x, y), zero = match.node.inputs, new.constant(0, match.dtype)
    rest = new.add("FloorMod", x, y, T=match.dtype)
    ways = (("Less", "Greater"), ("Greater", "Less"))
    unlike = (
        new.add("LogicalAnd", new.add(one, x, zero, T=match.dtype), new.add(other, rest, zero, T=match.dtype))
        for one, other in ways
    )
    other = new.add("Sub", rest, y, T=match.dtype)
    new.replace("SelectV2", new.add("LogicalOr", *unlike), other, rest, T=match.dtype)


def _sign(new: Lowering, ref: Ref, dtype: DType) -> Ref:
    """1 or -1, never 0."""
    negative = new.add("Less", ref, new.constant(0, str(dtype)), T=dtype)
    return new.add("SelectV2", negative, new.constant(-1, str(dtype)), new.constant(1, str(dtype)), T=dtype)


def _unless_zero(op: str, which: int, inner: str | None = None) -> Callable[[Lowering, _Match], None]:
    """Return 0 where an operand is 0, else ``op(x, inner(y))``."""

    def lower(new: Lowering, match: _Match) -> None:
        x, y = match.node.inputs
        zero = new.constant(0, str(match.dtype))
        is_zero = new.add("Equal", (x, y)[which], zero, T=match.dtype)
        value = new.add(op, x, y if inner is None else new.add(inner, y, T=match.dtype), T=match.dtype)
        new.replace("SelectV2", is_zero, zero, value, T=match.dtype)

    return lower


def _complement_of_error(new: Lowering, match: _Match) -> None:
    """1 - erf(x): what is lost is the relative precision of the far tail, where erfc < 2e-8."""
    new.replace("Sub", new.constant(1, match.dtype), new.add("Erf", *match.node.inputs, T=match.dtype), T=match.dtype)


def _softsign(new: Lowering, match: _Match) -> None:
    """X / (1 + |x|)."""
    (x,) = match.node.inputs
    size = new.add("AddV2", new.add("Abs", x, T=match.dtype), new.constant(1, match.dtype), T=match.dtype)
    new.replace("RealDiv", x, size, T=match.dtype)


def _contrast(new: Lowering, match: _Match) -> None:
    """(x - m) · factor + m, m the mean of every channel; x (…, height, width, channels)."""
    x, factor = match.node.inputs
    mean = new.add("Mean", x, new.constant([-3, -2]), keep_dims=True, T=match.dtype, Tidx=INT32)
    scaled = new.add("Mul", new.add("Sub", x, mean, T=match.dtype), factor, T=match.dtype)
    new.replace("AddV2", scaled, mean, T=match.dtype)


_FORMS: dict[str, Callable[[Lowering, _Match], None]] = {
    "Abs": _without_sign,
    "AddN": _summed,
    "AdjustContrastv2": _contrast,
    "Asinh": _odd,
    "Bincount": _counted_flat,
    "ClipByValue": _clipped,
    "Cross": _crossed,
    "DenseBincount": _counted_once,
    "Div": _truncated,
    "Erfc": _complement_of_error,
    "EuclideanNorm": _euclidean_norm,
    "FloorDiv": _floor_divided,
    "Inv": _renamed("Reciprocal"),
    "Invert": _inverted,
    "L2Loss": _half_of_squares,
    "LeftShift": _shifted_left,
    "Mod": _remainder,
    "MulNoNan": _unless_zero("Mul", 1),
    "RightShift": _shifted_right,
    "Neg": _negated,
    "Rint": _renamed("Round"),
    "Softsign": _softsign,
    "TensorScatterAdd": _scattered,
    "Square": _squared,
    "TruncateDiv": _truncated,
    "TruncateMod": _remainder,
    "Xdivy": _unless_zero("RealDiv", 0),
    "Xlog1py": _unless_zero("Mul", 0, "Log1p"),
    "Xlogy": _unless_zero("Mul", 0, "Log"),
}
#: Where TF.js is right for the other dtypes, or has none for them.
_DTYPES: dict[str, frozenset[str]] = {
    "Abs": _INTEGERS,
    "ClipByValue": frozenset({*_INTEGERS, "float32", "int8", "uint8"}),
    "Cross": frozenset({"float32", "int32"}),
    "Div": _INTEGERS,
    "EuclideanNorm": frozenset({"float32"}),
    "FloorDiv": frozenset({*_INTEGERS, "float32"}),
    "Asinh": frozenset({"float16", "float32", "float64"}),
    "Inv": frozenset({"float32"}),
    "Invert": frozenset({"int32"}),
    "L2Loss": frozenset({"float32"}),
    "LeftShift": frozenset({"int32"}),
    "Neg": _INTEGERS,
    "Square": _INTEGERS,
    "Mod": frozenset({*_INTEGERS, "float32"}),
    "RightShift": _INTEGERS,
    "TensorScatterAdd": frozenset({"float32", "int32"}),
    "TruncateDiv": _INTEGERS,
    "TruncateMod": frozenset({*_INTEGERS, "float32"}),
}

PASS = Rewrite(__name__, frozenset(_FORMS), _match, _apply)
