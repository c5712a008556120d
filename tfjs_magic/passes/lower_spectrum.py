"""Lower Fourier transforms of a known length to products with constant matrices: wasm has no complex numbers.

Given:   a = Real(RFFT(x)), b = Imag(RFFT(x)) or c = ComplexAbs(RFFT(x))     x (…, n), zero-padded or cut to N
Result:  a = x · cos, b = -x · sin, c = √(a² + b²)                           cos, sin (n, N / 2 + 1)
Given:   the same of FFT or IFFT of Complex(u, v)
Result:  a = u · cos ± v · sin, b = v · cos ∓ u · sin                        divided by N for IFFT
Given:   y = IRFFT(Complex(u, v))
Result:  y = u · C - v · S                                                   the outer columns once, the inner twice

Refuses: the length is unknown or computed; the matrices would take more than 4 MB.
Source: the discrete Fourier transform, X[k] = Σ x[t]·exp(-2πi·k·t / N).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.graph.ir import Array, Graph, Node
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_LARGEST_BYTES = 4 * 2**20
_PARTS = frozenset({"Real", "Imag", "ComplexAbs"})


@dataclasses.dataclass(frozen=True)
class _Match:
    """Real parts of the data, imaginary ones or None, and the matrices that make the real and imaginary results."""

    node: Node
    real: str
    imaginary: str | None
    cosine: Array
    sine: Array


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    transform = node if node.op == "IRFFT" else graph[node.inputs[0]]
    if transform.op not in {"RFFT", "FFT", "IFFT", "IRFFT"}:
        return None
    source = graph[transform.inputs[0]]
    if transform.op != "RFFT" and source.op != "Complex":
        return Miss("the complex numbers come from elsewhere than Complex")
    real, imaginary = (transform.inputs[0], None) if transform.op == "RFFT" else (source.inputs[0], source.inputs[1])
    shape = graph.shape(real)
    if shape is None or (given := shape[-1]) is None:
        return Miss("the length is unknown")
    length = given
    if transform.op in {"RFFT", "IRFFT"}:
        wanted = graph.constant(transform.inputs[1])
        if wanted is None:
            return Miss("the length is computed")
        length = int(wanted.ravel()[0])
    cosine, sine = _matrices(transform.op, given, length)
    if cosine.nbytes + sine.nbytes > _LARGEST_BYTES:
        return Miss("its matrices would take more than 4 MB")
    return _Match(node, real, imaginary, cosine, sine)


def _matrices(op: str, given: int, length: int) -> tuple[Array, Array]:
    """Give cos and sin (given, made), scaled; rows beyond the length are zero."""
    made = length // 2 + 1 if op == "RFFT" else length
    angles = 2 * np.pi / length * (np.outer(np.arange(given), np.arange(made)) % length)
    weights = np.ones((given, 1))
    if op == "IRFFT":
        bins = length // 2 + 1
        weights = np.where((np.arange(given) == 0) | (2 * np.arange(given) == length), 1.0, 2.0)[:, None] / length
        weights[bins:] = 0
    elif op == "IFFT":
        weights /= length
    elif op == "RFFT":
        weights[length:] = 0
    sign = -1 if op in {"IFFT", "IRFFT"} else 1
    return (weights * np.cos(angles)).astype(np.float32), (sign * weights * np.sin(angles)).astype(np.float32)


def _apply(graph: Graph, match: _Match) -> None:
    new = Lowering(graph, match.node)
    if match.node.op in {"Real", "IRFFT"}:
        new.replace("Identity", _part(new, match, real=True), T=FLOAT32)
    elif match.node.op == "Imag":
        new.replace("Identity", _part(new, match, real=False), T=FLOAT32)
    else:
        squares = [new.add("Square", _part(new, match, real=real), T=FLOAT32) for real in (True, False)]
        new.replace("Sqrt", new.add("AddV2", *squares, T=FLOAT32), T=FLOAT32)


def _part(new: Lowering, match: _Match, *, real: bool) -> str:
    """Real: u·cos + v·sin. Imaginary: v·cos - u·sin."""
    u, v = match.real, match.imaginary
    first = _product(new, u, match.cosine if real else -match.sine)
    if v is None:
        return first
    return new.add("AddV2", first, _product(new, v, match.sine if real else match.cosine), T=FLOAT32)


def _product(new: Lowering, data: str, matrix: Array) -> str:
    """Multiply (…, n) by (n, m): every other axis is a row."""
    rows = new.add("Reshape", data, new.constant([-1, len(matrix)]), T=FLOAT32, Tshape=INT32)
    product = new.add("MatMul", rows, new.constant(matrix, "float32"), transpose_a=False, transpose_b=False, T=FLOAT32)
    return new.add("Reshape", product, new.shape_with_last(data, matrix.shape[1]), T=FLOAT32, Tshape=INT32)


LOWER_SPECTRUM = Rewrite("lower_spectrum", _PARTS | {"IRFFT"}, _match, _apply)
