"""Ops that TF.js lacks or computes wrongly become ones that it has: MatrixBandPart, Softsign, negative axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import NodeBackend, TfjsNode
from tests.graph_text import BACKENDS
from tests.models import keras_outputs, randomised, samples_of
from tests.traced import converted, python_outputs, traced
from tfjs_magic.errors import UnsupportedOpsError
from tfjs_magic.passes import PIPELINE, run_passes
from tfjs_magic.pipeline import convert

_band = tf.linalg.band_part
X = tf.TensorSpec((2, 4, 6), tf.float32, name="x")
CASES: dict[str, Callable[[Any], Any]] = {
    **{f"band-{a}-{b}": lambda x, a=a, b=b: _band(x, a, b) for a in (-1, 0, 1, 3) for b in (-1, 0, 2, 6)},
    "band-second-consumer": lambda x: (_band(y := tf.tanh(x), 1, 0), y, _band(y, 0, 1) + y),
    "band-of-inf": lambda x: _band(tf.where(x > 1.0, np.float32(np.inf), x), 0, -1)[:, 1:, 0],
    "band-int": lambda x: _band(tf.cast(3 * x, tf.int32), 1, 2),
    "band-bool": lambda x: tf.where(_band(x > 0, -1, 0), x, 0.25),
    "softsign": tf.nn.softsign,
    "softsign-second-consumer": lambda x: (y := tf.nn.softsign(x), y * x, tf.nn.softsign(y)),
    "cumsum": lambda x: (tf.cumsum(x, -1), tf.cumsum(x, -2), tf.cumsum(x, -3), tf.cumsum(x, 1)),
    "cumsum-options": lambda x: (tf.cumsum(x, -1, exclusive=True), tf.cumsum(x, -2, reverse=True)),
    "cumprod": lambda x: (tf.math.cumprod(x, -1), tf.math.cumprod(x, -2, reverse=True, exclusive=True)),
}


@pytest.mark.parametrize("case", CASES)
def test_matches_tensorflow(tfjs_node: TfjsNode, case: str) -> None:
    model = converted(CASES[case], X)
    rng = np.random.default_rng(3)
    feeds = [{"x": rng.normal(size=(2, 4, 6)).astype(np.float32)} for _ in range(2)]
    for backend in BACKENDS:
        for feed in feeds:
            assert_matches(tfjs_node.run(model, feed, backend), python_outputs(CASES[case], feed, X))


@pytest.mark.parametrize("backend", BACKENDS)
def test_free_batch(tfjs_node: TfjsNode, backend: NodeBackend) -> None:
    spec = tf.TensorSpec((None, 4, 6), tf.float32, name="x")
    feed = {"x": np.random.default_rng(0).normal(size=(3, 4, 6)).astype(np.float32)}
    function = lambda x: tf.cumsum(tf.linalg.band_part(tf.nn.softsign(x), 1, 0), -1)  # noqa: E731
    assert_matches(tfjs_node.run(converted(function, spec), feed, backend), python_outputs(function, feed, spec))


def test_causal_attention_does_not_see_the_future(tfjs_node: TfjsNode) -> None:
    x = keras.Input((6, 8), name="x")
    y = keras.layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)
    model = randomised(keras.Model(x, y))
    web = convert(model, format="graph")
    feeds = [samples_of(web.inputs, seed) for seed in range(2)]
    references = [keras_outputs(model, feed) for feed in feeds]
    assert_telling(*references)
    for feed, reference in zip(feeds, references, strict=True):
        assert_matches(tfjs_node.run(web, feed), reference)  # wasm has no Einsum


@pytest.mark.parametrize(
    ("function", "shape", "reason"),
    [
        (lambda x: tf.linalg.band_part(x, 0, 1), (2, None, 6), "the size of the matrices is unknown"),
        (lambda x: tf.linalg.band_part(x, tf.cast(x[0, 0], tf.int32), 1), (2, 2), "a bound of the band is computed"),
        (lambda x: tf.cumsum(x, -1), None, "the rank is unknown"),
        (lambda x: tf.cumsum(x, -tf.cast(x[0], tf.int32)), (3,), "the axis is computed"),
    ],
)
def test_what_is_unknown_is_refused(function: Callable[[Any], Any], shape: Any, reason: str) -> None:
    spec = tf.TensorSpec(shape, tf.float32, name="x")
    with pytest.raises(UnsupportedOpsError):
        converted(function, spec)
    reports = run_passes(traced(function, spec), PIPELINE[0])
    assert reason in {miss for report in reports for miss in report.misses}
