"""Channels first, transposed convolutions and resizes become what TF.js computes rightly, in real TF.js."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS, parse_graph
from tests.models import keras_outputs, randomised, samples_of
from tests.traced import converted, python_outputs, traced
from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedOpsError
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import PIPELINE, fold_sizes, merge_transposes, run_passes
from tfjs_magic.pipeline import convert

RNG = np.random.default_rng(0)
KERNEL, DEPTH, BACK, BIAS = (
    RNG.normal(size=s).astype(np.float32) for s in ((3, 2, 4, 6), (3, 2, 4, 2), (3, 2, 5, 4), 6)
)
IMAGE = tf.TensorSpec((None, 9, 8, 4), tf.float32, name="x")


def _check(node: TfjsNode, model: Any, feed: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
    for backend in BACKENDS:
        assert_matches(node.run(model, feed, backend), expected)


# ---- channels first: TensorFlow's CPU has most of them with the channels last only, so that is the reference


def _first(function: Callable[..., Any], rank: int = 4) -> Callable[[Any], Any]:
    """Let a function of channels-last data take and give channels-first data."""
    return lambda x: tf.transpose(
        function(tf.transpose(x, [0, *range(2, rank), 1])), [0, rank - 1, *range(1, rank - 1)]
    )


FIRST: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "conv": (
        lambda x: tf.nn.conv2d(x, KERNEL, [1, 1, 2, 1], "SAME", "NCHW", [1, 1, 1, 1]),
        _first(lambda x: tf.nn.conv2d(x, KERNEL, [1, 2, 1, 1], "SAME")),
    ),
    "dilated-conv": (
        lambda x: tf.nn.conv2d(x, KERNEL, 1, "VALID", "NCHW", [1, 1, 3, 2]),
        _first(lambda x: tf.nn.conv2d(x, KERNEL, 1, "VALID", "NHWC", [1, 3, 2, 1])),
    ),
    "explicit-padding": (
        lambda x: tf.nn.conv2d(x, KERNEL, 1, [[0, 0], [0, 0], [2, 1], [0, 3]], "NCHW"),
        _first(lambda x: tf.nn.conv2d(x, KERNEL, 1, [[0, 0], [2, 1], [0, 3], [0, 0]])),
    ),
    "depthwise": (
        lambda x: tf.nn.depthwise_conv2d(x, DEPTH, [1, 1, 2, 2], "SAME", "NCHW"),
        _first(lambda x: tf.nn.depthwise_conv2d(x, DEPTH, [1, 2, 2, 1], "SAME")),
    ),
    "bias-relu-pool": (
        lambda x: tf.nn.max_pool2d(
            tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, KERNEL, 1, "SAME", "NCHW"), BIAS, "NCHW")), 2, 2, "SAME", "NCHW"
        ),
        _first(lambda x: tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(x, KERNEL, 1, "SAME") + BIAS), 2, 2, "SAME")),
    ),
    "average": (
        lambda x: tf.nn.avg_pool2d(x, [1, 1, 3, 2], [1, 1, 2, 1], "VALID", "NCHW"),
        _first(lambda x: tf.nn.avg_pool2d(x, [1, 3, 2, 1], [1, 2, 1, 1], "VALID")),
    ),
    "batch-norm": (
        lambda x: tf.raw_ops.FusedBatchNormV3(
            x=x, scale=BIAS[:4], offset=BIAS[2:], mean=BIAS[1:5], variance=BIAS[:4] ** 2 + 1, is_training=False,
            data_format="NCHW",
        ).y,
        _first(lambda x: tf.nn.batch_normalization(x, BIAS[1:5], BIAS[:4] ** 2 + 1, BIAS[2:], BIAS[:4], 1e-4)),
    ),
    "transposed": (
        lambda x: tf.raw_ops.Conv2DBackpropInput(
            input_sizes=[2, 5, 17, 16], filter=BACK, out_backprop=x, strides=[1, 1, 2, 2], padding="SAME",
            data_format="NCHW",
        ),
        _first(lambda x: tf.nn.conv2d_transpose(x, BACK, [2, 17, 16, 5], 2, "SAME")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FIRST)
def test_channels_first_matches_channels_last(tfjs_node: TfjsNode, case: str) -> None:
    function, reference = FIRST[case]
    spec = tf.TensorSpec((2, 4, 9, 8), tf.float32, name="x")
    feed = {"x": RNG.normal(size=(2, 4, 9, 8)).astype(np.float32)}
    both = lambda x: (y := function(tf.tanh(x)), y * 2)  # noqa: E731 - a second consumer
    model = converted(both, spec)
    _check(tfjs_node, model, feed, python_outputs(lambda x: (y := reference(tf.tanh(x)), y * 2), feed, spec))


def test_between_layers_no_transpose_is_left() -> None:
    function, _ = FIRST["bias-relu-pool"]
    model = converted(function, tf.TensorSpec((2, 4, 9, 8), tf.float32, name="x"))
    ops = [node["op"] for node in model.topology["node"]]
    assert ops.count("Transpose") == 2


# ---- transposed convolutions

_t = tf.raw_ops.Conv2DBackpropInput


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_dilated_transposed_convolution(tfjs_node: TfjsNode, padding: str) -> None:
    """TensorFlow's CPU has none; it is the gradient of a dilated convolution, which it has."""
    data = tf.constant(RNG.normal(size=(2, 9, 8, 5)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(data)
        y = tf.nn.conv2d(data, BACK, 1, padding, dilations=[2, 3])
        target = tf.constant(RNG.normal(size=y.shape).astype(np.float32))
        total = tf.reduce_sum(y * target)
    expected = {"out0": tape.gradient(total, data).numpy()}
    spec = tf.TensorSpec(y.shape, tf.float32, name="x")
    options = {"strides": [1, 1, 1, 1], "padding": padding, "dilations": [1, 2, 3, 1]}
    model = converted(lambda x: _t(input_sizes=[2, 9, 8, 5], filter=BACK, out_backprop=x, **options), spec)
    _check(tfjs_node, model, {"x": target.numpy()}, expected)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("strides", "size"), [(1, 3), (2, 3), ((1, 3, 2), (2, 3, 4)), (3, 2)])
def test_transposed_3d_convolution(tfjs_node: TfjsNode, strides: Any, size: Any, padding: str) -> None:
    x = keras.Input((4, 3, 5, 2), name="x")
    y = keras.layers.Conv3DTranspose(3, size, strides=strides, padding=padding)(x)
    model = randomised(keras.Model(x, [y, keras.ops.tanh(y)]))
    web = convert(model, format="graph")
    feed = samples_of(web.inputs, 1)
    _check(tfjs_node, web, feed, keras_outputs(model, feed))


# ---- resizes and groups


@pytest.mark.parametrize("size", [(13, 5), (4, 20), (9, 8)])
@pytest.mark.parametrize("method", ["bicubic", "area", "lanczos3", "gaussian", "mitchellcubic", "antialias"])
def test_resizes(tfjs_node: TfjsNode, method: str, size: tuple[int, int]) -> None:
    def function(x: Any) -> Any:
        plain = {"method": method} if method != "antialias" else {"antialias": True}
        return {"y": (y := tf.image.resize(tf.tanh(x), size, **plain)), "z": y + 1}

    feed = {"x": RNG.normal(size=(3, 9, 8, 4)).astype(np.float32)}
    _check(tfjs_node, converted(function, IMAGE), feed, python_outputs(function, feed, IMAGE))


def test_old_bicubic_and_integers(tfjs_node: TfjsNode) -> None:
    spec = tf.TensorSpec((None, 9, 8, 4), tf.int32, name="x")

    def function(x: Any) -> Any:
        return [
            tf.raw_ops.ResizeBicubic(images=x, size=[5, 12], align_corners=True),
            tf.raw_ops.ResizeBicubic(images=x, size=[5, 12]),
            tf.raw_ops.ResizeArea(images=x, size=[5, 12], align_corners=True),
        ]

    feed = {"x": RNG.integers(0, 255, (2, 9, 8, 4)).astype(np.int32)}
    _check(tfjs_node, converted(function, spec), feed, python_outputs(function, feed, spec))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("size", "strides"), [(2, None), ((1, 3, 2), (2, 1, 3)), (3, 2)])
