"""The ops on colors that TF.js lacks become arithmetic of channels."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_colors

#: Every order of the channels, ties among them, grey, black, negative and large values.
EDGES = np.float32([*itertools.product([0, 0.25, 0.5, 1], repeat=3), *itertools.product([-1, 0, 3], repeat=3)])
#: Hues at the ends of each sixth.
SIXTHS = np.float32([[h / 12, s, v] for h in range(-2, 15) for s in (0, 0.5, 1) for v in (0, 1, 2)])
CASES: dict[str, Callable[[Any], Any]] = {
    "to-hsv": tf.image.rgb_to_hsv,
    "to-rgb": tf.image.hsv_to_rgb,
    "back": lambda x: tf.image.hsv_to_rgb(tf.image.rgb_to_hsv(x) * [1.0, 0.5, 2]),
    **{f"hue{by}": lambda x, by=by: tf.image.adjust_hue(x, by) for by in (-1, -0.4, 0, 1 / 6, 0.25, 1)},
    **{f"saturation{by}": lambda x, by=by: tf.image.adjust_saturation(x, by) for by in (-0.5, 0, 0.3, 1, 2.5)},
}


@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str) -> None:
    function = CASES[case]
    drawn = np.random.default_rng(0).normal(size=(len(SIXTHS if case == "to-rgb" else EDGES), 3)).astype(np.float32)
    feeds = [{"x": (SIXTHS if case == "to-rgb" else EDGES)[None]}, {"x": drawn[None]}]
    check_lowering(tfjs_node, [lower_colors.PASS], function, tf.TensorSpec((None, None, 3), name="x"), feeds=feeds)


@pytest.mark.parametrize("case", ["to-hsv", "to-rgb", "hue0.25", "saturation0.3"])
def test_batches_of_images(tfjs_node: TfjsNode, case: str) -> None:
    for shape in ((None, 2, None, 3), (2, 1, 2, 2, 3)):
        check_lowering(tfjs_node, [lower_colors.PASS], CASES[case], tf.TensorSpec(shape, name="x"))


def test_amounts_are_fed(tfjs_node: TfjsNode) -> None:
    function = lambda x, by: (tf.image.adjust_hue(x, by), tf.image.adjust_saturation(x, by))  # noqa: E731
    specs = tf.TensorSpec((2, 4, 5, 3), name="x"), tf.TensorSpec((), name="by")
    feeds = [{"x": np.random.default_rng(0).random((2, 4, 5, 3), np.float32), "by": np.float32(n)} for n in (0.2, 0.7)]
    check_lowering(tfjs_node, [lower_colors.PASS], function, *specs, feeds=feeds)


def test_bytes(tfjs_node: TfjsNode) -> None:
    function = lambda x: tf.cast(tf.image.adjust_hue(tf.cast(x, tf.uint8), 0.3), tf.int32)  # noqa: E731
    feeds = [{"x": np.random.default_rng(n).integers(0, 256, (2, 4, 3), np.int32)} for n in (0, 1)]
    check_lowering(tfjs_node, [lower_colors.PASS], function, tf.TensorSpec((2, 4, 3), tf.int32, name="x"), feeds=feeds)


@pytest.mark.parametrize(
    ("function", "spec", "reason"),
    [
        (
            tf.image.hsv_to_rgb,
            tf.TensorSpec(None, name="x"),
            "the rank of the images is unknown: give it with inputs={…}",
        ),
        (
            lambda x: tf.raw_ops.RGBToHSV(images=tf.cast(x, tf.float64)),
            tf.TensorSpec((2, 3), name="x"),
            "the images are no float32: cast them before",
        ),
    ],
)
def test_refuses(function: Callable[[Any], Any], spec: tf.TensorSpec, reason: str) -> None:
    assert refusals([lower_colors.PASS], function, spec) == {reason}
