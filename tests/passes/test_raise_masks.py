"""A row of logits that is masked as a whole is right on webgl and webgpu, too, whatever number masks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.traced import traced
from tfjs_magic.artifacts import Array
from tfjs_magic.passes import raise_masks, run_passes

PASS = raise_masks.PASS
SPEC = tf.TensorSpec((3, 4), name="x")
MASKS = {
    "minimum": np.float32(np.finfo(np.float32).min),
    "keras": np.float32(-0.7 * np.finfo(np.float32).max),
    "per-column": np.array([-3e38, -1e9, -3e38, 0.5], np.float32),
}


def _feeds() -> list[dict[str, Array]]:
    """Return logits of which one row is masked as a whole, one in part and one not at all."""
    sign = np.array([[-1, -1, -1, -1], [1, -1, 1, -1], [1, 1, 1, 1]], np.float32)
    return [{"x": sign * (1 + np.random.default_rng(seed).random((3, 4), np.float32))} for seed in (1, 2)]


@pytest.mark.parametrize("mask", ["minimum", "keras"])
def test_raises(tfjs_node: TfjsNode, mask: str) -> None:
    for function in (
        lambda x: tf.nn.softmax(tf.where(x > 0, x, MASKS[mask])),
        lambda x: tf.nn.softmax(tf.where(x < 0, MASKS[mask], x)),
    ):
        check_lowering(tfjs_node, [PASS], function, SPEC, feeds=_feeds())
        check_on_gpu(tfjs_node, function, SPEC, feeds=_feeds())


def test_attention_of_keras(tfjs_node: TfjsNode) -> None:
    """It masks with 0.7 of float32's minimum."""
    specs = [tf.TensorSpec((2, 4, 1, 3), name="x"), tf.TensorSpec((2, 1, 4, 4), tf.bool, name="m")]
    function = lambda x, m: tf.keras.ops.dot_product_attention(x, x + 1.0, 2.0 * x, mask=m)  # noqa: E731
    rng = np.random.default_rng(0)
    feeds = [
        {"x": rng.normal(size=(2, 4, 1, 3)).astype(np.float32), "m": rng.random((2, 1, 4, 4)) > 0.5} for _ in range(2)
    ]
    feeds[0]["m"][:, :, 1] = False
    check_on_gpu(tfjs_node, function, *specs, feeds=feeds)


@pytest.mark.parametrize("mask", [-1e9, -np.inf])
def test_leaves_other_masks(mask: float) -> None:
    """A row of infinities gives NaN, which a finite number would not."""
    graph = traced(lambda x: tf.nn.softmax(tf.where(x > 0, x, mask)), SPEC)
    assert not run_passes(graph, [PASS])[0].applied


@pytest.mark.parametrize(
    "chosen_from",
    [
        lambda x: tf.where(x < 2.5, x, MASKS["minimum"]),
        lambda x: x + tf.where(x < 2.5, 0.0, MASKS["minimum"])[:, :],
        lambda x: x - tf.cast(x > 2.5, tf.float32) * 1e30,
    ],
    ids=["masked-before", "added", "multiplied"],
)
def test_refuses_what_is_masked_twice(chosen_from: Callable[[Any], Any]) -> None:
    """In a row that the two masks cover together their numbers are compared."""
    function = lambda x: tf.nn.softmax(tf.where(x > 0, chosen_from(x), MASKS["minimum"]))  # noqa: E731
    assert refusals([PASS], function, SPEC) == {"what it chooses from is made of huge numbers, too"}


@pytest.mark.parametrize("mask", [[-3e38, -1e30, -2e25, 0.5], [-3e38, -np.inf, -3e38, -np.inf]])
def test_refuses_several_huge_numbers(mask: list[float]) -> None:
    function = lambda x: tf.nn.softmax(tf.where(x > 0, x, mask))  # noqa: E731
    assert refusals([PASS], function, SPEC) == {"it masks with several huge numbers"}


def test_refuses_a_choice_with_another_use() -> None:
    def function(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        chosen = tf.where(x > 0, x, MASKS["minimum"])
        return tf.nn.softmax(chosen), tf.reduce_sum(tf.nn.relu(chosen))

    assert refusals([PASS], function, SPEC) == {"something else uses what is chosen"}
