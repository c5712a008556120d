"""Known projective transforms of images become gathers of known places."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_projective_transform

PASSES = [lower_projective_transform.PASS]
TRANSFORMS = {
    "moved": [1, 0, 2, 0, 1, -3, 0, 0],
    "moved-by-halves": [1, 0, 0.5, 0, 1, -1.5, 0, 0],
    "turned": [0.8, -0.6, 1.3, 0.6, 0.8, -2.1, 0, 0],
    "far": [3.7, 0.2, -13.3, -0.4, 4.6, -9.2, 0, 0],
    "mirrored": [-1, 0, 6, 0, -1, 5, 0, 0],
    "tilted": [1.1, 0.1, -1, 0.2, 0.9, 0.5, 0.05, -0.03],
    "through-the-horizon": [1, 0, 0, 0, 1, 0, -0.5, 0],
}


def _transformed(x: Any, transform: Any, size: Any = (5, 9), fill: float = 0.7, **options: Any) -> Any:
    options = {"interpolation": "BILINEAR", "fill_mode": "CONSTANT"} | options
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=x, transforms=np.float32(transform), output_shape=size, fill_value=fill, **options
    )


@pytest.mark.parametrize("mode", ["CONSTANT", "REFLECT", "WRAP", "NEAREST"])
@pytest.mark.parametrize("interpolation", ["NEAREST", "BILINEAR"])
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_lowers(tfjs_node: TfjsNode, transform: str, interpolation: str, mode: str) -> None:
    options = {"interpolation": interpolation, "fill_mode": mode}
    function = lambda x: _transformed(x, [TRANSFORMS[transform]], **options)  # noqa: E731
    check_lowering(tfjs_node, PASSES, function, tf.TensorSpec((None, 6, 7, 2), name="x"))


@pytest.mark.parametrize("mode", ["CONSTANT", "REFLECT", "WRAP", "NEAREST"])
def test_images_of_one_row(tfjs_node: TfjsNode, mode: str) -> None:
    function = lambda x: _transformed(x, [TRANSFORMS["turned"]], fill_mode=mode)  # noqa: E731
    check_lowering(tfjs_node, PASSES, function, tf.TensorSpec((2, 1, 4, 2), name="x"))


def test_the_older_one_fills_with_zeros(tfjs_node: TfjsNode) -> None:
    def function(x: Any) -> Any:
        return tf.raw_ops.ImageProjectiveTransformV2(
            images=x, transforms=np.float32([TRANSFORMS["far"]]), output_shape=[5, 6], interpolation="BILINEAR"
        )

    check_lowering(tfjs_node, PASSES, function, tf.TensorSpec((2, 6, 7, 2), name="x"))


@pytest.mark.parametrize(
    ("function", "shape", "reason"),
    [
        (
            lambda x: _transformed(x, [TRANSFORMS["moved"], TRANSFORMS["far"]]),
            (2, 6, 7, 2),
            "the transform is computed, or differs from image to image",
        ),
        (lambda x: _transformed(x, [TRANSFORMS["moved"]]), (2, None, 7, 2), "a size is unknown, or computed"),
        (
            lambda x: _transformed(tf.cast(x, tf.uint8), [TRANSFORMS["moved"]]),
            (2, 6, 7, 2),
            "the images are no float32: cast them before",
        ),
    ],
)
def test_refuses(function: Any, shape: Any, reason: str) -> None:
    assert refusals(PASSES, function, tf.TensorSpec(shape, name="x")) == {reason}
