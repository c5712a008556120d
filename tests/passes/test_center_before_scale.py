"""A mean is subtracted before the scale, with one product less."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu
from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import PIPELINE, center_before_scale, run_passes

PASSES = [center_before_scale.PASS]
X = tf.TensorSpec((None, 4, 6), name="x")
G, B = random_array("g", 6), random_array("b", 6)


def _moments(x: Any) -> tuple[Any, Any]:
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    return mean, tf.math.rsqrt(variance + 1e-3)


def _normal(x: Any, scale: Any, form: str) -> Any:
    mean, _ = _moments(x)
    if form == "negated":
        return x * scale + (-mean * scale + B)
    if form == "subtracted":
        return (B - scale * mean) + scale * x
    return tf.raw_ops.Add(x=B + scale * -mean, y=scale * x)


@pytest.mark.parametrize("form", ["negated", "subtracted", "exchanged"])
@pytest.mark.parametrize("has_scale", [True, False], ids=["scaled", "plain"])
def test_centers(tfjs_node: TfjsNode, form: str, *, has_scale: bool) -> None:
    function = lambda x: _normal(x, _moments(x)[1] * (G if has_scale else 1.0), form)  # noqa: E731
    check_lowering(tfjs_node, PASSES, function, X)


@pytest.mark.parametrize("offset", [0.0, 1e4], ids=["near", "far"])
def test_layer_normalisation(tfjs_node: TfjsNode, offset: float) -> None:
    """Far from zero, what was to be subtracted was larger than the result; rounding is bounded by the data then."""
    layer = keras.layers.LayerNormalization(epsilon=1e-3)
    layer.build((None, 4, 6))
    layer.gamma.assign(G)
    layer.beta.assign(B)
    feeds = [{"x": random_array(f"x{i}", 2, 4, 6) + np.float32(offset)} for i in (1, 2)]
    check_on_gpu(tfjs_node, layer, X, feeds=feeds, tolerance=1e-5 if offset == 0 else 2e-3)
    graph = traced(layer, X)
    for group in PIPELINE.values():
        run_passes(graph, group)
    ops = count_ops(graph)
    assert (ops["Mul"], ops["Sub"], ops["AddV2"]) == (2, 1, 2)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        pytest.param(
            lambda x: x * (g := tf.constant(G)) + (tf.sin(x) - tf.exp(x) * g), "the scale is constant", id="constant"
        ),
        pytest.param(
            lambda x: ((y := x * (s := _moments(x)[1])) + (B - _moments(x)[0] * s), y),
            "something else uses what is between",
            id="also-used",
        ),
        pytest.param(lambda x: x * _moments(x)[1] + (B - _moments(x)[0] * _moments(x)[0]), None, id="another-scale"),
        pytest.param(lambda x: x * _moments(x)[1] - (B - _moments(x)[0] * _moments(x)[1]), None, id="subtracted"),
        pytest.param(lambda x: x * _moments(x)[1] + (B + _moments(x)[0] * _moments(x)[1]), None, id="added"),
    ],
)
def test_refuses(function: Any, reason: str | None) -> None:
    (report,) = run_passes(traced(function, X), PASSES)
    assert not report.applied
    assert set(report.misses) == ({reason} if reason else set())


def test_leaves_integers() -> None:
    spec = tf.TensorSpec((2, 3), tf.int32, name="x")
    (report,) = run_passes(traced(lambda x: x * x + (3 - x * x), spec), PASSES)
    assert not report.applied
