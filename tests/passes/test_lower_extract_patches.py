"""ExtractImagePatches, which TF.js lacks, becomes reshapes, or a gather."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_extract_patches


def _patches(x: Any, sides: Any, strides: Any, rates: Any, padding: str) -> Any:
    return tf.image.extract_patches(x, [1, *sides, 1], [1, *strides, 1], [1, *rates, 1], padding)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(
    ("sides", "strides", "rates"),
    [
        pytest.param((3, 2), (3, 2), (1, 1), id="tiles"),
        pytest.param((3, 2), (1, 2), (1, 1), id="overlaps"),
        pytest.param((2, 3), (2, 1), (2, 1), id="spread"),
        pytest.param((1, 2), (4, 3), (1, 1), id="gaps"),
    ],
)
def test_lowers(tfjs_node: TfjsNode, sides: Any, strides: Any, rates: Any, padding: str) -> None:
    function = lambda x: _patches(x, sides, strides, rates, padding)  # noqa: E731
    check_lowering(tfjs_node, [lower_extract_patches.PASS], function, tf.TensorSpec((None, 6, 8, 3), name="x"))


def test_refuses_unknown_sizes() -> None:
    function = lambda x: _patches(x, (3, 2), (3, 2), (1, 1), "VALID")  # noqa: E731
    reasons = refusals([lower_extract_patches.PASS], function, tf.TensorSpec((None, None, 8, 3), name="x"))
    assert reasons == {"a size is unknown"}


def test_refuses_patches_that_do_not_fit() -> None:
    function = lambda x: _patches(x, (5, 2), (1, 1), (1, 1), "VALID")  # noqa: E731
    reasons = refusals([lower_extract_patches.PASS], function, tf.TensorSpec((None, 4, 8, 3), name="x"))
    assert reasons == {"no patch fits in"}
