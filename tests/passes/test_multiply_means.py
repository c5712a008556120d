"""The mean of a row is a product with a column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import GPU_BACKENDS, TfjsNode, forwards
from tests.graph_text import run_tensorflow, tfjs_model
from tests.passes.checks import check_lowering, check_on_gpu, draw_feed, refusals
from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic.graph.unfuse import unfuse
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import PIPELINE, merge_duplicates, multiply_means
from tfjs_magic.passes.rewrite import run_passes

PASSES = [multiply_means.PASS]
_LENGTH = "the number of values is unknown, below two, or over 4096"


def _x(*shape: int | None) -> tf.TensorSpec:
    return tf.TensorSpec(shape, name="x")


@pytest.mark.parametrize("keepdims", [True, False])
@pytest.mark.parametrize("shape", [(3, 6), (None, 6), (2, 3, 6), (None, 3, 6), (2, 3, 4, 6), (None, 3, 4, 6)], ids=str)
def test_multiplies(tfjs_node: TfjsNode, shape: Any, *, keepdims: bool) -> None:
    function = lambda x: tf.reduce_mean(x, -1, keepdims=keepdims)  # noqa: E731
    check_lowering(tfjs_node, PASSES, function, _x(*shape))
    check_on_gpu(tfjs_node, function, _x(*shape))


def test_unknown_sizes_stay_where_the_axis_is_kept(tfjs_node: TfjsNode) -> None:
    check_lowering(tfjs_node, PASSES, lambda x: tf.reduce_mean(x, [2], keepdims=True), _x(None, None, 6))


@pytest.mark.parametrize("length", [2, 3, 1000, 4096])
def test_rounds_no_more_than_a_mean_on_wasm(tfjs_node: TfjsNode, length: int) -> None:
    """Far from zero, sums are large: a Mean of 4096 values is 5e-6 from the truth there."""
    feeds = [{"x": i * (100 + random_array(f"x{i}", 2, length))} for i in (1, 2)]
    check_lowering(tfjs_node, PASSES, lambda x: tf.reduce_mean(x, 1), _x(2, length), feeds=feeds, tolerance=5e-6)


@pytest.mark.parametrize("shape", [(5, 4), (1, 5, 4), (1, 1, 5, 4)], ids=str)
def test_hands_infinities_and_nan_on(tfjs_node: TfjsNode, shape: Any) -> None:
    x = random_array("x", 5, 4).copy()
    x[:4, 1] = [np.nan, np.inf, -np.inf, np.inf]
    x[3, 2] = -np.inf
    graph = traced(lambda x: tf.reduce_mean(x, -1), _x(*shape))
    run_passes(graph, PASSES)
    assert "Mean" not in count_ops(graph)
    want = np.asarray(tf.reduce_mean(x, -1)).reshape(shape[:-1])
    for backend in ("cpu", "wasm", *GPU_BACKENDS):
        for forward in forwards(backend):
            (got,) = tfjs_node.run_each(tfjs_model(graph), [{"x": x.reshape(shape)}], backend, forward=forward)
            assert_matches(got, {"out0": want}, tolerance=1e-6)


def test_numbers_whose_sum_is_infinite_have_a_mean(tfjs_node: TfjsNode) -> None:
    graph = traced(lambda x: tf.reduce_mean(x, -1), _x(2, 4))
    run_passes(graph, PASSES)
    (got,) = tfjs_node.run_each(tfjs_model(graph), [{"x": np.full((2, 4), 3e38, np.float32)}], "wasm")
    assert_matches(got, {"out0": np.full(2, 3e38, np.float32)}, tolerance=1e-6)


@pytest.mark.parametrize("axes", [0, 1, 2])
@pytest.mark.parametrize("shape", [(3, 6), (1, 3, 6), (1, None, 130), (2, 3, 4, 6)], ids=str)
def test_an_added_number_is_fused(tfjs_node: TfjsNode, shape: Any, axes: int) -> None:
    """That is the epsilon of layer normalisation."""
    number = np.full((1,) * axes, 0.5, np.float32)
    function = lambda x: {"mean": number + tf.reduce_mean(x * x, -1, keepdims=True), "all": x + 1}  # noqa: E731
    graph = traced(function, _x(*shape))
    for group in PIPELINE.values():
        run_passes(graph, group)
    assert count_ops(graph)["AddV2"] == 1
    check_on_gpu(tfjs_node, function, _x(*shape))
    check_lowering(tfjs_node, PASSES, function, _x(*shape))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.reduce_mean(x, -1, keepdims=True) + tf.reduce_sum(x),
        lambda x: tf.reduce_mean(x, -1, keepdims=True) + random_array("numbers", 6),
        lambda x: tf.reduce_mean(x, -1, keepdims=True) + random_array("axes", 1, 1, 1, 1),
        lambda x: tf.reduce_mean(x, -1) + 0.5,
        lambda x: (tf.reduce_mean(x, -1, keepdims=True) + 0.5) * tf.reduce_mean(x, -1, keepdims=True),
    ],
    ids=["computed", "many", "more-axes", "axis-gone", "used-twice"],
)
def test_what_else_is_added_is_not_fused(tfjs_node: TfjsNode, function: Any) -> None:
    graph = traced(function, _x(1, 3, 6))
    run_passes(graph, [merge_duplicates.PASS, *PASSES])
    assert "_FusedMatMul" not in count_ops(graph)
    check_lowering(tfjs_node, PASSES, function, _x(1, 3, 6))


@pytest.mark.parametrize("batch", [2, None])
def test_a_number_added_to_a_batch_is_not_fused(tfjs_node: TfjsNode, batch: int | None) -> None:
    """From 49 values on, wasm's fused kernel would add it more than once to each row of a batch."""
    function = lambda x: tf.reduce_mean(x, -1, keepdims=True) + 0.5  # noqa: E731
    graph = traced(function, _x(batch, 3, 130))
    run_passes(graph, PASSES)
    assert count_ops(graph)["BatchMatMulV2"] == 1
    check_lowering(tfjs_node, PASSES, function, _x(batch, 3, 130))


