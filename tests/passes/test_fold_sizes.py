"""Sizes that are known become constants, although the whole shape is not known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import fold_sizes

IMAGE = tf.TensorSpec((None, 9, 8, 4), name="x")
UNKNOWN = "an unknown size is taken"


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param(lambda shape: shape[1:3], id="some"),
        pytest.param(lambda shape: shape[-1], id="last"),
        pytest.param(lambda shape: shape[3:0:-2], id="backwards"),
        pytest.param(lambda shape: shape[2:], id="rest"),
    ],
)
def test_folds(tfjs_node: TfjsNode, sizes: Callable[[Any], Any]) -> None:
    function = lambda x: tf.cast(sizes(tf.shape(x)), tf.float32) * x[0, 0, 0, 0]  # noqa: E731
    check_lowering(tfjs_node, [fold_sizes.PASS], function, IMAGE)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda shape: shape[0], UNKNOWN),
        (lambda shape: shape[:2], UNKNOWN),
        (lambda shape: shape[shape[0] :], "the slice is computed"),
        (lambda shape: shape[tf.newaxis], "a mask adds an axis"),
    ],
)
def test_refuses(function: Callable[[Any], Any], reason: str) -> None:
    sizes = lambda x: function(tf.shape(x)) * 2  # noqa: E731
    assert refusals([fold_sizes.PASS], sizes, IMAGE, lacking=False) >= {reason}
