"""Scores are masked by an addition, and what is masked has no weight; rows masked as a whole have equal ones."""

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
from tfjs_magic import convert
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import PIPELINE, add_masks, run_passes

PASSES = [add_masks.PASS]
LEAST = -0.7 * np.finfo(np.float32).max
X, MASK = tf.TensorSpec((2, 4, 3), name="x"), tf.TensorSpec((2, 1, 4), tf.bool, name="mask")
#: The second row of the second mask is masked as a whole.
FEEDS = [
    {"x": 3 * random_array(f"x{i}", 2, 4, 3), "mask": mask}
    for i, mask in enumerate(np.array([[[[1, 0, 1, 0]], [[1, 1, 1, 1]]], [[[0, 1, 1, 1]], [[0, 0, 0, 0]]]], bool))
]


def _scores(x: Any) -> Any:
    return tf.matmul(x, x, transpose_b=True) * 0.3


CASES: dict[str, Any] = {
    "masked": lambda x, mask: tf.nn.softmax(tf.where(mask, _scores(x), LEAST)),
    "as-keras-once-did": lambda x, mask: tf.nn.softmax(tf.where(mask, _scores(x) + 1.0, -1e9)),
    "the-other-way-round": lambda x, mask: tf.nn.softmax(tf.where(mask, LEAST, _scores(x))),
    "and-true": lambda x, mask: tf.nn.softmax(tf.where(np.ones((2, 4, 4), bool) & mask, _scores(x), LEAST)),
    "and-true-that-enlarges": lambda x, mask: tf.nn.softmax(
        tf.where(np.ones((3, 2, 4, 4), bool) & mask, _scores(x), LEAST)
    ),
    "constant": lambda x, mask: tf.nn.softmax(
        tf.where(np.tril(np.ones((1, 4, 4), bool)), _scores(x), LEAST)
    ) * tf.cast(mask, tf.float32),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_adds(tfjs_node: TfjsNode, case: str) -> None:
    check_lowering(tfjs_node, PASSES, CASES[case], X, MASK, feeds=FEEDS)


TRUE = tf.constant(True)  # noqa: FBT003
BATCH = (tf.TensorSpec((None, 4, 3), name="x"), tf.TensorSpec((None, 1, 4), tf.bool, name="mask"))
FREE: dict[str, tuple[Any, bool]] = {
    "true-of-the-same-sizes": (lambda x, mask: _chosen(_all(TRUE, s := _scores(x)) & mask, s), True),
    "true-of-others": (lambda x, mask: _chosen(_all(TRUE, mask) & mask[:1], _scores(x)), False),
    "false": (lambda x, mask: _chosen(_all(~TRUE, s := _scores(x)) & mask, s) * s, False),
}


def _all(value: Any, like: Any) -> Any:
    return tf.fill(tf.shape(like), value)


def _chosen(condition: Any, scores: Any) -> Any:
    return tf.nn.softmax(tf.where(condition, scores, LEAST))


@pytest.mark.parametrize("case", FREE)
def test_leaves_out_what_is_true_with_a_free_batch(tfjs_node: TfjsNode, case: str) -> None:
    function, leaves_out = FREE[case]
    check_lowering(tfjs_node, PASSES, function, *BATCH, feeds=FEEDS)
    graph = traced(function, *BATCH)
    run_passes(graph, PASSES)
    assert ("LogicalAnd" in count_ops(graph)) != leaves_out


@pytest.mark.parametrize("name", ["causal", "masked"])
def test_a_free_batch_has_the_nodes_of_a_fixed_one(name: str) -> None:
    x, mask = keras.Input((5, 6), name="x"), keras.Input((5,), dtype="bool", name="mask")
    options = {"use_causal_mask": True} if name == "causal" else {"attention_mask": mask[:, None]}
    model = keras.Model([x, mask] if name == "masked" else x, keras.layers.MultiHeadAttention(2, 3)(x, x, **options))
    sizes = {"x": (1, 5, 6), **({"mask": (1, 5)} if name == "masked" else {})}
    fixed, free = (convert(model, format="graph", inputs=inputs).report.ops for inputs in (sizes, None))
    assert free == fixed


@pytest.mark.parametrize("case", ["masked", "the-other-way-round", "constant"])
def test_is_right_on_gpus(tfjs_node: TfjsNode, case: str) -> None:
    check_on_gpu(tfjs_node, CASES[case], X, MASK, feeds=FEEDS)


def test_all_layers_share_a_mask(tfjs_node: TfjsNode) -> None:
    x, mask = keras.Input((5, 6)), keras.Input((5,), dtype="bool")
    y = x
    for _ in range(2):
        y = keras.layers.MultiHeadAttention(2, 3)(y, y, attention_mask=mask[:, None])
    model = keras.Model([x, mask], y)
    specs = tf.TensorSpec((2, 5, 6), name="x"), tf.TensorSpec((2, 5), tf.bool, name="mask")
    function = lambda x, mask: model([x, mask])  # noqa: E731
    flags = np.array([[1, 1, 0, 1, 0], [0, 0, 0, 0, 0]], bool)
    feeds = [{"x": random_array(f"x{i}", 2, 5, 6), "mask": flags} for i in (1, 2)]
    check_on_gpu(tfjs_node, function, *specs, feeds=feeds)
    graph = traced(function, *specs)
    for group in PIPELINE.values():
        run_passes(graph, group)
    ops = count_ops(graph)
    assert ops["Cast"] == 1
    assert not {"LogicalAnd", "SelectV2"} & set(ops)


def test_a_long_constant_mask_is_made_in_the_browser(tfjs_node: TfjsNode) -> None:
    causal = np.tril(np.ones((1, 2, 150, 150), bool))
    function = lambda x: tf.nn.softmax(tf.where(causal, tf.matmul(x, x, transpose_b=True), LEAST))[..., :9]  # noqa: E731
    spec = tf.TensorSpec((1, 2, 150, 2), name="x")
    graph = traced(function, spec)
    for group in PIPELINE.values():
        run_passes(graph, group)
    largest = max(node.value.nbytes for node in graph if node.value is not None)
    assert largest == 150 * 150
    check_on_gpu(tfjs_node, function, spec)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        pytest.param(
            lambda x, mask: (y := tf.where(mask, _scores(x), LEAST), tf.nn.softmax(y)),
            "something else uses what is chosen",
            id="also-an-output",
        ),
        pytest.param(
            lambda x, mask: tf.nn.softmax(tf.where(mask, tf.math.log(tf.abs(x @ random_array("w", 3, 4))), LEAST)),
            "what it chooses from is no product of matrices",
            id="infinities",
        ),
        pytest.param(
            lambda x, mask: tf.nn.softmax(tf.where(mask, tf.where(mask[:1], _scores(x), LEAST), LEAST)),
            "what it chooses from is no product of matrices",
            id="two-masks",
        ),
        pytest.param(
            lambda x, mask: tf.nn.softmax(tf.where(mask, _scores(x) + np.float32([0, 0, 0, -1e9]), LEAST)),
            "what it chooses from is made of huge numbers, too",
            id="a-mask-that-is-added",
        ),
        pytest.param(lambda x, mask: tf.nn.softmax(tf.where(mask, _scores(x), -1e4)), None, id="no-huge-number"),
        pytest.param(lambda x, mask: tf.nn.softmax(tf.where(mask, _scores(x), -np.inf)), None, id="infinite"),
        pytest.param(lambda x, mask: tf.exp(tf.where(mask, _scores(x), LEAST)), None, id="no-softmax"),
        pytest.param(lambda x, mask: tf.nn.softmax(tf.where(mask, _scores(x), _scores(-x))), None, id="no-mask"),
    ],
)
def test_refuses(function: Any, reason: str | None) -> None:
    graph = traced(function, X, MASK)
    (report,) = run_passes(graph, PASSES)
    assert not report.applied
    assert set(report.misses) == ({reason} if reason else set())
