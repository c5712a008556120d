"""Lower the spectra of the speech models of TensorFlow 1, which TF.js lacks.

Given:   y = AudioSpectrogram(x)      x (L, C) → y (C, frames, N/2 + 1); window W ≤ N, a power of 2
Result:  y = Sum of squares of Real and Imag of RFFT(frames·hann, N); its root unless magnitude_squared
Given:   y = Mfcc(s, rate)            s (C, frames, bins)
Result:  y = MatMul(Log(Maximum(MatMul(Sqrt(s), mel), 1e-12)), dct)

``lower_spectrum`` lowers the RFFT. TensorFlow computes in float64: far below the loudest bin, a logarithm shows it.

Refuses: the number of bins, or of channels, is unknown; the sample rate is computed; it does not reach the upper limit.
Source: TensorFlow ``core/kernels/spectrogram.cc``, ``mfcc.cc``, ``mfcc_mel_filterbank.cc`` and ``mfcc_dct.cc``.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_COMPLEX64 = DType("complex64")
_FLOOR = 1e-12


@dataclasses.dataclass(frozen=True)
class _Match:
    """Matrices of an Mfcc: (bins, bands) and (bands, coefficients); None of a spectrogram."""

    node: Node
    mel: Array | None = None
    cosines: Array | None = None


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    shape = graph.shape(node.inputs[0])
    if shape is None or shape[-1] is None:
        return Miss("the number of bins, or of channels, is unknown: give it with inputs={…}")
    if node.op == "AudioSpectrogram":
        return _Match(node)
    rate = graph.constant(node.inputs[1])
    if rate is None:
        return Miss("the sample rate is computed: it has to be a constant")
    options: Any = {key: node.attrs.get(key, default) for key, default in _DEFAULTS.items()}
    bands, low, high = (options[key] for key in ("filterbank_channel_count", *_LIMITS))
    if int(high / (0.5 * float(rate) / (shape[-1] - 1))) >= shape[-1]:
        return Miss("the upper frequency limit is beyond half of the sample rate")
    places = np.outer(np.arange(bands) + 0.5, np.arange(options["dct_coefficient_count"]))
    cosines = np.sqrt(2 / bands) * np.cos(np.pi / bands * places)
    return _Match(node, _mel(shape[-1], float(rate), bands, (low, high)), cosines)


_LIMITS = ("lower_frequency_limit", "upper_frequency_limit")
_DEFAULTS = {
    "filterbank_channel_count": 40,
    "dct_coefficient_count": 13,
    "lower_frequency_limit": 20.0,
    "upper_frequency_limit": 4000.0,
}


def _mel(bins: int, rate: float, bands: int, limits: tuple[float, float]) -> Array:
    """Return how much of each bin goes into each band (bins, bands): the rest goes into the next one."""
    low, high = (_mels(limit) for limit in limits)
    edges = low + (high - low) / (bands + 1) * np.arange(bands + 2)
    step = 0.5 * rate / (bins - 1)
    matrix = np.zeros((bins, bands))
    for i in range(int(1.5 + limits[0] / step), int(limits[1] / step) + 1):
        mel = _mels(i * step)
        band = int(np.searchsorted(edges[1:-1], mel)) - 1
        share = (edges[band + 2] - mel) / (edges[band + 2] - edges[band + 1])
        if band >= 0:
            matrix[i, band] += share
        if band + 1 < bands:
            matrix[i, band + 1] += 1 - share
    return matrix


def _mels(hertz: float) -> float:
    return float(1127 * np.log1p(hertz / 700))


def _apply(graph: Graph, match: _Match) -> None:
    new = Lowering(graph, match.node)
    if match.mel is None or match.cosines is None:
        _apply_spectrogram(graph, new, match.node)
        return
    spectrum = match.node.inputs[0]
    bins = match.mel.shape[0]
    rows = new.add("Sqrt", new.reshape(spectrum, [-1, bins], FLOAT32), T=FLOAT32)
    rows = _product(new, rows, match.mel)
    rows = new.add("Log", new.add("Maximum", rows, new.constant(_FLOOR, "float32"), T=FLOAT32), T=FLOAT32)
    rows = _product(new, rows, match.cosines)
    shape = new.dims([new.size(spectrum, 0), new.size(spectrum, 1), match.cosines.shape[1]])
    new.replace("Reshape", rows, shape, T=FLOAT32, Tshape=INT32)


def _product(new: Lowering, rows: Ref, matrix: Array) -> Ref:
    return new.add("MatMul", rows, new.constant(matrix, "float32"), T=FLOAT32, transpose_a=False, transpose_b=False)


def _apply_spectrogram(graph: Graph, new: Lowering, node: Node) -> None:
    window, stride = node.attrs["window_size"], node.attrs["stride"]
    assert isinstance(window, int)
    assert isinstance(stride, int)
    length, channels = graph.shape(node.inputs[0]) or ()
    if length is None:
        number = new.quotient(new.integer("Sub", new.size(node.inputs[0], 0), window - stride), stride)
    else:
        number = new.constant((length - window + stride) // stride)
    starts = new.expand(new.add("Mul", new.range(number), new.constant(stride), T=INT32), 1, INT32)
    places = new.vector(new.add("AddV2", starts, new.constant(np.arange(window)), T=INT32), INT32)
    data = new.add("Transpose", node.inputs[0], new.constant([1, 0]), T=FLOAT32, Tperm=INT32)
    frames = new.add(
        "GatherV2", data, places, new.constant(1), Tparams=FLOAT32, Tindices=INT32, Taxis=INT32, batch_dims=0
    )
    frames = new.reshape(frames, [-1, window], FLOAT32)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi / window * np.arange(window))
    frames = new.add("Mul", frames, new.constant(hann, "float32"), T=FLOAT32)
    size = 1 << (window - 1).bit_length()
    spectrum = new.add("RFFT", frames, new.constant([size]), Treal=FLOAT32, Tcomplex=_COMPLEX64)
    graph.set_shape(spectrum, (None, size // 2 + 1))
    parts = (new.add(part, spectrum, T=_COMPLEX64, Tout=FLOAT32) for part in ("Real", "Imag"))
    power = new.add("AddV2", *(new.add("Square", part, T=FLOAT32) for part in parts), T=FLOAT32)
    if node.attrs.get("magnitude_squared", False) is not True:
        power = new.add("Sqrt", power, T=FLOAT32)
    new.replace("Reshape", power, new.dims([channels or 0, number, size // 2 + 1]), T=FLOAT32, Tshape=INT32)


PASS = Rewrite(__name__, frozenset({"AudioSpectrogram", "Mfcc"}), _match, _apply)
