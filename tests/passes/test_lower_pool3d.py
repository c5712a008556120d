"""3-D pooling becomes two 2-D ones, as TF.js pads it by negative numbers and wasm starts maxima above zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.models import keras_outputs, samples_of
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_pool3d
from tfjs_magic.pipeline import convert

VOLUME, EVEN = (None, 5, 7, 6, 4), (None, 6, 6, 7, 4)
CASES: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "mean": (VOLUME, lambda x: tf.nn.avg_pool3d(x, (3, 2, 2), (2, 1, 3), "SAME")),
    "mean-stride-longer": (EVEN, lambda x: tf.nn.avg_pool3d(x, (2, 1, 3), (3, 2, 2), "SAME")),
    "maximum-same": (VOLUME, lambda x: tf.nn.max_pool3d(x, (3, 2, 2), (2, 1, 3), "SAME")),
    "maximum-valid": (VOLUME, lambda x: tf.nn.max_pool3d(x, (2, 3, 3), (1, 2, 1), "VALID")),
    "maximum-stride-longer": (EVEN, lambda x: tf.nn.max_pool3d(x, (2, 1, 3), (3, 2, 2), "SAME")),
    "maximum-of-one": (VOLUME, lambda x: tf.nn.max_pool3d(x, 3, 2, "VALID")),
}


@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str) -> None:
    """What is taken is below zero: a maximum must not start there."""
    shape, function = CASES[case]
    check_lowering(tfjs_node, [lower_pool3d.PASS], lambda x: function(x - 9.0), tf.TensorSpec(shape, name="x"))


@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
def test_keras_3d_maximum_runs_on_wasm(tfjs_node: TfjsNode, data_format: str) -> None:
    x = keras.Input((6, 5, 7, 4), name="x")
    y = keras.layers.MaxPooling3D((2, 3, 2), 2, padding="same", data_format=data_format)(x - 9.0)
    model = keras.Model(x, [y, keras.ops.tanh(y / 9)])
    web = convert(model, format="graph")
    assert web.report.backends["wasm"] == ()
    feed = samples_of(web.inputs, 3)
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(web, feed, backend), keras_outputs(model, feed))


def test_refuses_unknown_sizes() -> None:
    function = lambda x: tf.nn.max_pool3d(x, 2, 2, "VALID")  # noqa: E731
    reasons = refusals([lower_pool3d.PASS], function, tf.TensorSpec((2, None, 6, 6, 3), name="x"))
    assert reasons == {"a size is unknown"}


def test_refuses_channels_first() -> None:
    """They are put last before."""
    function = lambda x: tf.nn.max_pool3d(x, 2, 2, "VALID", "NCDHW")  # noqa: E731
    reasons = refusals([lower_pool3d.PASS], function, tf.TensorSpec((2, 3, 6, 6, 6), name="x"), lacking=False)
    assert reasons == {"the channels are not last"}
