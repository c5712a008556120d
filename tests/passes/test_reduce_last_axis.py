"""What is reduced along an axis that is not the last is turned as a matrix, which webgpu can do with any dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, check_pass, refusals
from tfjs_magic.passes import reduce_last_axis

PASSES = [reduce_last_axis.PASS]
SHAPE = (2, 3, 4, 5)
FLOATS = tf.TensorSpec(SHAPE, name="x")
INTEGERS = tf.TensorSpec(SHAPE, tf.int32, name="x")


def _mask(x: Any) -> Any:
    return tf.cast(x > 0, tf.float32)


REDUCTIONS: dict[str, tuple[tf.TensorSpec, Callable[[Any], Any]]] = {
    "sum": (INTEGERS, lambda x: tf.reduce_sum(x, 1)),
    "sum-of-first": (INTEGERS, lambda x: tf.reduce_sum(x, 0)),
    "sum-of-two": (INTEGERS, lambda x: tf.reduce_sum(x, [1, 2], keepdims=True)),
    "product": (INTEGERS, lambda x: tf.reduce_prod(x, -2)),
    "largest": (INTEGERS, lambda x: tf.reduce_max(x, [-2, -3])),
    "least": (INTEGERS, lambda x: tf.reduce_min(x, 1, keepdims=True)),
    "place-of-largest": (INTEGERS, lambda x: tf.argmax(x, 1)),
    "place-of-least": (INTEGERS, lambda x: tf.argmin(x, 0)),
    "cumulative-sum": (INTEGERS, lambda x: tf.cumsum(x, 1, exclusive=True)),
    "cumulative-sum-of-first": (INTEGERS, lambda x: tf.cumsum(x, 0)),
    "cumulative-product": (INTEGERS, lambda x: tf.math.cumprod(x, 2)),
    "any": (FLOATS, lambda x: tf.reduce_any(x > 0.9, 1)),
    "all": (FLOATS, lambda x: tf.reduce_all(x < 0.9, [0, 1], keepdims=True)),
    "sum-of-mask": (FLOATS, lambda x: tf.reduce_sum(_mask(x), 1)),
    "mean-of-mask": (FLOATS, lambda x: tf.reduce_mean(_mask(x)[:, None], 2)),
}


@pytest.mark.parametrize("case", REDUCTIONS)
def test_reduces(tfjs_node: TfjsNode, case: str) -> None:
    spec, function = REDUCTIONS[case]
    feeds = [{"x": np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)} for seed in (1, 2)]
    if spec is INTEGERS:
        feeds = [{"x": np.round(9 * feed["x"]).astype(np.int32)} for feed in feeds]
    check_lowering(tfjs_node, PASSES, function, spec, feeds=feeds)


@pytest.mark.parametrize("case", ["sum", "place-of-largest", "cumulative-sum", "cumulative-sum-of-first", "all"])
def test_reduces_on_the_gpu(tfjs_node: TfjsNode, case: str) -> None:
    spec, function = REDUCTIONS[case]
    check_on_gpu(tfjs_node, function, spec)


def test_pools_what_is_masked_on_the_gpu(tfjs_node: TfjsNode) -> None:
    def function(x: Any) -> Any:
        mask = _mask(x[..., :1] + 1.0)
        return tf.reduce_sum(x * mask, 1) / tf.reduce_sum(mask, 1)

    check_on_gpu(tfjs_node, function, tf.TensorSpec((2, 30, 4), name="x"))


@pytest.mark.parametrize("shape", [(None, 3, 4, 5), (None, None, 4, 5), (None, None, 4, None), (1, None, 4, None)])
@pytest.mark.parametrize("keep", [False, True])
def test_reduces_what_has_unknown_sizes(tfjs_node: TfjsNode, shape: Any, *, keep: bool) -> None:
    sizes = [(2, 3, 4, 5)[axis] if size is None else size for axis, size in enumerate(shape)]
    feeds = [{"x": np.random.default_rng(seed).integers(-9, 9, sizes).astype(np.int32)} for seed in (1, 2)]
    for axes in ([2], 1) if shape[3] else ([2],):
        check_lowering(
            tfjs_node,
            PASSES,
            lambda x, axes=axes: tf.reduce_sum(x, axes, keepdims=keep),
            tf.TensorSpec(shape, tf.int32, name="x"),
            feeds=feeds,
        )


@pytest.mark.parametrize(
    "before",
    [
        "x: int32[2,3,4]\ny = Sum(x, last) T=int32 Tidx=int32\nreturn y",
        "x: int32[3,4]\ny = Sum(x, first) T=int32 Tidx=int32\nreturn y",
        "x: float32[2,3,4]\ny = Sum(x, first) T=float32 Tidx=int32\nreturn y",
    ],
)
def test_leaves_what_is_right(tfjs_node: TfjsNode, before: str) -> None:
    name = "last" if "last" in before else "first"
    check_pass(tfjs_node, before, None, PASSES, {name: np.array([-1 if name == "last" else 0], np.int32)})


@pytest.mark.parametrize(
    ("function", "shape", "reason"),
    [
        (lambda x: tf.reduce_sum(x, 1), None, "the axis or the rank is unknown"),
        (lambda x: tf.cumsum(x, x[0, 0, 0]), (2, 3, 4), "the axis or the rank is unknown"),
        (lambda x: tf.reduce_sum(x, [0, 2]), SHAPE, "the axes are no neighbours"),
        (lambda x: tf.cumsum(x, 1), (2, 3, 0), "there is no value"),
        (lambda x: tf.reduce_sum(x, 0), (2, None, None), "too many sizes are unknown"),
    ],
)
def test_refuses(function: Callable[[Any], Any], shape: Any, reason: str) -> None:
    assert refusals(PASSES, function, tf.TensorSpec(shape, tf.int32, name="x")) == {reason}
