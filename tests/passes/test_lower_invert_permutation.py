"""InvertPermutation, which TF.js lacks, becomes a scatter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering
from tfjs_magic.passes import lower_invert_permutation


@pytest.mark.parametrize("shape", [(6,), (None,)], ids=["static", "free"])
def test_lowers(tfjs_node: TfjsNode, shape: Any) -> None:
    function = lambda x: tf.math.invert_permutation(tf.argsort(x))  # noqa: E731
    feeds = [{"x": np.random.default_rng(seed).normal(size=6).astype(np.float32)} for seed in (1, 2)]
    spec = tf.TensorSpec(shape, name="x")
    check_lowering(tfjs_node, [lower_invert_permutation.PASS], function, spec, feeds=feeds)
