"""Explicit padding of a maximum, which TF.js does not know, becomes padding with the least number."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tests.reference_kernels import channels_first
from tfjs_magic.passes import lower_explicit_pool, put_channels_last

PADDING = [[0, 0], [1, 1], [0, 2], [0, 0]]


def _last(x: Any) -> Any:
    return tf.nn.max_pool2d(x, 3, 2, PADDING)


def _first(x: Any) -> Any:
    return tf.nn.max_pool2d(x, 3, 2, [PADDING[i] for i in (0, 3, 1, 2)], "NCHW")


@pytest.mark.parametrize("shape", [(2, 9, 8, 4), (None, None, None, 4)], ids=["static", "free"])
def test_lowers(tfjs_node: TfjsNode, shape: Any) -> None:
    """What is taken is below zero: a maximum must not start there."""
    feeds = [{"x": tf.random.stateless_normal((2, 9, 8, 4), [seed, 0]).numpy()} for seed in (1, 2)]
    function = lambda x: _last(x - 9.0)  # noqa: E731
    check_lowering(tfjs_node, [lower_explicit_pool.PASS], function, tf.TensorSpec(shape, name="x"), feeds=feeds)


def test_lowers_once_the_channels_are_last(tfjs_node: TfjsNode) -> None:
    check_lowering(
        tfjs_node,
        [put_channels_last.PASS, lower_explicit_pool.PASS],
        lambda x: _first(x - 9.0),
        tf.TensorSpec((2, 4, 9, 8), name="x"),
        reference=channels_first(lambda x: _last(x - 9.0)),
    )


def test_refuses_channels_first() -> None:
    reasons = refusals([lower_explicit_pool.PASS], _first, tf.TensorSpec((2, 4, 9, 8), name="x"), lacking=False)
    assert reasons == {"the channels are not last"}