def test_3d_maxima_below_zero(tfjs_node: TfjsNode, size: Any, strides: Any, padding: str) -> None:
    x = keras.Input((5, 6, 7, 3), name="x")
    y = keras.layers.MaxPooling3D(size, strides, padding=padding)(x - 9.0)
    model = keras.Model(x, [y, keras.ops.tanh(y / 9)])
    web = convert(model, format="graph")
    assert web.report.backends["wasm"] == ()
    feed = samples_of(web.inputs, 3)
    _check(tfjs_node, web, feed, keras_outputs(model, feed))


@pytest.mark.parametrize("groups", [2, 4])
def test_grouped_3d_convolution(tfjs_node: TfjsNode, groups: int) -> None:
    x = keras.Input((5, 4, 6, 4), name="x")
    model = randomised(keras.Model(x, keras.layers.Conv3D(8, 3, groups=groups, strides=2, padding="same")(x)))
    web = convert(model, format="graph")
    feed = samples_of(web.inputs, 2)
    _check(tfjs_node, web, feed, keras_outputs(model, feed))


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x: tf.image.resize(x, (4, 4), "bicubic"), (1, None, 8, 3)),
        (lambda x: tf.nn.conv3d_transpose(x[None], x[:2, :2, :2, :, None], [1, 4, 4, 4, 1], 2), (2, 2, 2, 2)),
    ],
)
def test_what_is_unknown_is_refused(function: Callable[[Any], Any], shape: Any) -> None:
    with pytest.raises(UnsupportedOpsError):
        converted(function, tf.TensorSpec(shape, tf.float32, name="x"))