def test_a_fused_number_comes_apart_again(tfjs_node: TfjsNode) -> None:
    graph = traced(lambda x: tf.math.rsqrt(tf.reduce_mean(x * x, -1, keepdims=True) + 0.5), _x(1, 3, 6))
    run_passes(graph, PASSES)
    assert count_ops(graph)["_FusedMatMul"] == 1
    unfuse(graph)
    feeds = [draw_feed(graph, seed) for seed in (1, 2)]
    results = tfjs_node.run_each(tfjs_model(graph), feeds, "cpu")
    for got, want in zip(results, run_tensorflow(graph, feeds), strict=True):
        assert_matches(got, want, tolerance=1e-6)


@pytest.mark.parametrize(
    ("function", "spec", "reason"),
    [
        (lambda x: tf.reduce_mean(x, -1), _x(2, None), _LENGTH),
        (lambda x: tf.reduce_mean(x, -1), _x(2, 1), _LENGTH),
        (lambda x: tf.reduce_mean(x, -1), _x(2, 4097), _LENGTH),
        (lambda x: tf.reduce_mean(x, -1), _x(None, None, 5), "more than one size is unknown"),
        (lambda x: tf.reduce_mean(tf.boolean_mask(x, x[:, 0] > -9), -1), _x(3, 4), "there may be no rows"),
        (lambda x: tf.reduce_mean(x, 1), _x(2, 3, 4), None),
        (lambda x: tf.reduce_mean(x, [1, 2]), _x(2, 3, 4), None),
        (lambda x: tf.reduce_mean(x, 0), _x(6), None),
        (lambda x: tf.reduce_mean(x, -1), _x(1, 2, 3, 2, 4), None),
        (lambda x: tf.reduce_sum(x, -1), _x(2, 4), None),
    ],
    ids=["unknown", "one-value", "long", "many-unknown", "chosen", "rows", "all", "vector", "five-axes", "sum"],
)
def test_refuses(function: Any, spec: tf.TensorSpec, reason: str | None) -> None:
    assert refusals(PASSES, function, spec, lacking=False) == ({reason} if reason else set())
