"""Windows that TF.js refuses or computes wrongly: strides beside dilations, explicit padding, 3-D maxima, blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.traced import converted, python_outputs, traced
from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedOpsError
from tfjs_magic.ops.check import check_ops, count_ops, missing_per_backend
from tfjs_magic.passes import PIPELINE, run_passes
from tfjs_magic.pipeline import convert

raw = tf.raw_ops
RNG = np.random.default_rng(0)
IMAGE, VOLUME = ((None, 9, 8, 4), (None, 5, 7, 6, 4))


def _weights(*shape: int) -> Array:
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


def _channels_first_pool(x: Any) -> Any:
    return tf.nn.max_pool2d(x, 3, 2, [[0, 0], [0, 0], [1, 1], [0, 2]], "NCHW")


CASES: dict[str, tuple[tuple[int | None, ...], Callable[[Any], Any]]] = {
    **{
        f"conv-{padding}-{strides}-{rates}": (
            IMAGE,
            lambda x, p=padding, s=strides, d=rates: tf.nn.conv2d(x, _weights(3, 2, 4, 5), s, p, dilations=d),
        )
        for padding in ("SAME", "VALID")
        for strides, rates in ((2, 2), ((2, 1), (1, 3)))
    },
    "conv-explicit": (
        IMAGE,
        lambda x: tf.nn.conv2d(x, _weights(3, 2, 4, 5), 2, [[0, 0], [2, 1], [0, 3], [0, 0]], dilations=2),
    ),
    "depthwise": (
        IMAGE,
        lambda x: raw.DepthwiseConv2dNative(
            input=x, filter=_weights(3, 2, 4, 2), strides=[1, 2, 2, 1], padding="SAME", dilations=[1, 2, 3, 1]
        ),
    ),
    "conv-3d": (
        VOLUME,
        lambda x: raw.Conv3D(
            input=x, filter=_weights(2, 3, 2, 4, 5), strides=[1, 2, 1, 3, 1], padding="SAME", dilations=[1, 2, 2, 1, 1]
        ),
    ),
    **{
        f"stride-longer-{sides}-{strides}": (
            (None, 6, 8, 4),
            lambda x, k=sides, s=strides: tf.nn.conv2d(x, _weights(*k, 4, 5), s, "SAME"),
        )
        for sides, strides in (((2, 2), 3), ((1, 3), 2), ((1, 2), (2, 3)), ((1, 1), 2), ((3, 3), 5))
    },
    "stride-longer-fused": (
        (None, 6, 8, 4),
        lambda x: tf.nn.relu(tf.nn.conv2d(x, _weights(1, 3, 4, 5), 2, "SAME") + _weights(5)),
    ),
    "stride-longer-unknown-sizes": (
        (None, None, None, 4),
        lambda x: tf.nn.conv2d(x, _weights(1, 3, 4, 5), [2, 1], "SAME"),
    ),
    "stride-longer-depthwise": (
        (None, 6, 8, 4),
        lambda x: tf.nn.depthwise_conv2d(x, _weights(1, 3, 4, 2), [1, 2, 2, 1], "SAME"),
    ),
    "stride-longer-3d": (
        (None, 6, 6, 7, 4),
        lambda x: tf.nn.conv3d(x, _weights(2, 1, 3, 4, 2), [1, 3, 2, 2, 1], "SAME"),
    ),
    "stride-longer-mean-3d": ((None, 6, 6, 7, 4), lambda x: tf.nn.avg_pool3d(x, (2, 1, 3), (3, 2, 2), "SAME")),
    "mean-3d": (VOLUME, lambda x: tf.nn.avg_pool3d(x, (3, 2, 2), (2, 1, 3), "SAME")),
    "stride-longer-maximum-3d": ((None, 6, 6, 7, 4), lambda x: tf.nn.max_pool3d(x, (2, 1, 3), (3, 2, 2), "SAME")),
    "max-pool-explicit": (IMAGE, lambda x: tf.nn.max_pool2d(x, 3, 2, [[0, 0], [1, 1], [0, 2], [0, 0]])),
    "max-pool-3d-same": (VOLUME, lambda x: tf.nn.max_pool3d(x, (3, 2, 2), (2, 1, 3), "SAME")),
    "max-pool-3d-valid": (VOLUME, lambda x: tf.nn.max_pool3d(x, (2, 3, 3), (1, 2, 1), "VALID")),
    **{
        f"patches-{padding}-{sides}-{strides}-{rates}": (
            (None, 6, 8, 3),
            lambda x, k=sides, s=strides, r=rates, p=padding: tf.image.extract_patches(
                x, [1, *k, 1], [1, *s, 1], [1, *r, 1], p
            ),
        )
        for padding in ("SAME", "VALID")
        for sides, strides, rates in (
            ((3, 2), (3, 2), (1, 1)),
            ((3, 2), (1, 2), (1, 1)),
            ((2, 3), (2, 1), (2, 1)),
            ((1, 2), (4, 3), (1, 1)),
        )
    },
    "space-to-depth": ((None, 6, 9, 4), lambda x: tf.nn.space_to_depth(x, 3)),
}


@pytest.mark.parametrize("case", CASES)
def test_matches_tensorflow(tfjs_node: TfjsNode, case: str) -> None:
    shape, window = CASES[case]
    spec = tf.TensorSpec(shape, tf.float32, name="x")

    def function(x: Any) -> Any:
        y = window(x - 9.0)  # what is computed is negative: a maximum must not start at zero
        return y, tf.tanh(y / 99)

    feed = {"x": RNG.normal(size=[2, *(side or 6 for side in shape[1:])]).astype(np.float32)}
    _check(tfjs_node, converted(function, spec), feed, python_outputs(function, feed, spec))


def test_channels_first_maximum_with_explicit_padding(tfjs_node: TfjsNode) -> None:
    """TensorFlow's CPU has it with the channels last only."""
    spec = tf.TensorSpec((2, 4, 9, 8), tf.float32, name="x")
    feed = {"x": RNG.normal(size=(2, 4, 9, 8)).astype(np.float32) - 9}

    def reference(x: Any) -> Any:
        y = tf.nn.max_pool2d(tf.transpose(x, [0, 2, 3, 1]), 3, 2, [[0, 0], [1, 1], [0, 2], [0, 0]])
        return tf.transpose(y, [0, 3, 1, 2])

    _check(tfjs_node, converted(_channels_first_pool, spec), feed, python_outputs(reference, feed, spec))


