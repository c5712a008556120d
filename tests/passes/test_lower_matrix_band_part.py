"""MatrixBandPart becomes a choice, as TF.js reads its upper bound from the wrong input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import TfjsNode
from tests.models import keras_outputs, randomised, samples_of
from tests.passes.checks import check_lowering, refusals
from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic.passes import fold_constants, fold_sizes, lower_matrix_band_part, run_passes
from tfjs_magic.pipeline import convert

_band = tf.linalg.band_part
CASES: dict[str, Callable[[Any], Any]] = {
    **{f"band-{a}-{b}": lambda x, a=a, b=b: _band(x, a, b) for a in (-1, 0, 1, 3) for b in (-1, 0, 2, 6)},
    "two-of-one": lambda x: (_band(y := tf.tanh(x), 1, 0), _band(y, 0, 1) + y),
    "infinite": lambda x: _band(tf.where(x > 1.0, np.float32(np.inf), x), 0, -1),
    "integers": lambda x: _band(tf.cast(3 * x, tf.int32), 1, 2),
    "booleans": lambda x: tf.where(_band(x > 0, -1, 0), x, 0.25),
}


@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str) -> None:
    check_lowering(tfjs_node, [lower_matrix_band_part.PASS], CASES[case], tf.TensorSpec((2, 4, 6), name="x"))


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("count", [1, 2])
def test_lowers_one_value(tfjs_node: TfjsNode, count: int, *, value: bool) -> None:
    def function(x: Any) -> Any:
        filled = tf.fill(tf.stack([count, tf.shape(x)[1], tf.shape(x)[2]]), tf.constant(value))
        return tf.where(_band(filled, -1, 0), x, x * x)

    passes, after = [lower_matrix_band_part.PASS], [fold_sizes.PASS, fold_constants.PASS]
    x = tf.TensorSpec((None, 4, 6), name="x")
    check_lowering(tfjs_node, passes, function, x, after=after, feeds=[{"x": random_array(n, 2, 4, 6)} for n in "ab"])
    graph = traced(function, x)
    run_passes(graph, [*after, *passes])
    assert any(node.op == "LogicalAnd" for node in graph) != (value and count == 1)


@pytest.mark.parametrize("shape", [(None, 4, 6), (4, None, 6), (2, 4, None), (None, None)], ids=str)
def test_lowers_what_is_known_only_in_the_browser(tfjs_node: TfjsNode, shape: Any) -> None:
    function = lambda x: (_band(x, 0, 1), _band(x, 1, 0), _band(x, -1, 1))  # noqa: E731
    x = tf.TensorSpec(shape, name="x")
    feeds = [
        {"x": np.random.default_rng(seed).normal(size=[3 if side is None else side for side in shape])}
        for seed in (1, 2)
    ]
    check_lowering(tfjs_node, [lower_matrix_band_part.PASS], function, x, feeds=feeds)


def test_causal_attention_does_not_see_the_future(tfjs_node: TfjsNode) -> None:
    x = keras.Input((6, 8), name="x")
    y = keras.layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)
    model = randomised(keras.Model(x, y))
    web = convert(model, format="graph")
    feeds = [samples_of(web.inputs, seed) for seed in range(2)]
    references = [keras_outputs(model, feed) for feed in feeds]
    assert_telling(*references)
    for feed, reference in zip(feeds, references, strict=True):
        assert_matches(tfjs_node.run(web, feed), reference)


@pytest.mark.parametrize("shape", [(3, 5), (None, 5)], ids=str)
def test_bounds_are_fed(tfjs_node: TfjsNode, shape: Any) -> None:
    function = lambda x, n: (_band(x, n[0], n[1]), _band(x, n[1], -1), _band(x, 0, n[0]))  # noqa: E731
    specs = tf.TensorSpec(shape, name="x"), tf.TensorSpec((2,), tf.int32, name="n")
    rng = np.random.default_rng(0)
    feeds = [{"x": rng.normal(size=(3, 5)), "n": np.int32(bounds)} for bounds in ((0, 2), (-1, 1), (2, -3))]
    check_lowering(tfjs_node, [lower_matrix_band_part.PASS], function, *specs, feeds=feeds)


def test_refuses() -> None:
    function = lambda x: _band(x, 0, 1)  # noqa: E731
    assert refusals([lower_matrix_band_part.PASS], function, tf.TensorSpec(None, name="x")) == {"the rank is unknown"}
