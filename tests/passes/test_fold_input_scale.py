"""A constant factor of the data goes into the weights behind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import fold_input_scale, run_passes

PASSES = [fold_input_scale.PASS]
X, ROWS = tf.TensorSpec((None, 5, 6, 3), name="x"), tf.TensorSpec((4, 6), name="x")
S3, S6 = random_array("s", 3), random_array("s", 6)

LINEAR: dict[str, Any] = {
    "conv": lambda x: tf.nn.conv2d(x, random_array("w", 2, 3, 3, 4), 1, "SAME"),
    "padded-conv": lambda x: tf.nn.conv2d(x, random_array("w", 2, 3, 3, 4), 1, [[0, 0], [1, 0], [2, 1], [0, 0]]),
    "depthwise": lambda x: tf.nn.depthwise_conv2d(x, random_array("w", 2, 3, 3, 2), (1, 2, 2, 1), "SAME"),
    "transposed": lambda x: tf.nn.conv2d_transpose(x, random_array("w", 2, 3, 4, 3), (2, 10, 12, 4), 2),
    "reshaped": lambda x: tf.reshape(x, [-1, 3]) @ random_array("w", 3, 5),
    "two": lambda x: (tf.reshape(x, [-1, 3]) @ random_array("w", 3, 5), LINEAR["conv"](x)),
}


@pytest.mark.parametrize("scale", [S3, S3.reshape(1, 1, 3), np.float32(0.3)], ids=["channels", "ones", "scalar"])
@pytest.mark.parametrize("kind", LINEAR)
def test_folds(tfjs_node: TfjsNode, kind: str, scale: Any) -> None:
    spec = tf.TensorSpec((2, 5, 6, 3), name="x") if kind == "transposed" else X
    check_lowering(tfjs_node, PASSES, lambda x: LINEAR[kind](x * scale), spec)


@pytest.mark.parametrize("transposed", [True, False])
def test_folds_into_a_matrix(tfjs_node: TfjsNode, *, transposed: bool) -> None:
    weights = random_array("w", *((5, 6) if transposed else (6, 5)))
    check_lowering(tfjs_node, PASSES, lambda x: tf.matmul(S6 * x, weights, transpose_b=transposed), ROWS)


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: x * (tf.nn.relu6(x + 3.0) * np.float32(1 / 6)), id="hard-swish"),
        pytest.param(lambda x: (0.5 * x) * (1.0 - tf.math.erf(-x)), id="gelu"),
        pytest.param(lambda x: x * (tf.nn.relu(x) * S3), id="channels"),
    ],
)
def test_folds_through_other_products(tfjs_node: TfjsNode, function: Any) -> None:
    block = lambda x: LINEAR["conv"](function(x))  # noqa: E731
    check_lowering(tfjs_node, PASSES, block, X)
    check_on_gpu(tfjs_node, block, X)
    before, after = traced(block, X), traced(block, X)
    run_passes(after, PASSES)
    assert count_ops(after)["Mul"] == count_ops(before)["Mul"] - 1


def test_folds_through_squeeze_and_excite(tfjs_node: TfjsNode) -> None:
    def block(x: Any) -> Any:
        x = x * (tf.nn.relu6(x + 3.0) * np.float32(1 / 6))
        squeezed = tf.nn.avg_pool2d(x, (5, 6), (5, 6), "VALID")
        return LINEAR["conv"](x * tf.nn.relu(tf.nn.conv2d(squeezed, random_array("v", 1, 1, 3, 3), 1, "SAME") + 0.5))

    check_lowering(tfjs_node, PASSES, block, X)
    check_on_gpu(tfjs_node, block, X)


def test_leaves_a_factor_that_would_count_twice() -> None:
    def function(x: Any) -> Any:
        x = x * 0.3
        return LINEAR["conv"](x * tf.nn.avg_pool2d(x, (5, 6), (5, 6), "VALID"))

    assert refusals(PASSES, function, X, lacking=False) == set()


GROUPED = "the channels are in groups, or the folded weights are not finite"


@pytest.mark.parametrize(
    ("function", "spec", "reason"),
    [
        (lambda x: LINEAR["conv"](x * random_array("s", 6, 1)), X, "the factor is not one number per channel"),
        (lambda x: LINEAR["conv"](x * np.float32(1e-9)), X, "the factor is very small or very large"),
        (lambda x: LINEAR["conv"](x * np.float32([1, 0, 1])), X, "the factor is very small or very large"),
        (lambda x: LINEAR["conv"](x * np.float32(np.inf)), X, "the factor is not one number per channel"),
        (lambda x: tf.nn.conv2d(x * S6, random_array("w", 1, 1, 3, 4), 1, "SAME"), X, GROUPED),
        (lambda x: (x * 300.0) @ np.full((6, 2), 3e38, np.float32), ROWS, GROUPED),
        (lambda x: (LINEAR["conv"](y := x * S3), y), X, None),
        (lambda x: (LINEAR["conv"](y := x * S3), tf.nn.relu(y)), X, None),
        (lambda x: LINEAR["conv"](tf.reshape(x * S3, [-1, 5, 3, 6])[..., :3]), X, None),
        (lambda x: tf.reshape(x * S3, [-1, 18]) @ random_array("w", 18, 2), X, None),
        (lambda x: tf.matmul(x * S6, random_array("w", 4, 5), transpose_a=True), ROWS, None),
        (lambda x: (x * S6) @ tf.transpose(x), ROWS, None),
        (lambda x: LINEAR["conv"](x * x), X, None),
    ],
    ids="columns tiny zero infinite groups overflow output others slice channels-meet transposed "
    "computed-weights no-constant".split(),
)
def test_refuses(function: Any, spec: tf.TensorSpec, reason: str | None) -> None:
    if reason == GROUPED and spec is X:
        spec = tf.TensorSpec((2, 5, 4, 6), name="x")
    (report,) = run_passes(traced(function, spec), PASSES)
    assert not report.applied
    assert set(report.misses) == ({reason} if reason else set())


def test_refuses_shared_weights() -> None:
    def function(x: Any) -> Any:
        weights = tf.constant(random_array("w", 6, 2))
        return (x * S6) @ weights, tf.nn.relu(x) @ weights

    assert refusals(PASSES, function, ROWS, lacking=False) == {"the weights are shared"}