@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
def test_keras_3d_maximum_runs_on_wasm(tfjs_node: TfjsNode, data_format: str) -> None:
    x = keras.Input((6, 5, 7, 4), name="x")
    y = keras.layers.MaxPooling3D((2, 3, 2), 2, padding="same", data_format=data_format)(x)
    web = convert(keras.Model(x, [y, keras.ops.exp(y)]), format="graph")
    assert "MaxPool3D" not in web.report.ops
    assert web.report.backends["wasm"] == ()
    feed = {"x": RNG.normal(size=(2, 6, 5, 7, 4)).astype(np.float32) - 5}
    _check(tfjs_node, web, feed, web.reference(feed))


def test_without_sizes_the_3d_maximum_stays() -> None:
    graph = traced(lambda x: tf.nn.max_pool3d(x, 2, 2, "VALID"), tf.TensorSpec((2, None, 6, 6, 3), name="x"))
    for step in PIPELINE.values():
        run_passes(graph, step)
    assert "MaxPool3D" in count_ops(graph)
    assert missing_per_backend(graph)["wasm"] == ("MaxPool3D",)


@pytest.mark.parametrize("last", [tf.identity, tf.nn.relu], ids=["plain", "fused"])
@pytest.mark.parametrize("conv", [tf.nn.conv2d, tf.nn.depthwise_conv2d])
def test_a_stride_longer_than_the_kernel_on_unknown_sizes_is_listed(conv: Any, last: Any) -> None:
    graph = traced(
        lambda x: last(conv(x, _weights(2, 2, 4, 2), [1, 3, 3, 1], "SAME")),
        tf.TensorSpec((None, None, None, 4), name="x"),
    )
    for step in PIPELINE.values():
        run_passes(graph, step)
    assert len(missing_per_backend(graph)["wasm"]) == 1


@pytest.mark.parametrize(
    ("op", "shapes", "function"),
    [
        (
            "Conv2D",
            [(1, 9, 9, 2), (3, 3, 2, 2)],
            lambda x, w: raw.Conv2D(input=x, filter=w, strides=[1, 2, 2, 1], padding="SAME", dilations=[1, 2, 2, 1]),
        ),
        ("SpaceToDepth", [(1, None, 4, 2)], lambda x: tf.nn.space_to_depth(x, 2)),
    ],
)
def test_what_is_unknown_is_refused(op: str, shapes: list[Any], function: Callable[..., Any]) -> None:
    graph = traced(function, *(tf.TensorSpec(shape, name=f"x{i}") for i, shape in enumerate(shapes)))
    for step in PIPELINE.values():
        run_passes(graph, step)
    with pytest.raises(UnsupportedOpsError) as caught:
        check_ops(graph)
    assert list(caught.value.ops) == [op]


def _check(node: TfjsNode, model: Any, feed: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
    for backend in BACKENDS:
        assert_matches(node.run(model, feed, backend), expected)
