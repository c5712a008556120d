"""Lower Fourier transforms of a known length to products with constant matrices: TF.js has few, and wasm none.

Given:   y = FFT(Complex(u, v))              or IFFT, RFFT, IRFFT, and those of two and three axes
Result:  y = Complex(u·C + v·S, v·C - u·S)   C, S (n, m): cosines and sines; of IRFFT the real part alone

Where the matrices would be large, a length N = p·q is taken in two steps: on x (p, q) with t = q·i + j,
X[k + p·l] = Σⱼ ω_q^(j·l) · ω_N^(j·k) · Σᵢ ω_p^(i·k) · x[i, j].

``split_complex`` takes the Complex away again. Data of unknown length are cut to what is read.

Refuses: a length is unknown or computed; the complex numbers come from elsewhere than Complex; the matrices would take
more than 4 MB.
Source: the discrete Fourier transform, X[k] = Σ x[t]·exp(-2πi·k·t / N).
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

#: Matrices up to the first are taken in one step: two cost more calls. Beyond the second the transform stays.
_SMALL_BYTES = 2**19
_LARGEST_BYTES = 4 * 2**20
#: What is smaller than this is a zero of the sine.
_ROUNDING = 1e-12
_TRANSFORMS = {
    f"{kind}{axes}": (kind, n)
    for kind in ("FFT", "IFFT", "IRFFT", "RFFT")
    for n, axes in ((1, ""), (2, "2D"), (3, "3D"))
}


@dataclasses.dataclass(frozen=True)
class _Line:
    """The transform of one axis, counted within the transformed ones."""

    kind: str
    axis: int
    given: int
    length: int

    @property
    def made(self) -> int:
        """How many values come out."""
        return self.length // 2 + 1 if self.kind == "RFFT" else self.length

    @property
    def factors(self) -> tuple[int, int] | None:
        """The two lengths into which it is taken apart, or None if it is done in one step."""
        first = next(p for p in range(math.isqrt(self.length), 0, -1) if self.length % p == 0)
        second = self.length // first
        whole, parts = 8 * self.given * self.made, 8 * (first**2 + second**2 + self.length)
        return None if whole <= _SMALL_BYTES or whole <= parts else (first, second)

    @property
    def nbytes(self) -> int:
        """The size of its matrices."""
        return 8 * (self.given * self.made if self.factors is None else sum(p**2 for p in self.factors) + self.length)


@dataclasses.dataclass(frozen=True)
class _Match:
    """Real and imaginary data (None: zero), the sizes of the transformed axes, and the transforms in order.

    ``is_cut`` says that the data may have larger sizes, and are cut to these.
    """

    node: Node
    real: Ref
    imaginary: Ref | None
    sizes: list[int]
    lines: list[_Line]
    is_cut: bool


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    kind, rank = _TRANSFORMS[node.op]
    source = graph.producer(node.inputs[0])
    real, imaginary = node.inputs[0], None
    if kind != "RFFT":
        if source.op != "Complex":
            return Miss("the complex numbers come from elsewhere than Complex")
        real, imaginary = source.inputs
        if None not in (shapes := [graph.shape(part) for part in source.inputs]) and shapes[0] != shapes[1]:
            return Miss("the parts differ in shape")
        imaginary = None if graph.producer(imaginary).op == "ZerosLike" else imaginary
    shape = graph.shape(node.inputs[0])
    if shape is None or graph.shape(real) is None or (kind in {"FFT", "IFFT"} and None in shape[-rank:]):
        return Miss("a length is unknown")
    lengths = graph.constant(node.inputs[1]) if kind in {"IRFFT", "RFFT"} else np.asarray(shape[-rank:])
    if lengths is None:
        return Miss("a length is computed")
    read = [*map(int, lengths[:-1]), int(lengths[-1]) // 2 + 1 if kind == "IRFFT" else int(lengths[-1])]
    sizes = [own if side is None else side for side, own in zip(shape[-rank:], read, strict=True)]
    lines = _lines(kind, sizes, [int(length) for length in lengths])
    if any(line.nbytes > _LARGEST_BYTES for line in lines):
        return Miss("the matrices would take more than 4 MB")
    return _Match(node, real, imaginary, sizes, lines, is_cut=None in shape[-rank:])


def _lines(kind: str, sizes: list[int], lengths: list[int]) -> list[_Line]:
    """Return the transforms per axis: the real one is the first of RFFT and the last of IRFFT, on the last axis."""
    *outer, last = (
        _Line(kind.replace("R", "") if axis < len(sizes) - 1 else kind, axis, size, length)
        for axis, (size, length) in enumerate(zip(sizes, lengths, strict=True))
    )
    return [last, *outer] if kind == "RFFT" else [*outer, last]


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    rank, sizes = len(match.sizes), list(match.sizes)
    parts = [part for part in (match.real, match.imaginary) if part is not None]
    if match.is_cut:
        shape = graph.shape(match.real) or ()
        sides = new.constant([*[-1] * (len(shape) - rank), *sizes])
        first = new.constant([0] * len(shape))
        parts = [new.add("Slice", part, first, sides, T=FLOAT32, Index=INT32) for part in parts]
    parts = [new.reshape(part, [-1, *sizes], FLOAT32) for part in parts]
    for line in match.lines:
        order = [axis for axis in range(rank + 1) if axis != line.axis + 1] + [line.axis + 1]
        back = [order.index(axis) for axis in range(rank + 1)]
        rows = [_rows(new, part, order, sizes[line.axis]) for part in parts]
        results = _transform(new, line, rows[0], rows[1] if len(rows) > 1 else None)
        sizes[line.axis] = line.made
        moved = [-1, *(sizes[axis - 1] for axis in order[1:])] if line.axis < rank - 1 else [-1, *sizes]
        parts = [_transposed(new, new.reshape(part, moved, FLOAT32), back) for part in results]
    made = _full_shape(graph, new, match, sizes)
    *_, last = match.lines
    if last.kind == "IRFFT":
        new.replace("Reshape", parts[0], made, T=FLOAT32, Tshape=INT32)
        return
    halves = [new.add("Reshape", part, made, T=FLOAT32, Tshape=INT32) for part in parts]
    for half in halves:
        graph.set_shape(half, graph.shape(node.ref()))
    new.replace("Complex", *halves, T=FLOAT32)


def _full_shape(graph: Graph, new: Lowering, match: _Match, sizes: list[int]) -> Ref:
    """Return the result's shape: the axes in front of the transformed ones are the data's."""
    shape = graph.shape(match.real) or ()
    front = shape[: len(shape) - len(sizes)]
    if front.count(None) <= 1:
        return new.constant([*(-1 if side is None else side for side in front), *sizes])
    sides = [new.size(match.real, axis) for axis in range(len(front))]
    return new.add("Pack", *sides, *map(new.constant, sizes), axis=0, N=len(shape), T=INT32)


def _rows(new: Lowering, data: Ref, order: list[int], length: int) -> Ref:
    """Put the axis last, and every other one into the rows."""
    return new.reshape(_transposed(new, data, order), [-1, length], FLOAT32)


def _transform(new: Lowering, line: _Line, u: Ref, v: Ref | None) -> tuple[Ref, Ref]:
    """Transform (rows, given) to (rows, made)."""
    if line.factors is None:
        return _times(new, u, v, *_matrices(line))
    length, inverse = line.length, line.kind in {"IFFT", "IRFFT"}
    parts = [u] if v is None else [u, v]
    if line.kind == "IRFFT":
        weights = new.constant(_bin_weights(line.given, length), "float32")
        parts = [new.add("Mul", part, weights, T=FLOAT32) for part in parts]
    parts = [_fitted(new, part, line.given, length) for part in parts]
    parts = [_fitted(new, part, length, line.made) for part in _in_two_steps(new, line.factors, parts, inverse=inverse)]
    return parts[0], _real_ends(new, parts[1], line) if line.kind == "RFFT" else parts[1]


def _in_two_steps(new: Lowering, factors: tuple[int, int], parts: list[Ref], *, inverse: bool) -> list[Ref]:
    first, second = factors
    length, sign = first * second, -1 if inverse else 1
    parts = [new.reshape(part, [-1, first, second], FLOAT32) for part in parts]
    u, v = _times(new, parts[0], parts[1] if len(parts) > 1 else None, *_waves(first, first, first, sign), op=_LEFT)
    cosine, sine = _waves(first, second, length, sign) / (length if inverse else 1)
    u, v = _times(new, u, v, cosine, sine, op="Mul")
    rows = [new.reshape(part, [-1, second], FLOAT32) for part in (u, v)]
    u, v = _times(new, rows[0], rows[1], *_waves(second, second, second, sign))
    turned = [_transposed(new, new.reshape(part, [-1, first, second], FLOAT32), [0, 2, 1]) for part in (u, v)]
    return [new.reshape(part, [-1, length], FLOAT32) for part in turned]


def _real_ends(new: Lowering, imaginary: Ref, line: _Line) -> Ref:
    """Make the bins that are real by nature zero, and not minus zero: angles depend on it."""
    bins = np.arange(line.made)
    inner = new.constant((bins > 0) & (2 * bins != line.length), "float32")
    return new.add("AddV2", new.add("Mul", imaginary, inner, T=FLOAT32), new.constant(0, "float32"), T=FLOAT32)


#: By a matrix on the right, on the left, or number by number.
_RIGHT, _LEFT = "MatMul", "BatchMatMulV2"


def _times(new: Lowering, u: Ref, v: Ref | None, cosine: Array, sine: Array, *, op: str = _RIGHT) -> tuple[Ref, Ref]:
    """Multiply u + iv by cosine - i·sine."""

    def product(data: Ref, factor: Array) -> Ref:
        if op == _LEFT:
            left = new.constant(factor[None], "float32")
            return new.add(op, left, data, adj_x=False, adj_y=False, T=FLOAT32)
        flags = {"transpose_a": False, "transpose_b": False} if op == _RIGHT else {}
        return new.add(op, data, new.constant(factor, "float32"), **flags, T=FLOAT32)

    if v is None:
        return product(u, cosine), product(u, 0 - sine)  # where the sine is zero it must not be minus zero
    return (
        new.add("AddV2", product(u, cosine), product(v, sine), T=FLOAT32),
        new.add("Sub", product(v, cosine), product(u, sine), T=FLOAT32),
    )


def _waves(rows: int, columns: int, length: int, sign: int) -> Array:
    """Return cos and sin of 2π·i·j / length (2, rows, columns); zeros are exact."""
    angles = 2 * np.pi / length * (np.outer(np.arange(rows), np.arange(columns)) % length)
    waves = np.stack([np.cos(angles), sign * np.sin(angles)])
    return np.where(np.abs(waves) < _ROUNDING, 0.0, waves)


def _matrices(line: _Line) -> tuple[Array, Array]:
    """Return cos and sin (given, made), scaled; rows beyond the length are zero."""
    weights = np.ones(line.given)
    if line.kind == "IRFFT":
        weights = _bin_weights(line.given, line.length) / line.length
    elif line.kind == "IFFT":
        weights /= line.length
    weights[line.length :] = 0
    cosine, sine = _waves(line.given, line.made, line.length, -1 if line.kind in {"IFFT", "IRFFT"} else 1)
    return weights[:, None] * cosine, weights[:, None] * sine


def _bin_weights(given: int, length: int) -> Array:
    """Return how often IRFFT counts a bin: those that have a mirror image twice, those beyond the middle not at all."""
    bins = np.arange(given)
    return np.where(2 * bins > length, 0.0, np.where((bins == 0) | (2 * bins == length), 1.0, 2.0))


def _fitted(new: Lowering, rows: Ref, given: int, length: int) -> Ref:
    """Cut rows (n, given) to a length, or fill them up with zeros."""
    if given > length:
        return new.add("Slice", rows, new.constant([0, 0]), new.constant([-1, length]), T=FLOAT32, Index=INT32)
    if given < length:
        return new.add("Pad", rows, new.constant([[0, 0], [0, length - given]]), T=FLOAT32, Tpaddings=INT32)
    return rows


def _transposed(new: Lowering, data: Ref, order: list[int]) -> Ref:
    if order == sorted(order):
        return data
    return new.add("Transpose", data, new.constant(order), T=FLOAT32, Tperm=INT32)


PASS = Rewrite(__name__, frozenset(_TRANSFORMS), _match, _apply)
