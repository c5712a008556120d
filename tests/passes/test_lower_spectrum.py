"""Fourier transforms become products with matrices of cosines and sines: TF.js has few, and wasm none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import SyncReadError, TfjsNode
from tests.graph_text import BACKENDS
from tests.models import keras_outputs, samples_of
from tests.passes.checks import check_lowering, refusals
from tests.passes.operands import random_array
from tfjs_magic.passes import PIPELINE, lower_spectrum, split_complex
from tfjs_magic.pipeline import convert

signal = tf.signal
#: The complex numbers between are split by the second.
PASSES = [lower_spectrum.PASS, split_complex.PASS]
#: Sizes, slices and constants that are computed beside the transforms.
PREPARED = [*PIPELINE["lower ops"], *PIPELINE["fold weights"][:4]]
VECTOR = tf.complex(random_array("real", 12), random_array("imaginary", 12))


def _parts(z: Any) -> tuple[Any, Any]:
    return tf.math.real(z), tf.math.imag(z)


def _complex(x: Any) -> Any:
    return tf.complex(x, tf.tanh(x))


ONE_AXIS: dict[str, Callable[[Any], Any]] = {
    "real": lambda x: tf.math.real(signal.rfft(x)),
    "both": lambda x: _parts(signal.rfft(x)),
    "magnitude": lambda x: tf.abs(signal.rfft(x)),
    "padded": lambda x: tf.math.imag(signal.rfft(x, [16]))[..., 1:-1],
    "cut": lambda x: (tf.math.real(y := signal.rfft(x, [7])), tf.abs(y)),
    "odd": lambda x: tf.math.imag(signal.rfft(x[..., :9])),
    "complex": lambda x: (*_parts(y := signal.fft(_complex(x))), tf.abs(y)),
    "inverse": lambda x: _parts(signal.ifft(_complex(x))),
    "inverse-real": lambda x: signal.irfft(_complex(x)),
    "inverse-odd": lambda x: signal.irfft(_complex(x), [9]),
    "inverse-cut": lambda x: tf.raw_ops.IRFFT(input=_complex(x), fft_length=[10]),
}


@pytest.mark.parametrize("shape", [(12,), (2, 3, 12), (None, None, 12)], ids=["vector", "static", "free"])
@pytest.mark.parametrize("case", ONE_AXIS)
def test_lowers(tfjs_node: TfjsNode, case: str, shape: Any) -> None:
    check_lowering(tfjs_node, PASSES, ONE_AXIS[case], tf.TensorSpec(shape, name="x"), after=PREPARED)


#: Functions of a real tensor.
CASES: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "two-axes": ((None, 4, 6), lambda x: _parts(signal.fft2d(tf.cast(x, tf.complex64)))),
    "two-axes-back": ((None, 4, 6), lambda x: _parts(signal.ifft2d(_complex(x)))),
    "two-free-axes": ((None, None, 4, 6), lambda x: tf.abs(signal.rfft2d(x, [6, 5]))),
    "three-axes": ((2, 3, 4, 6), lambda x: _parts(signal.fft3d(tf.complex(x, 0.0)))),
    "real-three-axes": ((2, 3, 4, 6), lambda x: (*_parts(y := signal.rfft3d(x)), signal.irfft3d(y))),
    "two-axes-there-and-back": ((None, 4, 7), lambda x: signal.irfft2d(signal.rfft2d(x), [4, 7])),
    "filter": ((None, 12), lambda x: tf.abs(signal.ifft(signal.fft(tf.cast(x, tf.complex64)) * VECTOR))),
    "convolution": ((None, 20), lambda x: signal.irfft((y := signal.rfft(x, [64])) * y * tf.math.conj(y), [64])),
    "cosine": ((None, 20), lambda x: (signal.dct(x, norm="ortho"), signal.idct(x, norm="ortho"))),
    "modified-cosine": ((2, 128), lambda x: signal.mdct(x, 32)),
    "shifted": ((3, 12), lambda x: tf.abs(signal.fftshift(signal.fft(tf.cast(x, tf.complex64))))),
    "there-and-back": ((2, 200), lambda x: signal.inverse_stft(signal.stft(x, 32, 16), 32, 16)),
    "ends-have-exact-angles": ((9, 12), lambda x: tf.math.angle(signal.rfft(x))[:, ::6]),
    "long": ((None, 1000), lambda x: _parts(signal.rfft(x))),
    "long-power-of-two": ((None, 2048), lambda x: tf.abs(signal.rfft(x))),
    "long-cut-and-filled": ((2, 900), lambda x: (*_parts(signal.rfft(x, [800])), tf.abs(signal.rfft(x, [1024])))),
    "long-complex": ((2, 700), lambda x: _parts(signal.fft(_complex(x)))),
    "long-back": ((2, 700), lambda x: _parts(signal.ifft(_complex(x)))),
    "long-real-back": ((2, 513), lambda x: signal.irfft(_complex(x))),
    "long-real-back-odd": ((2, 400), lambda x: signal.irfft(_complex(x), [945])),
    "long-ends-have-exact-angles": ((9, 2048), lambda x: tf.math.angle(signal.rfft(x))[:, ::1024]),
}


@pytest.mark.parametrize("case", CASES)
def test_lowers_axes_lengths_and_what_is_made_of_them(tfjs_node: TfjsNode, case: str) -> None:
    shape, function = CASES[case]
    check_lowering(tfjs_node, PASSES, function, tf.TensorSpec(shape, name="x"), after=PREPARED)


@pytest.mark.parametrize("length", [5, 9])
@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: _parts(signal.rfft(x, [8])), id="real"),
        pytest.param(lambda x: signal.irfft(_complex(x), [8]), id="back"),
        pytest.param(lambda x: tf.abs(signal.rfft2d(x, [4, 7])), id="two-axes"),
    ],
)
def test_cuts_or_fills_what_has_no_known_length(
    tfjs_node: TfjsNode, function: Callable[[Any], Any], length: int
) -> None:
    feeds = [{"x": random_array(f"{seed}", 2, length, length)} for seed in (1, 2)]
    spec = tf.TensorSpec((None, None, None), name="x")
    check_lowering(tfjs_node, PASSES, function, spec, after=PREPARED, feeds=feeds)


def test_mel_spectrogram_runs_on_wasm_with_small_matrices(tfjs_node: TfjsNode) -> None:
    x = keras.Input((4000,), name="x")
    model = keras.Model(x, keras.layers.MelSpectrogram()(x))
    web = convert(model, format="graph")
    assert web.report.backends["wasm"] == ()
    assert web.nbytes < 2**20, "the mel matrix takes half; one of sines and cosines would take 16 MB"
    feeds = [samples_of(web.inputs, seed) for seed in range(2)]
    references = [keras_outputs(model, feed) for feed in feeds]
    assert_telling(*references)
    for backend in BACKENDS:
        with contextlib.suppress(SyncReadError):
            for got, want in zip(tfjs_node.run_each(web, feeds, backend), references, strict=True):
                assert_matches(got, want)


@pytest.mark.parametrize(
    ("function", "spec", "reason"),
    [
        pytest.param(
            signal.fft,
            tf.TensorSpec((3, 12), tf.complex64, name="x"),
            "the complex numbers come from elsewhere than Complex",
            id="complex-input",
        ),
        pytest.param(
            lambda x: tf.abs(signal.fft(_complex(x))),
            tf.TensorSpec((3, None), name="x"),
            "a length is unknown",
            id="unknown",
        ),
        pytest.param(
            lambda x: tf.abs(signal.rfft(x)), tf.TensorSpec((3, None), name="x"), "a length is computed", id="its-own"
        ),
        pytest.param(
            lambda x: tf.raw_ops.RFFT(input=x, fft_length=[tf.cast(x[0, 0], tf.int32)]),
            tf.TensorSpec((3, 12), name="x"),
            "a length is computed",
            id="computed",
        ),
        pytest.param(
            lambda x: tf.abs(signal.rfft(x)),
            tf.TensorSpec((3, 4093), name="x"),
            "the matrices would take more than 4 MB",
            id="large-prime",
        ),
    ],
)
def test_refuses(function: Callable[[Any], Any], spec: Any, reason: str) -> None:
    assert refusals([lower_spectrum.PASS], function, spec) == {reason}


def test_parts_of_different_shape_are_broadcast_before() -> None:
    function = lambda x: tf.abs(signal.fft(tf.complex(x, x[:1])))  # noqa: E731
    reasons = refusals([lower_spectrum.PASS], function, tf.TensorSpec((3, 12), name="x"), lacking=False)
    assert reasons == {"the parts differ in shape"}
