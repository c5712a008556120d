"""Channels are scaled against each other: the same bits come out and uint8 loses less, or nothing happens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS, run_tensorflow
from tests.passes.checks import draw_feed
from tests.traced import traced
from tfjs_magic import convert
from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Graph
from tfjs_magic.passes import PIPELINE, run_passes
from tfjs_magic.quantization.equalize import equalize

X = tf.TensorSpec((2, 6, 6, 3), name="x")


def _kernel(*shape: int, into: int | None = None, out: int | None = None, seed: int = 0) -> Array:
    """Return a kernel whose channels along the axes ``into`` and ``out`` differ a thousandfold in size."""
    generator = np.random.default_rng(seed)
    kernel = generator.normal(size=shape)
    for axis, sign in ((into, -1), (out, 1)):
        if axis is not None:
            sizes = 10.0 ** (sign * np.linspace(-1.5, 1.5, shape[axis]))
            kernel = kernel * sizes.reshape([-1 if i == axis % len(shape) else 1 for i in range(len(shape))])
    return kernel.astype(np.float32)


def _conv(x: Any, out: int | None = None, into: int | None = None, *, channels: tuple[int, int] = (3, 8)) -> Any:
    return tf.nn.conv2d(x, _kernel(2, 2, *channels, out=out, into=into), 1, "SAME")


def _first(x: Any) -> Any:
    return tf.nn.bias_add(_conv(x, out=3), _kernel(8, seed=1))


def _second(x: Any) -> Any:
    return _conv(x, into=2, channels=(8, 4))


def _before_fusion(function: Any, spec: tf.TensorSpec = X) -> Graph:
    graph = traced(function, spec)
    for name, members in PIPELINE.items():
        if name == "split activations":
            return graph
        run_passes(graph, members)
    raise AssertionError


def _equalize(function: Any, spec: tf.TensorSpec = X) -> int:
    """Equalise, and assert that the very same bits come out."""
    graph = _before_fusion(function, spec)
    feeds = [draw_feed(graph, seed) for seed in (1, 2)]
    before = run_tensorflow(graph, feeds)
    count = equalize(graph, lambda _, data: data.ndim > 1)
    graph.check()
    for want, have in zip(before, run_tensorflow(graph, feeds), strict=True):
        for name in want:
            assert np.array_equal(want[name], have[name])
            assert np.abs(want[name]).max() > 0
    return count


def _depthwise_chain(x: Any) -> Any:
    x = tf.nn.relu(_first(x))
    x = tf.nn.depthwise_conv2d(x, _kernel(3, 3, 8, 1, into=2), (1, 2, 2, 1), "SAME")
    x = tf.nn.leaky_relu(tf.nn.bias_add(x, _kernel(8, seed=2)), 0.1)
    return _conv(x, into=2, channels=(8, 4))


@pytest.mark.parametrize(
    ("function", "count"),
    [
        pytest.param(lambda x: _second(tf.nn.relu(_first(x))), 1, id="relu"),
        pytest.param(lambda x: _second(_first(x)), 1, id="linear"),
        pytest.param(lambda x: _second(_conv(x, out=3)), 1, id="no-bias"),
        pytest.param(lambda x: _second(tf.nn.leaky_relu(_first(x), 0.3)), 1, id="leaky-relu"),
        pytest.param(lambda x: _second(tf.nn.max_pool2d(tf.nn.relu(_first(x)), 2, 2, "SAME")), 1, id="max-pool"),
        pytest.param(lambda x: _second(tf.nn.avg_pool2d(_first(x), 2, 2, "SAME")), 1, id="avg-pool"),
        pytest.param(
            lambda x: tf.reduce_mean(tf.nn.relu(_first(x)), (1, 2)) @ _kernel(8, 5, into=0), 1, id="global-pool-matrix"
        ),
        pytest.param(_depthwise_chain, 2, id="depthwise-chain"),
        pytest.param(
            lambda x: _second(tf.nn.relu(tf.nn.depthwise_conv2d(_conv(x, channels=(3, 4)), _kernel(2, 2, 4, 2, out=2),
                                                                (1, 1, 1, 1), "VALID"))),
            1,
            id="depth-multiplier",
        ),
        pytest.param(
            lambda x: tf.matmul(
                tf.nn.relu(tf.matmul(tf.reshape(x, (-1, 3)), _kernel(8, 3, out=0), transpose_b=True)),
                _kernel(5, 8, into=1),
                transpose_b=True,
            ),
            1,
            id="matrices-transposed",
        ),
        pytest.param(
            lambda x: tf.nn.conv2d_transpose(
                tf.nn.relu(tf.nn.conv2d_transpose(x, _kernel(3, 3, 8, 3, out=2), (2, 6, 6, 8), 1)),
                _kernel(3, 3, 4, 8, into=3),
                (2, 6, 6, 4),
                1,
            ),
            1,
            id="convolutions-transposed",
        ),
    ],
)  # fmt: skip
def test_the_same_bits_come_out(function: Any, count: int) -> None:
    assert _equalize(function) == count


def _pads(x: Any) -> Any:
    return tf.pad(_first(x), [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=1.0)


def _gives_what_is_between(x: Any) -> Any:
    between = tf.nn.relu(_first(x))
    return _second(between), between


def _uses_the_activation_twice(x: Any) -> Any:
    between = tf.nn.relu(_first(x))
    return _second(between) + tf.reduce_max(between)


def _uses_the_sum_twice(x: Any) -> Any:
    between = _first(x)
    return _second(tf.nn.relu(between)) + tf.reduce_max(between)


def _uses_weights_twice(x: Any) -> Any:
    kernel = tf.constant(_kernel(8, 8, out=1, into=0))
    return tf.nn.relu(tf.reshape(x, (-1, 8)) @ kernel) @ kernel


def _uses_a_bias_twice(x: Any) -> Any:
    bias = tf.constant(_kernel(8, seed=1))
    return _second(tf.nn.relu(_conv(x, out=3) + bias)) + tf.reduce_max(bias + tf.reduce_max(x))


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: _second(tf.nn.relu6(_first(x))), id="relu6"),
        pytest.param(lambda x: _second(tf.sigmoid(_first(x))), id="sigmoid"),
        pytest.param(lambda x: _second(tf.nn.elu(_first(x))), id="elu"),
        pytest.param(lambda x: _second(tf.nn.relu(_first(x)) + tf.reduce_max(x)), id="an-offset-behind"),
        pytest.param(lambda x: _second(_conv(x, out=3) + tf.reduce_max(x)), id="a-computed-bias"),
        pytest.param(lambda x: _second(_pads(x)), id="padding-with-ones"),
        pytest.param(_gives_what_is_between, id="an-output-between"),
        pytest.param(_uses_the_activation_twice, id="a-second-consumer"),
        pytest.param(_uses_the_sum_twice, id="a-second-consumer-of-the-sum"),
        pytest.param(_uses_weights_twice, id="shared-weights"),
        pytest.param(_uses_a_bias_twice, id="shared-bias"),
        pytest.param(lambda x: tf.reshape(_first(x), (2, -1)) @ _kernel(288, 5, into=0), id="flattened"),
        pytest.param(
            lambda x: tf.matmul(tf.reshape(_first(x), (-1, 8)), _kernel(72, 5, into=0), transpose_a=True),
            id="transposed-data",
        ),
    ],
)
def test_what_is_not_exact_is_left(function: Any) -> None:
    assert _equalize(function) == 0


def test_what_gains_little_is_left() -> None:
    assert _equalize(lambda x: _conv(tf.nn.relu(_conv(x)), channels=(8, 4))) == 0


def test_channels_that_are_mostly_their_bias_are_left() -> None:
    """To scale up what the kernel makes little of scales its bias, too, and with it the noise of the next kernel."""
    bias = np.full(8, 30, np.float32)
    assert _equalize(lambda x: _conv(tf.nn.relu(_conv(x, out=3)), channels=(8, 4))) == 1
    assert _equalize(lambda x: _conv(tf.nn.relu(tf.nn.bias_add(_conv(x, out=3), bias)), channels=(8, 4))) == 0


@pytest.mark.parametrize("size", [3e38, 1e-37])
def test_what_would_leave_the_range_of_float32_is_left(size: float) -> None:
    first = np.full((3, 8), size, np.float32)
    first[:, 0] = 1
    second = np.where(np.arange(8)[:, None] == 0, 1, np.float32(size)) * np.ones((8, 4), np.float32)
    graph = _before_fusion(lambda x: tf.matmul(x, first) @ second, tf.TensorSpec((2, 3), name="x"))
    equalize(graph, lambda _, data: data.ndim > 1)
    assert all(np.isfinite(node.value).all() and node.value.all() for node in graph if node.value is not None)


def _model(activation: str) -> Any:
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, 3, padding="same", activation=activation),
            layers.DepthwiseConv2D(3, padding="same", activation=activation),
            layers.Conv2D(6, 1),
        ]
    )
    keras.utils.set_random_seed(0)
    for layer, axes in zip(model.layers, ({"out": 3}, {"into": 2}, {}), strict=True):
        shapes = [weight.shape for weight in layer.get_weights()]
        layer.set_weights([_kernel(*shapes[0], **axes), _kernel(*shapes[1], seed=1)])
    return model


def test_uint8_loses_less_and_float32_nothing_in_tfjs(tfjs_node: TfjsNode) -> None:
    """Also the way back from codes to values is the same in Python and in TF.js."""
    model = _model("relu")
    x = {convert(model).inputs[0].name: np.random.default_rng(2).normal(size=(2, 8, 8, 3)).astype(np.float32)}
    exact = convert(model, format="graph")
    official = convert(model, format="graph", quantize="uint8", official_codes=True)
    ours = convert(model, format="graph", quantize={"uint8": "kernel"})
    assert "scaled against each other" in " ".join(ours.report.notes)
    assert "scaled against each other" not in " ".join([*official.report.notes, *exact.report.notes])
    assert [bool(layer.tensor) for layer in exact.layers] == [True, True, True]
    assert [bool(layer.tensor) for layer in ours.layers] == [False, True, True], "its values are others now"
    for backend in BACKENDS:
        (want,), (coarse,), (have,) = (tfjs_node.run(web, x, backend).values() for web in (exact, official, ours))
        error, official_error = (float(np.linalg.norm(y - want) / np.linalg.norm(want)) for y in (have, coarse))
        assert error < 0.2 * official_error


def test_layers_that_are_not_equalised_can_still_be_found() -> None:
    kept = convert(_model("relu6"), format="graph", quantize="uint8")
    assert all(layer.tensor for layer in kept.layers)


def test_a_layers_model_keeps_its_weights() -> None:
    """They are trained further, and go back into the model that they came from."""
    web = convert(_model("relu"), format="layers", quantize="uint8")
    assert "scaled" not in " ".join(web.report.notes)
