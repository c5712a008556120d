"""Batches that broadcast are repeated before the product, on every backend; others stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu
from tests.traced import traced
from tfjs_magic.passes import lower_batch_matmul, run_passes

PASS = lower_batch_matmul.PASS


def _transposed(a: Any, b: Any) -> Any:
    return tf.matmul(a, b, transpose_b=True)


#: Shapes of both operands, and what repeats them.
KNOWN: dict[str, tuple[Any, Any, Callable[[Any, Any], Any]]] = {
    "one-head-for-all": ((2, 3, 4, 5), (2, 1, 5, 6), tf.matmul),
    "one-side-without-batch": ((2, 1, 4, 5), (3, 5, 6), tf.matmul),
    "both-sides": ((1, 3, 4, 5), (2, 1, 5, 6), tf.matmul),
    "free-batch": ((None, 3, 4, 5), (None, 1, 6, 5), _transposed),
    "the-end-of-a-batch": ((2, 3, 2, 4, 5), (3, 1, 5, 6), tf.matmul),
}
#: Where the sizes are read in the browser, and three pairs of shapes.
FREE: dict[str, tuple[Any, Any, list[tuple[Any, Any]]]] = {
    "all": (
        (None, None, 4, None),
        (None, None, None, 6),
        [((2, 3, 4, 5), (2, 1, 5, 6)), ((1, 3, 4, 5), (2, 1, 5, 6)), ((2, 3, 4, 5), (2, 3, 5, 6))],
    ),
    "fewer-axes": (
        (2, None, None, 4, 5),
        (None, 5, 6),
        [((2, 2, 3, 4, 5), (3, 5, 6)), ((2, 2, 1, 4, 5), (3, 5, 6)), ((2, 1, 3, 4, 5), (1, 5, 6))],
    ),
    "one-against-free": (
        (2, None, 4, 5),
        (2, 1, 5, 6),
        [((2, 3, 4, 5), (2, 1, 5, 6)), ((2, 1, 4, 5), (2, 1, 5, 6))],
    ),
}


def _specs(a: Any, b: Any) -> list[tf.TensorSpec]:
    return [tf.TensorSpec(a, name="a"), tf.TensorSpec(b, name="b")]


@pytest.mark.parametrize("case", KNOWN)
def test_repeats(tfjs_node: TfjsNode, case: str) -> None:
    a, b, function = KNOWN[case]
    check_lowering(tfjs_node, [PASS], function, *_specs(a, b))
    check_on_gpu(tfjs_node, function, *_specs(a, b))


@pytest.mark.parametrize("case", FREE)
def test_repeats_to_sizes_of_the_browser(tfjs_node: TfjsNode, case: str) -> None:
    a, b, shapes = FREE[case]
    rng = np.random.default_rng(0)
    feeds = [
        {name: rng.normal(size=shape).astype(np.float32) for name, shape in zip("ab", pair, strict=True)}
        for pair in shapes
    ]
    check_lowering(tfjs_node, [PASS], tf.matmul, *_specs(a, b), feeds=feeds)
    check_on_gpu(tfjs_node, tf.matmul, *_specs(a, b), feeds=feeds)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((2, 3, 4, 5), (2, 3, 5, 6)),
        ((2, 3, 4, 5), (5, 6)),
        ((2, 3, 4, 5), (3, 5, 6)),
        ((1, 3, 4, 5), (2, 3, 5, 6)),
        ((2, 1, 4, 5), (2, 1, 5, 6)),
        ((1, 1, 4, 5), (2, 3, 5, 6)),
        ((None, 8, None, 5), (None, 8, 5, None)),
        ((None, None, 5), (None, 5, None)),
        ((None, 1, 4, 5), (None, 1, 5, 6)),
    ],
)
def test_leaves_what_is_right(tfjs_node: TfjsNode, a: Any, b: Any) -> None:
    """Attention with free batch among them: a batch of size 1 is right there, too."""
    graph = traced(tf.matmul, *_specs(a, b))
    assert not run_passes(graph, [PASS])[0].applied
    check_on_gpu(tfjs_node, tf.matmul, *_specs(a, b))
    if a[0] is None:
        rng = np.random.default_rng(1)
        sides = [tuple(size or 5 for size in shape[1:]) for shape in (a, b)]
        feed = {
            name: rng.normal(size=(batch, *side)).astype(np.float32)
            for name, batch, side in zip("ab", (3, 1), sides, strict=True)
        }
        check_on_gpu(tfjs_node, tf.matmul, *_specs(a, b), feeds=[feed])
