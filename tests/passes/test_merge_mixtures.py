"""A share of one tensor and the rest of another take one product."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tfjs_magic.passes import merge_mixtures

PASSES = [merge_mixtures.PASS]


def _mixed(x: Any, *, share: Any = tf.sigmoid, new: Any = tf.tanh) -> Any:
    z, b = share(x[0]), new(x[2])
    return z * x[1] + (1.0 - z) * b


def _turned(x: Any) -> Any:
    z = tf.sigmoid(x[0])
    return tf.tanh(x[2]) * (1.0 - z) + x[1] * z


def _used(x: Any) -> Any:
    z = tf.sigmoid(x[0])
    kept = z * x[1]
    return kept + (1.0 - z) * tf.tanh(x[2]), kept


@pytest.mark.parametrize("function", [_mixed, lambda x: _mixed(x, new=tf.sigmoid), _turned], ids=["gru", "σ", "turned"])
def test_mixes(tfjs_node: TfjsNode, function: Any) -> None:
    spec = tf.TensorSpec((3, 4, 5), name="x")
    check_lowering(tfjs_node, PASSES, function, spec)
    check_on_gpu(tfjs_node, function, spec)


def test_mixes_what_is_far_apart(tfjs_node: TfjsNode) -> None:
    rng = np.random.default_rng(0)
    feeds = [{"x": (rng.normal(size=(3, 4, 5)) * [[[30.0]], [[s]], [[9.0]]]).astype(np.float32)} for s in (1e-6, 1e6)]
    check_lowering(tfjs_node, PASSES, _mixed, tf.TensorSpec((3, 4, 5), name="x"), feeds=feeds)


UNBOUNDED, SHAPES = "a share may be beyond zero and one, or a value infinite", "what is mixed has several shapes"


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        pytest.param(lambda x: _mixed(x, new=tf.nn.relu), UNBOUNDED, id="unbounded"),
        pytest.param(lambda x: _mixed(x, share=tf.tanh), UNBOUNDED, id="no-share"),
        pytest.param(lambda x: _mixed(x, share=lambda z: tf.sigmoid(z[:1])), SHAPES, id="broadcast"),
        pytest.param(_used, "something else uses a product", id="product-is-used"),
        pytest.param(lambda x: tf.sigmoid(x[0]) * x[1] + (1.0 - tf.sigmoid(x[1])) * tf.tanh(x[2]), None, id="other"),
        pytest.param(lambda x: tf.sigmoid(x[0]) * x[1] + (2.0 - tf.sigmoid(x[0])) * tf.tanh(x[2]), None, id="two"),
        pytest.param(lambda x: tf.sigmoid(x[0]) * x[1] + (tf.sigmoid(x[0]) - 1.0) * tf.tanh(x[2]), None, id="turned"),
    ],
)
def test_refuses(function: Any, reason: str | None) -> None:
    reasons = refusals(PASSES, function, tf.TensorSpec((3, 4, 5), name="x"), lacking=False)
    assert reasons == ({reason} if reason else set())
