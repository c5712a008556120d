"""Split complex numbers into two real tensors: wasm has no complex numbers, and elsewhere TF.js knows few ops on them.

Given:   y = Op(Complex(a, b), …)            slices, reshapes, sums; Add, Mul, RealDiv, Conj, Exp …; a complex constant
Result:  y = Complex(Op(a), Op(b))           Mul: Complex(a·c - b·d, a·d + b·c) …
Given:   y = Real(Complex(a, b))             or Imag, ComplexAbs, Angle, Shape, a cast to real numbers
Result:  y = a                               b, √(a² + b²), Atan2(b, a), Shape(a)
Given:   y = Complex(a, b)                   a and b differ in shape
Result:  y = Complex(a + 0, b + 0)           broadcast, which TF.js does not do

So a Complex moves down until its parts are taken, and stays only where complex numbers go out of the model. Complex
numbers that come in, or from an op that is not split, are taken apart by Real and Imag: TF.js multiplies them wrongly
where their shapes differ.

Refuses: Real, Imag, ComplexAbs and Shape of an op that is not split.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_DTYPES = frozenset({"complex64", "complex128"})
_COMPLEX = DType("complex64")
#: What TF.js has kernels for, where it has complex numbers at all.
_KERNELS = frozenset({"ComplexAbs", "Identity", "Imag", "Real", "Shape"})
#: Ops that act on real and imaginary parts alike → how many of their last inputs are no data.
_LINEAR = {
    **dict.fromkeys(("Add", "AddN", "AddV2", "Identity", "Neg", "Pack", "Squeeze", "Sub", "ZerosLike"), 0),
    **dict.fromkeys(("BroadcastTo", "ConcatV2", "ExpandDims", "Mean", "MirrorPad", "Pad", "Reshape", "ReverseV2"), 1),
    **dict.fromkeys(("Sum", "Tile", "Transpose"), 1),
    **dict.fromkeys(("GatherV2", "Slice"), 2),
    "StridedSlice": 3,
}
_Pair = tuple[Ref, Ref]


@dataclasses.dataclass(frozen=True)
class _Match:
    """The refs of the complex operands; none of a constant, a cast of real numbers, or a Complex to broadcast."""

    node: Node
    sources: list[Ref]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if node.op in {"Const", "Complex"} or node.attrs.get("DstT") in _DTYPES:
        return _Match(node, []) if _makes_complex(graph, node) else None
    if _DTYPES.isdisjoint(str(node.attrs.get(key)) for key in ("T", "Tparams", "SrcT")):
        return None
    sources = _data(node)
    if node.op in _KERNELS and graph.producer(sources[0]).op != "Complex":
        return Miss("the complex numbers come from an op that is not split")
    if any(graph.producer(ref).op == "Complex" and _differ(graph, *graph.producer(ref).inputs) for ref in sources):
        return None  # the Complex is broadcast first
    return _Match(node, sources)


def _makes_complex(graph: Graph, node: Node) -> bool:
    """Whether a node starts complex numbers in a way that is to be changed."""
    if node.op == "Const":
        return node.value is not None and node.value.dtype.kind == "c"
    return _differ(graph, *node.inputs) if node.op == "Complex" else node.attrs["SrcT"] not in _DTYPES


def _data(node: Node) -> list[Ref]:
    return node.inputs[: len(node.inputs) - _LINEAR.get(node.op, 0)]


def _differ(graph: Graph, first: Ref, second: Ref) -> bool:
    shapes = graph.shape(first), graph.shape(second)
    return None not in shapes and shapes[0] != shapes[1]


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    pairs = [_pair(graph, new, ref) for ref in match.sources]
    if pairs and node.op in _TAKEN:
        _TAKEN[node.op](new, node, pairs[0])
        return
    if not pairs:
        parts = _STARTS[node.op](graph, new, node)
    elif node.op in _LINEAR:
        attrs = {key: FLOAT32 if value in _DTYPES else value for key, value in node.attrs.items()}
        others = node.inputs[len(pairs) :]
        parts = [new.add(node.op, *data, *others, **attrs) for data in zip(*pairs, strict=True)]
    else:
        parts = list(_ARITHMETIC[node.op](_Real(new), *(part for pair in pairs for part in pair)))
    for part in parts:
        if graph.constant(part) is None:
            graph.set_shape(part, graph.shape(node.ref()))
    new.replace("Complex", *parts, T=FLOAT32)


def _pair(graph: Graph, new: Lowering, ref: Ref) -> _Pair:
    """Return the parts of complex numbers."""
    source = graph.producer(ref)
    if source.op == "Complex":
        return source.inputs[0], source.inputs[1]
    parts = [new.add(op, ref, T=_COMPLEX, Tout=FLOAT32) for op in ("Real", "Imag")]
    for part in parts:
        graph.set_shape(part, graph.shape(ref))
    return parts[0], parts[1]


class _Real:
    """Arithmetic on the parts."""

    def __init__(self, new: Lowering) -> None:
        self._new = new

    def __call__(self, op: str, *inputs: Ref) -> Ref:
        return self._new.add(op, *inputs, T=FLOAT32)


def _product(real: _Real, a: Ref, b: Ref, c: Ref, d: Ref) -> _Pair:
    return (
        real("Sub", real("Mul", a, c), real("Mul", b, d)),
        real("AddV2", real("Mul", a, d), real("Mul", b, c)),
    )


def _quotient(real: _Real, a: Ref, b: Ref, c: Ref, d: Ref) -> _Pair:
    size = real("AddV2", real("Square", c), real("Square", d))
    first, second = _product(real, a, b, c, real("Neg", d))
    return real("RealDiv", first, size), real("RealDiv", second, size)


def _exponential(real: _Real, a: Ref, b: Ref) -> _Pair:
    size = real("Exp", a)
    return real("Mul", size, real("Cos", b)), real("Mul", size, real("Sin", b))


_ARITHMETIC: dict[str, Callable[..., _Pair]] = {
    "Conj": lambda real, a, b: (a, real("Neg", b)),
    "Exp": _exponential,
    "Mul": _product,
    "RealDiv": _quotient,
    "Square": lambda real, a, b: _product(real, a, b, a, b),
}


def _broadcast(graph: Graph, new: Lowering, node: Node) -> list[Ref]:
    """Broadcast the parts, which TF.js does not."""
    made = graph.shape(node.ref())
    pairs = (node.inputs, node.inputs[::-1])
    zeros = [new.add("ZerosLike", other, T=FLOAT32) for _, other in pairs]
    parts = []
    for (part, other), zero in zip(pairs, zeros, strict=True):
        value = graph.constant(part)
        if graph.shape(part) == made:
            parts.append(part)
        elif value is not None and not value.any() and graph.shape(other) == made:
            parts.append(zero)
        else:
            parts.append(new.add("AddV2", part, zero, T=FLOAT32))
    return parts


def _constants(_: Graph, new: Lowering, node: Node) -> list[Ref]:
    assert node.value is not None
    return [new.constant(part, "float32") for part in (node.value.real, node.value.imag)]


def _from_real(_: Graph, new: Lowering, node: Node) -> list[Ref]:
    data = node.inputs[0]
    if node.attrs["SrcT"] != FLOAT32:
        data = new.add("Cast", data, SrcT=node.attrs["SrcT"], DstT=FLOAT32)
    return [data, new.add("ZerosLike", data, T=FLOAT32)]


_STARTS: dict[str, Callable[[Graph, Lowering, Node], list[Ref]]] = {
    "Cast": _from_real,
    "Complex": _broadcast,
    "Const": _constants,
}


def _magnitude(new: Lowering, _: Node, pair: _Pair) -> None:
    squares = [new.add("Square", part, T=FLOAT32) for part in pair]
    new.replace("Sqrt", new.add("AddV2", *squares, T=FLOAT32), T=FLOAT32)


_TAKEN: dict[str, Callable[[Lowering, Node, _Pair], None]] = {
    "Angle": lambda new, _, pair: new.replace("Atan2", pair[1], pair[0], T=FLOAT32),
    "ComplexAbs": _magnitude,
    "Cast": lambda new, node, pair: new.replace("Cast", pair[0], **{**node.attrs, "SrcT": FLOAT32}),
    "Imag": lambda new, _, pair: new.replace("Identity", pair[1], T=FLOAT32),
    "Real": lambda new, _, pair: new.replace("Identity", pair[0], T=FLOAT32),
    "Shape": lambda new, node, pair: new.replace("Shape", pair[0], **{**node.attrs, "T": FLOAT32}),
}

PASS = Rewrite(__name__, frozenset({"Complex", "Const", *_ARITHMETIC, *_LINEAR, *_TAKEN}), _match, _apply)
