"""ExtractImagePatches, which TF.js lacks, becomes reshapes, or a gather."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_extract_patches


def _patches(x: Any, sides: Any, strides: Any, rates: Any, padding: str) -> Any:
    return tf.image.extract_patches(x, [1, *sides, 1], [1, *strides, 1], [1, *rates, 1], padding)


STEPS = pytest.mark.parametrize(
    ("sides", "strides", "rates"),
    [
        pytest.param((3, 2), (3, 2), (1, 1), id="tiles"),
        pytest.param((3, 2), (1, 2), (1, 1), id="overlaps"),
        pytest.param((2, 3), (2, 1), (2, 1), id="spread"),
        pytest.param((1, 2), (4, 3), (1, 1), id="gaps"),
    ],
)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@STEPS
def test_lowers(tfjs_node: TfjsNode, sides: Any, strides: Any, rates: Any, padding: str) -> None:
    function = lambda x: _patches(x, sides, strides, rates, padding)  # noqa: E731
    check_lowering(tfjs_node, [lower_extract_patches.PASS], function, tf.TensorSpec((None, 6, 8, 3), name="x"))


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@STEPS
def test_lowers_images_of_any_size(tfjs_node: TfjsNode, sides: Any, strides: Any, rates: Any, padding: str) -> None:
    function = lambda x: _patches(x, sides, strides, rates, padding)  # noqa: E731
    rng = np.random.default_rng(0)
    feeds = [{"x": rng.normal(size=shape).astype(np.float32)} for shape in ((2, 6, 8, 3), (1, 9, 7, 3))]
    spec = tf.TensorSpec((None, None, None, 3), name="x")
    check_lowering(tfjs_node, [lower_extract_patches.PASS], function, spec, feeds=feeds)


@pytest.mark.parametrize("shape", [(None, 6, None, 3), (None, 6, 7, None)])
def test_lowers_where_one_size_is_unknown(tfjs_node: TfjsNode, shape: Any) -> None:
    function = lambda x: _patches(x, (3, 2), (1, 2), (1, 1), "SAME")  # noqa: E731
    feeds = [{"x": np.random.default_rng(seed).normal(size=(2, 6, 7, 3)).astype(np.float32)} for seed in (1, 2)]
    check_lowering(tfjs_node, [lower_extract_patches.PASS], function, tf.TensorSpec(shape, name="x"), feeds=feeds)


def test_refuses_an_unknown_rank() -> None:
    function = lambda x: _patches(x, (3, 2), (3, 2), (1, 1), "VALID")  # noqa: E731
    reasons = refusals([lower_extract_patches.PASS], function, tf.TensorSpec(None, name="x"))
    assert reasons == {"the rank of the images is unknown"}


def test_refuses_patches_that_do_not_fit() -> None:
    function = lambda x: _patches(x, (5, 2), (1, 1), (1, 1), "VALID")  # noqa: E731
    reasons = refusals([lower_extract_patches.PASS], function, tf.TensorSpec((None, 4, 8, 3), name="x"))
    assert reasons == {"no patch fits in"}
