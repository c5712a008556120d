"""The spectra of the speech models of TensorFlow 1 become Fourier transforms and products."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import fold_constants, lower_audio, lower_spectrum, split_complex

#: The second two lower the Fourier transform.
PASSES = [lower_audio.PASS, fold_constants.PASS, lower_spectrum.PASS, split_complex.PASS]
#: Sums and logarithms of float32, where TensorFlow has float64.
TOLERANCE = 3e-5


def _spectrum(x: Any, window: int = 60, stride: int = 25, *, squared: bool = True) -> Any:
    return tf.raw_ops.AudioSpectrogram(input=x, window_size=window, stride=stride, magnitude_squared=squared)


def _mfcc(spectrum: Any, rate: Any = 16000, **options: Any) -> Any:
    return tf.raw_ops.Mfcc(spectrogram=spectrum, sample_rate=rate, **options)


def _feeds(*lengths: int, channels: int = 2) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    return [{"x": rng.normal(size=(length, channels)).astype(np.float32)} for length in lengths]


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize(("window", "stride"), [(60, 25), (64, 64), (3, 1), (100, 130), (480, 160)])
@pytest.mark.parametrize("length", [500, None], ids=["static", "free"])
def test_spectrogram(tfjs_node: TfjsNode, length: int | None, window: int, stride: int, *, squared: bool) -> None:
    function = lambda x: _spectrum(x, window, stride, squared=squared)  # noqa: E731
    feeds = _feeds(500, 500) if length else _feeds(500, 623)
    spec = tf.TensorSpec((length, 2), name="x")
    check_lowering(tfjs_node, PASSES, function, spec, feeds=feeds, tolerance=TOLERANCE)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"upper_frequency_limit": 8000.0, "lower_frequency_limit": 0.0},
        {"upper_frequency_limit": 3000.0, "lower_frequency_limit": 300.0, "filterbank_channel_count": 13},
        {"dct_coefficient_count": 20, "filterbank_channel_count": 20},
    ],
    ids=str,
)
def test_mfcc(tfjs_node: TfjsNode, options: Any) -> None:
    """A part of the sound is silent, so that some bands hold nothing."""
    silent = np.float32([0] * 600 + [1] * 400)[:, None]
    function = lambda x: _mfcc(_spectrum(x * silent, 480, 160), **options)  # noqa: E731
    spec = tf.TensorSpec((1000, 2), name="x")
    check_lowering(tfjs_node, PASSES, function, spec, feeds=_feeds(1000, 1000), tolerance=TOLERANCE)


def test_mfcc_of_any_number_of_frames(tfjs_node: TfjsNode) -> None:
    function = lambda x: _mfcc(_spectrum(x, squared=False), 4000, upper_frequency_limit=2000.0)  # noqa: E731
    spec = tf.TensorSpec((None, 1), name="x")
    check_lowering(tfjs_node, PASSES, function, spec, feeds=_feeds(500, 623, channels=1), tolerance=TOLERANCE)


@pytest.mark.parametrize(
    ("function", "shape", "reason"),
    [
        (_spectrum, (99, None), "the number of bins, or of channels, is unknown: give it with inputs={…}"),
        (
            lambda x: _mfcc(x, tf.cast(x[0, 0, 0], tf.int32)),
            (1, 2, 33),
            "the sample rate is computed: it has to be a constant",
        ),
        (lambda x: _mfcc(x, 4000), (1, 2, 33), "the upper frequency limit is beyond half of the sample rate"),
    ],
)
def test_refuses(function: Any, shape: Any, reason: str) -> None:
    assert refusals([lower_audio.PASS], function, tf.TensorSpec(shape, name="x")) == {reason}
