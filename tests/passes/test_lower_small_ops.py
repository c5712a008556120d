"""Ops that TF.js lacks or computes wrongly become ones that it has: MatrixBandPart, Softsign, negative axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.models import keras_outputs, randomised, samples_of
from tests.traced import converted, python_outputs, traced
from tfjs_magic.errors import UnsupportedOpsError
from tfjs_magic.options import Backend
from tfjs_magic.passes import PIPELINE, run_passes
from tfjs_magic.pipeline import convert

_band = tf.linalg.band_part


def _indices(x: Any) -> Any:
    return tf.cast(tf.abs(x) * 3, tf.int32)


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
    "one-hot": lambda x: tf.one_hot(_indices(x), 9),
    "one-hot-bool": lambda x: tf.where(tf.one_hot(_indices(x), 9, on_value=True, off_value=False), 1.0, 2.0),
    "one-hot-values": lambda x: tf.one_hot(_indices(x), 5, x[0, 0, 0], -1.0, axis=0),
    "one-hot-middle": lambda x: (
        tf.one_hot(_indices(x), 9, axis=1),
        tf.one_hot(_indices(x), 4, axis=2, dtype=tf.int32),
    ),
    "one-hot-half": lambda x: [
        tf.cast(tf.one_hot(_indices(x), 4, dtype=t), tf.float32) for t in ("float16", "float64")
    ],
    "one-hot-of-one": lambda x: (
        tf.one_hot(_indices(x), 1),
        tf.one_hot(_indices(x), 1, 7, -2, axis=1),
        tf.one_hot(tf.cast(_indices(x), tf.uint8), 1, on_value=True, off_value=False),
    ),
    "bucketize-nan": lambda x: tf.raw_ops.Bucketize(input=tf.math.log(x), boundaries=[-0.5, 0.0]),
    "bucketize": lambda x: tf.raw_ops.Bucketize(input=x, boundaries=[-0.5, 0.0, 0.0, 1.0]),
    "bucketize-int": lambda x: tf.raw_ops.Bucketize(input=_indices(x), boundaries=[1.0, 2.5, 4.0]),
    "roll": lambda x: (
        tf.roll(x, 1, 1),
        tf.roll(x, [2, -9, 5], [0, 2, 2]),
        tf.roll(_indices(x), 3, -1),
        tf.roll(x, 6, 2),
    ),
    "diagonal": lambda x: (tf.linalg.diag(x), tf.linalg.diag_part(x), tf.linalg.set_diag(x, x[:, :, 0])),
    "diagonal-tall": lambda x: (
        y := tf.transpose(x, [0, 2, 1]),
        tf.linalg.diag_part(y),
        tf.linalg.set_diag(y, y[:, 0]),
    ),
    **{
        f"diagonal-{k}": lambda x, k=k: (
            tf.linalg.diag(x, k=k, padding_value=0.5),
            tf.linalg.diag_part(x, k=k),
            tf.linalg.diag_part(tf.transpose(x, [0, 2, 1]), k=-k),
            tf.linalg.set_diag(x, tf.linalg.diag_part(x, k=k) * 9, k=k),
            tf.linalg.set_diag(y := tf.transpose(x, [0, 2, 1]), tf.linalg.diag_part(y, k=-k) * 9, k=-k),
        )
        for k in (-3, -1, 0, 1, 4)
    },
    "diagonal-padding": lambda x: tf.linalg.diag(x, padding_value=x[0, 0, 0], num_rows=6, num_cols=6),
    "diagonal-of-one-axis": lambda x: (tf.linalg.tensor_diag(x[0, 0]), tf.linalg.tensor_diag_part(x[0, :, :4])),
    "diagonal-of-bytes": lambda x: (
        y := tf.cast(tf.cast(_indices(x), tf.uint8), tf.int32),
        tf.linalg.diag_part(tf.cast(y, tf.uint8)),
        tf.linalg.diag_part(x > 0),
    ),
    "diagonal-of-inf": lambda x: tf.linalg.diag_part(x[:, :, :4] * (1 / tf.eye(4) - 1)),
    "diagonal-int": lambda x: tf.linalg.diag(_indices(x)),
    "permutation": lambda x: tf.math.invert_permutation(tf.argsort(x[0, 0])),
    "casts": lambda x: [
        tf.cast(tf.cast(y, t), tf.int32)
        for t in (tf.uint8, tf.int8)
        for y in (300 * tf.tile(x, [8, 4, 4]), 50 * _indices(x) - 150)
    ],
    "reverse-sequence": lambda x: tf.reverse_sequence(x, [1, 3], 1, 0),
    "reverse-sequence-first": lambda x: tf.reverse_sequence(x, [1, 2, 0, 1], 0, 1),
    "select": lambda x: tf.raw_ops.Select(condition=x[:, 0, 0] > 0, x=x, y=-x),
    "slices": lambda x: (x[-1, ::-1], x[:, 2, ::2], x[0, tf.newaxis, ::-2], x[..., -2, ::-1], x[1, ..., ::3]),
    "floor": lambda x: (x // 0.3, (10 * x) // (x + 0.1)),
    "contrast": lambda x: tf.image.adjust_contrast(x, 2.0),
    "integers": lambda x: (
        y := _indices(x) - 4,
        tf.truncatediv(y, 3),
        tf.truncatemod(y, -3),
        tf.raw_ops.Div(x=y, y=y * 0 - 3),
    ),
    "bits": lambda x: (
        y := _indices(x) - 4,
        tf.bitwise.invert(y),
        tf.bitwise.left_shift(y, 29),
        tf.bitwise.right_shift(y, 1),
    ),
    "zeros": lambda x: (
        y := tf.nn.relu(x),
        tf.math.xlogy(y, y),
        tf.math.xdivy(y, y),
        tf.math.multiply_no_nan(1 / y, y),
    ),
    "rint": lambda x: tf.math.rint(4 * x) / 4,
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
def test_free_batch(tfjs_node: TfjsNode, backend: Backend) -> None:
    spec = tf.TensorSpec((None, 4, 6), tf.float32, name="x")
    feed = {"x": np.random.default_rng(0).normal(size=(3, 4, 6)).astype(np.float32)}

    def function(x: Any) -> Any:
        free = tf.transpose(x, [1, 0, 2])
        return {
            "chain": tf.cumsum(tf.linalg.band_part(tf.nn.softsign(x), 1, 0), -1),
            "band": tf.linalg.band_part(free, 0, 1),
            "eye": tf.eye(tf.shape(x)[0]),
            "eye-wide": tf.eye(tf.shape(x)[0], tf.shape(x)[2]),
            "eye-tall": tf.eye(tf.shape(x)[2], tf.shape(x)[0]),
            "diagonal": tf.linalg.diag(x[:, 0, 0]),
            "diagonal-part": tf.linalg.diag_part(free),
            "trace": tf.linalg.trace(tf.transpose(free, [0, 2, 1])),
            "diagonal-set": tf.linalg.set_diag(free, free[:, :3, 0] * 0 + 7),
            "reversed": tf.reverse_sequence(x, tf.shape(x)[:1] * [2, 1, 3] // 3, 1),
            "permutation": tf.math.invert_permutation(tf.argsort(x[:, 0, 0])),
        }

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
        (lambda x: tf.linalg.band_part(x, 0, 1), None, "the rank is unknown"),
        (lambda x: tf.roll(x, tf.cast(x[0, 0], tf.int32), 1), (2, 3), "the shift or the axis is computed"),
        (lambda x: tf.roll(x, 1, 1), (2, None), "the size of an axis that rolls is unknown"),
        (lambda x: tf.linalg.diag(x, k=(0, 1)), (2, 3), "it is not one diagonal that is known"),
        (lambda x: tf.linalg.diag(x, num_rows=5), (2, 3), "the matrices are larger than the diagonal needs"),
        (tf.linalg.diag_part, None, "the rank is unknown"),
        (tf.linalg.tensor_diag, (2, 3), "it has more axes than a vector's diagonal"),
        (
            lambda x: tf.linalg.diag_part(x, k=1),
            (None, 3),
            "it is not the main diagonal, and the size of the matrices is unknown",
        ),
        (
            lambda x: tf.reverse_sequence(x, [1], 2, 0),
            (1, 2, 3),
            "the batch and the sequence are not the first two axes",
        ),
        (lambda x: tf.one_hot(tf.cast(x, tf.int32), 3, axis=0), None, "the rank is unknown"),
        (lambda x: tf.linalg.band_part(x, tf.cast(x[0, 0], tf.int32), 1), (2, 2), "a bound of the band is computed"),
        (lambda x: tf.cumsum(x, -1), None, "the rank is unknown"),
        (lambda x: tf.cumsum(x, -tf.cast(x[0], tf.int32)), (3,), "the axis is computed"),
    ],
)
def test_what_is_unknown_is_refused(function: Callable[[Any], Any], shape: Any, reason: str) -> None:
    spec = tf.TensorSpec(shape, tf.float32, name="x")
    with pytest.raises(UnsupportedOpsError):
        converted(function, spec)
    reports = run_passes(traced(function, spec), PIPELINE["lower ops"])
    assert reason in {miss for report in reports for miss in report.misses}
