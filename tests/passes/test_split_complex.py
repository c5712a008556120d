"""Complex numbers and their transforms run as real ones, in real TF.js on cpu and wasm, which has none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS, parse_graph
from tests.models import keras_outputs, samples_of
from tests.traced import converted, python_outputs, traced
from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedOpsError
from tfjs_magic.ops.check import check_ops, count_ops, missing_per_backend
from tfjs_magic.passes import PIPELINE, run_passes, split_complex
from tfjs_magic.pipeline import convert

signal = tf.signal
RNG = np.random.default_rng(0)
VECTOR = (RNG.normal(size=12) + 1j * RNG.normal(size=12)).astype(np.complex64)


def _parts(z: Any) -> tuple[Any, Any]:
    return tf.math.real(z), tf.math.imag(z)


#: Functions of two complex numbers (…, 12) that give real ones.
OPS: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda z, w: _parts(z + w - VECTOR),
    "product": lambda z, w: _parts(z * w * tf.math.conj(z)),
    "constant": lambda z, _: _parts(VECTOR * z),
    "quotient": lambda z, w: _parts(z / w),
    "square-exp": lambda z, w: (*_parts(tf.square(z)), *_parts(tf.exp(w)), tf.abs(-z)),
    "reduced": lambda z, w: (*_parts(tf.reduce_sum(z, 1)), *_parts(tf.reduce_mean(w, [0, 1], keepdims=True))),
    "joined": lambda z, w: _parts(tf.concat([tf.stack([z, w], 1), z[:, None]], 1)[:, 1:, 2:7]),
    "moved": lambda z, _: _parts(
        tf.pad(tf.reverse(tf.tile(tf.gather(z, [3, 1, 2], axis=1), [1, 2]), [1]), [[0, 0], [1, 2]])
    ),
    "reshaped": lambda z, w: _parts(tf.transpose(tf.reshape(z, [-1, 3, 4]), [0, 2, 1])[..., None] + w[0, 0]),
    "to-real": lambda z, w: (tf.cast(z, tf.float32), tf.shape(w) * 2),
    "angle": lambda z, w: tf.math.angle(z * w),
    "product-used-twice": lambda z, w: (tf.abs(p := z * w), *_parts(p + z)),
}


@pytest.mark.parametrize("case", OPS)
def test_complex_ops_match_tensorflow(tfjs_node: TfjsNode, case: str) -> None:
    specs = [tf.TensorSpec((None, 12), tf.float32, name=name) for name in "abcd"]
    _check(tfjs_node, lambda a, b, c, d: OPS[case](tf.complex(a, b), tf.complex(c, d)), *specs)


#: Functions of a real tensor.
TRANSFORMS: dict[str, tuple[tuple[int | None, ...], Callable[[Any], Any]]] = {
    "two-axes": ((None, 4, 6), lambda x: _parts(signal.fft2d(tf.cast(x, tf.complex64)))),
    "two-axes-back": ((None, 4, 6), lambda x: _parts(signal.ifft2d(tf.complex(x, tf.tanh(x))))),
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
    "long-complex": ((2, 700), lambda x: _parts(signal.fft(tf.complex(x, tf.tanh(x))))),
    "long-back": ((2, 700), lambda x: _parts(signal.ifft(tf.complex(x, tf.tanh(x))))),
    "long-real-back": ((2, 513), lambda x: signal.irfft(tf.complex(x, tf.tanh(x)))),
    "long-real-back-odd": ((2, 400), lambda x: signal.irfft(tf.complex(x, tf.tanh(x)), [945])),
    "long-ends-have-exact-angles": ((9, 2048), lambda x: tf.math.angle(signal.rfft(x))[:, ::1024]),
}


@pytest.mark.parametrize("case", TRANSFORMS)
def test_transforms_match_tensorflow(tfjs_node: TfjsNode, case: str) -> None:
    shape, function = TRANSFORMS[case]
    _check(tfjs_node, function, tf.TensorSpec(shape, tf.float32, name="x"))


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
        for got, want in zip(tfjs_node.run_each(web, feeds, backend), references, strict=True):
            assert_matches(got, want)


@pytest.mark.parametrize(
    "function",
    [
        lambda z: z * VECTOR,
        lambda z: _parts(z[:, ::2] * 2j),
        signal.fft,
        lambda z: (tf.abs(z), tf.math.angle(z)),
    ],
)
def test_complex_inputs_and_outputs_run_where_there_are_complex_numbers(
    tfjs_node: TfjsNode, function: Callable[[Any], Any]
) -> None:
    spec = tf.TensorSpec((3, 12), tf.complex64, name="z")
    feed = {"z": (RNG.normal(size=(3, 12)) + 1j * RNG.normal(size=(3, 12))).astype(np.complex64)}
    model = converted(function, spec)
    assert_matches(tfjs_node.run(model, feed, "cpu"), python_outputs(function, feed, spec))
    graph = traced(function, spec)
    for step in PIPELINE.values():
        run_passes(graph, step)
    assert missing_per_backend(graph)["wasm"]


def test_an_unknown_length_stays_and_is_listed(tfjs_node: TfjsNode) -> None:
    def function(x: Any) -> Any:
        return tf.abs(signal.rfft(x)[:, 1:] * np.complex64(1 + 2j))

    spec = tf.TensorSpec((None, None), tf.float32, name="x")
    graph = traced(function, spec)
    for step in PIPELINE.values():
        run_passes(graph, step)
    assert missing_per_backend(graph)["wasm"] == ("Imag", "RFFT", "Real")
    feed = {"x": RNG.normal(size=(3, 16)).astype(np.float32)}
    assert_matches(tfjs_node.run(converted(function, spec), feed), python_outputs(function, feed, spec))


def test_an_op_without_a_rule_is_refused() -> None:
    with pytest.raises(UnsupportedOpsError, match="Sqrt") as caught:
        converted(lambda x: tf.abs(tf.sqrt(tf.complex(x, x))), tf.TensorSpec((3,), name="x"))
    assert list(caught.value.ops) == ["Sqrt"]


def test_real_numbers_are_left_alone() -> None:
    graph = parse_graph("x: float32[3]\na = Mul(x, x)\ny = Neg(a)\nreturn y, a")
    (report,) = run_passes(graph, (split_complex.PASS,))
    assert (report.applied, dict(report.misses)) == (0, {})
    check_ops(graph)
    assert set(count_ops(graph)) == {"Mul", "Neg"}


def _check(node: TfjsNode, function: Callable[..., Any], *specs: tf.TensorSpec) -> None:
    model = converted(function, *specs)
    assert not {"Complex", "Real", "Imag"} & {row["op"] for row in model.topology["node"]}
    feed: Mapping[str, Array] = {
        spec.name: RNG.normal(size=[2 if side is None else side for side in spec.shape]).astype(np.float32)
        for spec in specs
    }
    expected = python_outputs(function, feed, *specs)
    for backend in BACKENDS:
        assert_matches(node.run(model, feed, backend), expected)
