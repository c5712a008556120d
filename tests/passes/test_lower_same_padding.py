"""SAME is written out where strides are longer than windows, as TF.js would pad by negative numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tests.passes.operands import random_array
from tfjs_magic.passes import lower_same_padding

CASES: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    **{
        f"conv-{sides}-{strides}": (
            (None, 6, 8, 4),
            lambda x, k=sides, s=strides: tf.nn.conv2d(x, random_array("w", *k, 4, 5), s, "SAME"),
        )
        for sides, strides in (((2, 2), 3), ((1, 3), 2), ((1, 2), (2, 3)), ((1, 1), 2), ((3, 3), 5))
    },
    "before-bias-and-relu": (
        (None, 6, 8, 4),
        lambda x: tf.nn.relu(tf.nn.conv2d(x, random_array("w", 1, 3, 4, 5), 2, "SAME") + random_array("b", 5)),
    ),
    "unknown-sizes": (
        (None, None, None, 4),
        lambda x: tf.nn.conv2d(x, random_array("w", 1, 3, 4, 5), [2, 1], "SAME"),
    ),
    "depthwise": (
        (None, 6, 8, 4),
        lambda x: tf.nn.depthwise_conv2d(x, random_array("w", 1, 3, 4, 2), [1, 2, 2, 1], "SAME"),
    ),
    "conv-3d": (
        (None, 6, 6, 7, 4),
        lambda x: tf.nn.conv3d(x, random_array("w", 2, 1, 3, 4, 2), [1, 3, 2, 2, 1], "SAME"),
    ),
    "computed-weights": (
        (None, 6, 8, 4),
        lambda x: tf.nn.conv2d(x, tf.reshape(x[0, 0, :4], [1, 1, 4, 4]), 2, "SAME"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str) -> None:
    shape, function = CASES[case]
    x = tf.TensorSpec(shape, name="x")
    feeds = [
        {"x": tf.random.stateless_normal([2, *(side or 6 for side in shape[1:])], [seed, 0]).numpy()} for seed in (1, 2)
    ]
    check_lowering(tfjs_node, [lower_same_padding.PASS], function, x, feeds=feeds)


@pytest.mark.parametrize("last", [tf.identity, tf.nn.relu], ids=["plain", "fused"])
@pytest.mark.parametrize("conv", [tf.nn.conv2d, tf.nn.depthwise_conv2d], ids=["conv", "depthwise"])
def test_refuses_unknown_sizes(conv: Any, last: Any) -> None:
    function = lambda x: last(conv(x, random_array("w", 2, 2, 4, 2), [1, 3, 3, 1], "SAME"))  # noqa: E731
    reasons = refusals([lower_same_padding.PASS], function, tf.TensorSpec((None, None, None, 4), name="x"))
    assert reasons == {"a size that the padding depends on is unknown"}


def test_refuses_weights_of_unknown_shape() -> None:
    function = lambda x, w: tf.nn.conv2d(x, w, 2, "SAME")  # noqa: E731
    x, w = (tf.TensorSpec(shape, name=name) for name, shape in (("x", (2, 6, 6, 4)), ("w", (None, 1, 4, 3))))
    reasons = refusals([lower_same_padding.PASS], function, x, w)
    assert reasons == {"the shape of the weights is unknown"}


def test_refuses_channels_first() -> None:
    """They are put last before."""
    function = lambda x: tf.nn.conv2d(x, random_array("w", 1, 1, 4, 3), 2, "SAME", "NCHW")  # noqa: E731
    reasons = refusals([lower_same_padding.PASS], function, tf.TensorSpec((2, 4, 6, 6), name="x"), lacking=False)
    assert reasons == {"the channels are not last"}
