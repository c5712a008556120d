"""Bucketize, which TF.js lacks, becomes a count of boundaries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_bucketize


def _bucketized(x: Any, *boundaries: float) -> Any:
    return tf.raw_ops.Bucketize(input=x, boundaries=boundaries)


CASES: dict[str, Callable[[Any], Any]] = {
    "floats": lambda x: _bucketized(x, -0.5, 0.0, 0.0, 1.0),
    "integers": lambda x: _bucketized(tf.cast(tf.abs(x) * 3, tf.int32), 1.0, 2.5, 4.0),
    "not-a-number": lambda x: _bucketized(tf.math.log(x), -0.5, 0.0),
}


@pytest.mark.parametrize("shape", [(2, 4, 6), (None, 4, None)], ids=["static", "free"])
@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str, shape: Any) -> None:
    check_lowering(tfjs_node, [lower_bucketize.PASS], CASES[case], tf.TensorSpec(shape, name="x"))


def test_refuses_without_boundaries() -> None:
    reasons = refusals([lower_bucketize.PASS], _bucketized, tf.TensorSpec((3,), name="x"))
    assert reasons == {"there are no boundaries"}