# ---- the edits themselves


def test_transposes_merge_only_where_no_other_sees_them() -> None:
    text = """
        x: float32[2,3,4]
        t = Transpose(x, p)
        r = Relu(t)
        u = Transpose(r, q)
        s = Transpose(t, q)
        e = Exp(t)
        return u, s, e
    """
    orders = {"p": np.array([0, 2, 1], np.int32), "q": np.array([0, 2, 1], np.int32)}
    graph = parse_graph(text, orders)
    run_passes(graph, (merge_transposes.PASS,))
    assert count_ops(graph)["Transpose"] == 2, "t has other consumers than Relu"
    assert graph["s"].op == "Identity"


@pytest.mark.parametrize(
    ("function", "folded"),
    [
        (lambda x: tf.shape(x)[1:3], True),
        (lambda x: tf.shape(x)[-1], True),
        (lambda x: tf.shape(x)[3:0:-2], True),
        (lambda x: tf.shape(x)[0], False),
        (lambda x: tf.shape(x)[:2], False),
    ],
)
def test_known_sizes_become_constants(function: Callable[[Any], Any], folded: bool) -> None:  # noqa: FBT001
    graph = traced(lambda x: tf.cast(function(x), tf.float32) * x[0, 0, 0, 0], IMAGE)
    for step in (PIPELINE["lower ops"], PIPELINE["fold weights"]):
        run_passes(graph, step)
    (report,) = (r for r in run_passes(traced(function, IMAGE), (fold_sizes.PASS,)) if r.name == "fold_sizes")
    assert bool(report.applied) == folded
    assert ("Shape" not in count_ops(graph)) == folded


# ---- spectra

SPECTRA: dict[str, Callable[[Any], Any]] = {
    "real": lambda x: tf.math.real(tf.signal.rfft(x)),
    "both": lambda x: (y := tf.signal.rfft(x), tf.math.real(y), tf.math.imag(y)),
    "magnitude": lambda x: tf.abs(tf.signal.rfft(x)),
    "padded": lambda x: (y := tf.signal.rfft(x, [16]), tf.math.imag(y)),
    "cut": lambda x: (y := tf.signal.rfft(x, [7]), tf.math.real(y), tf.abs(y)),
    "odd": lambda x: (y := tf.signal.rfft(x[..., :9]), tf.math.imag(y)),
    "complex": lambda x: (y := tf.signal.fft(tf.complex(x, tf.tanh(x))), tf.math.real(y), tf.math.imag(y), tf.abs(y)),
    "inverse": lambda x: (y := tf.signal.ifft(tf.complex(x, tf.tanh(x))), tf.math.real(y), tf.math.imag(y)),
    "inverse-real": lambda x: tf.signal.irfft(tf.complex(x, tf.tanh(x))),
    "inverse-odd": lambda x: tf.signal.irfft(tf.complex(x, tf.tanh(x)), [9]),
    "inverse-cut": lambda x: tf.raw_ops.IRFFT(input=tf.complex(x, tf.tanh(x)), fft_length=[10]),
}  # fmt: skip


@pytest.mark.parametrize("shape", [(12,), (2, 3, 12), (None, None, 12)], ids=["vector", "static", "free"])
@pytest.mark.parametrize("case", SPECTRA)
def test_spectra_need_no_complex_numbers(tfjs_node: TfjsNode, case: str, shape: Any) -> None:
    spec = tf.TensorSpec(shape, tf.float32, name="x")

    def function(x: Any) -> Any:
        found = SPECTRA[case](x)
        return found[1:] if isinstance(found, tuple) else found

    feed = {"x": RNG.normal(size=[2 if side is None else side for side in shape]).astype(np.float32)}
    _check(tfjs_node, converted(function, spec), feed, python_outputs(function, feed, spec))
