"""Masks and other integers keep their dtype, and every value, when they are resized."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_nearest_resize

#: webgl and webgpu keep all integers as float32.
LARGE = 2**24 if {"cpu", "wasm"}.issuperset(BACKENDS) else 1
PASSES = [lower_nearest_resize.PASS]
INTEGERS = tf.TensorSpec((2, 4, 6, 3), tf.int32, name="x")


@pytest.mark.parametrize("size", [[7, 11], [2, 4]], ids=["larger", "smaller"])
@pytest.mark.parametrize("option", ["align_corners", "half_pixel_centers", None])
def test_lowers(tfjs_node: TfjsNode, option: str | None, size: list[int]) -> None:
    options = {} if option is None else {option: True}
    function = lambda x: tf.raw_ops.ResizeNearestNeighbor(images=x * LARGE + 1, size=size, **options)  # noqa: E731
    check_lowering(tfjs_node, PASSES, function, INTEGERS)


def test_lowers_computed_sizes(tfjs_node: TfjsNode) -> None:
    def function(x: Any) -> Any:
        return tf.image.resize(x, tf.shape(x)[1:3] * [2, 3], "nearest")

    check_lowering(tfjs_node, PASSES, function, tf.TensorSpec((None, None, None, 2), tf.int32, name="x"))


def test_refuses_an_unknown_rank() -> None:
    function = lambda x: tf.raw_ops.ResizeNearestNeighbor(images=x, size=[4, 4])  # noqa: E731
    assert refusals(PASSES, function, tf.TensorSpec(None, tf.int32, name="x")) == {"the rank is unknown"}
