"""Booleans come out right on wasm too, whose kernels cut numbers to a byte and read booleans as four."""

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
from tests.passes.checks import check_lowering, check_on_gpu, check_pass
from tests.traced import traced
from tfjs_magic.passes import lower_booleans, lower_narrow_cast, lower_vector_select, run_passes
from tfjs_magic.pipeline import convert

#: Most are 0 once they are cut to a byte.
TRAPS = np.array([0.5, -0.25, 256, 512, 1e-30, -256, 3, 0, -0.0, np.nan, np.inf, 1e10], np.float32)
SPECS = tf.TensorSpec((12,), tf.float32, name="x"), tf.TensorSpec((12,), tf.int32, name="n")
_select = tf.raw_ops.Select
CASES: dict[str, Callable[[Any, Any], Any]] = {
    "cast-floats": lambda x, _: tf.cast(x, tf.bool),
    "cast-integers": lambda _, n: tf.cast(n * 256, tf.bool),
    "cast-long-integers": lambda _, n: tf.cast(tf.cast(n, tf.int64) * 256, tf.bool),
    "cast-bytes": lambda _, n: tf.cast(tf.cast(n, tf.uint8), tf.bool),
    "mask-from-floats": lambda x, _: (m := tf.cast(x, tf.bool), tf.where(m, 1.0, 2.0), tf.cast(m, tf.float32)),
    "places-of-floats": lambda x, _: tf.where(x),
    "places-of-integers": lambda _, n: tf.where(n * 256),
    "choose": lambda x, n: tf.where(x > 0.3, n > 0, n < -2),
    "choose-broadcast": lambda x, n: tf.where(x[:1] > 0, n > 0, n[:, None] < 0),
    "choose-v1": lambda x, n: _select(condition=x > 0, x=n > 0, y=n < 0),
    "choose-scalar": lambda x, n: _select(condition=x[0] > 0, x=n > 0, y=n < 0),
    "choose-rows": lambda x, n: _select(condition=x > 0, x=n[:, None] > tf.range(5), y=n[:, None] < tf.range(5)),
}


@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str) -> None:
    feeds = []
    for seed in range(3):
        rng = np.random.default_rng([2, seed])
        feeds.append({"x": rng.choice(TRAPS, 12), "n": rng.integers(-4, 5, 12).astype(np.int32)})
    passes = [lower_booleans.PASS, lower_vector_select.PASS, lower_narrow_cast.PASS]
    check_lowering(tfjs_node, passes, CASES[case], *SPECS, feeds=feeds)


def test_reverses_as_integers(tfjs_node: TfjsNode) -> None:
    before = "m: bool[3,5]\ny = ReverseV2(m, axis) T=bool Tidx=int32\nreturn y"
    after = """
        m: bool[3,5]
        y/SelectV2 = SelectV2(m, y/const, y/const_1) T=int32
        y/ReverseV2 = ReverseV2(y/SelectV2, axis) T=int32 Tidx=int32
        y = NotEqual(y/ReverseV2, y/const_1) T=int32
        return y
    """
    feeds = [{"m": np.random.default_rng(seed).integers(0, 2, (3, 5)) > 0} for seed in (1, 2)]
    axis = {"axis": np.array([1], np.int32)}
    check_pass(tfjs_node, before, after, [lower_booleans.PASS], axis, feeds=feeds)


def test_reverses_numbers_as_they_are(tfjs_node: TfjsNode) -> None:
    before = "x: float32[3,5]\ny = ReverseV2(x, axis) Tidx=int32\nreturn y"
    check_pass(tfjs_node, before, None, [lower_booleans.PASS], {"axis": np.array([1], np.int32)})


@pytest.mark.parametrize("shape", [(3, 4, 5), (None, 4, 1)])
def test_transposes_as_floats(tfjs_node: TfjsNode, shape: Any) -> None:
    """Masks of recurrent layers are turned so."""
    spec = tf.TensorSpec(shape, name="x")
    function = lambda x: tf.transpose(x > 0.2, [1, 0, 2])  # noqa: E731
    check_lowering(tfjs_node, [lower_booleans.PASS], function, spec)
    check_on_gpu(tfjs_node, function, spec)


def test_leaves_numbers_and_conditions_of_rows_alone() -> None:
    graph = traced(
        lambda x, n: (tf.where(x > 0, n, -n), tf.transpose(x[:, None] > 0), CASES["choose-rows"](x, n)), *SPECS
    )
    (report,) = run_passes(graph, [lower_booleans.PASS])
    assert (report.applied, dict(report.misses)) == (0, {})


def test_a_mask_of_fractions_masks_attention(tfjs_node: TfjsNode) -> None:
    x, mask = keras.Input((4, 8), name="x"), keras.Input((4, 4), name="mask")
    y = keras.layers.MultiHeadAttention(2, 4)(x, x, attention_mask=keras.ops.cast(mask, "bool"))
    model = randomised(keras.Model([x, mask], y))
    web = convert(model, format="graph")
    assert web.report.backends["wasm"] == ()
    feeds = [samples_of(web.inputs, seed) for seed in range(2)]
    for seed, feed in enumerate(feeds):
        feed["mask"] = (np.random.default_rng(seed).integers(0, 2, feed["mask"].shape) / 2).astype(np.float32)
    references = [keras_outputs(model, feed) for feed in feeds]
    assert_telling(*references)
    for backend in BACKENDS:
        for got, want in zip(tfjs_node.run_each(web, feeds, backend), references, strict=True):
            assert_matches(got, want)
