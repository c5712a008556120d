"""The search lets biases take up what codes add to the mean of each channel, where a bias is that channel's alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.passes.operands import random_array
from tests.traced import converted
from tfjs_magic import convert
from tfjs_magic.artifacts import Array
from tfjs_magic.options import AutoQuantize
from tfjs_magic.quantization.runner import runner

X = tf.TensorSpec((None, 6), name="x")
SAMPLES = np.random.default_rng(0).gamma(1.0, size=(50, 6)).astype(np.float32)
W, V, BIAS = random_array("w", 6, 8), random_array("v", 8, 8), random_array("b", 8)


def _pairs(function: Any, spec: tf.TensorSpec = X) -> dict[str, str]:
    return dict(runner(converted(function, spec)).biases)


def _dense(x: Any) -> Any:
    return tf.nn.relu(tf.nn.bias_add(x @ W, BIAS))


def test_a_bias_belongs_to_the_kernel_before_it() -> None:
    assert len(_pairs(lambda x: tf.nn.bias_add(_dense(x) @ V, random_array("c", 8)))) == 2
    image = tf.TensorSpec((None, 5, 5, 3), name="x")
    kernel = random_array("k", 2, 2, 3, 2)
    depthwise = lambda x: tf.nn.relu6(tf.nn.depthwise_conv2d(x, kernel, (1, 1, 1, 1), "SAME") + random_array("d", 6))  # noqa: E731
    assert len(_pairs(depthwise, image)) == 1


def _bias_of_two(x: Any) -> Any:
    bias = tf.constant(BIAS)
    return tf.nn.relu(x @ W + bias) @ V + bias


def _kernel_of_two(x: Any) -> Any:
    kernel = tf.constant(V)
    return tf.nn.relu(_dense(x) @ kernel + random_array("c", 8)) @ kernel


def _product_of_two(x: Any) -> Any:
    product = x @ W
    return tf.nn.relu(product + BIAS) * tf.nn.tanh(product)


def _product_and_output(x: Any) -> Any:
    product = x @ W
    return product, tf.nn.relu(product + BIAS)


@pytest.mark.parametrize(
    ("function", "count"),
    [
        pytest.param(_bias_of_two, 0, id="bias-of-two"),
        pytest.param(_kernel_of_two, 1, id="kernel-of-two"),
        pytest.param(_product_of_two, 0, id="product-with-another-consumer"),
        pytest.param(_product_and_output, 0, id="product-that-is-an-output"),
        pytest.param(lambda x: tf.nn.relu(x @ W), 0, id="none"),
    ],
)
def test_a_bias_that_is_not_the_channels_own_stays(function: Any, count: int) -> None:
    assert len(_pairs(function)) == count


def _model(activation: str | None) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,), name="x"), keras.layers.Dense(8), keras.layers.Dense(5)])
    model.layers[0].activation = keras.activations.get(activation)
    for layer in model.layers:
        layer.set_weights([random_array(weight.name, *weight.shape) for weight in layer.weights])
    return model


def _outputs(web: Any, samples: Array) -> Array:
    return runner(web)({}, {web.inputs[0].name: samples})[0]


def test_the_means_of_the_outputs_are_those_of_float32() -> None:
    """Of a linear model, on the samples: to the bits of float32."""
    model = _model(None)
    want = _outputs(convert(model, format="graph"), SAMPLES).mean(0)
    auto = AutoQuantize(samples=SAMPLES, max_error=0.05, held_back=0)
    exact, found = (convert(model, format="graph", quantize=quantize) for quantize in (None, auto))
    plain = convert(model, format="graph", quantize={"uint8": "kernel"})
    assert {row.dtype for row in found.report.weights if row.name.endswith("kernel")} == {"uint8"}
    assert "biases take up" in found.report.notes[-1]
    changed = [
        name for name in exact.weights if name.endswith("bias") and (exact.weights[name] != found.weights[name]).any()
    ]
    assert len(changed) == 2
    size = np.abs(want).max()
    assert np.abs(_outputs(found, SAMPLES).mean(0) - want).max() < 1e-5 * size
    assert np.abs(_outputs(plain, SAMPLES).mean(0) - want).max() > 1e-4 * size


def test_a_bias_is_corrected_only_where_the_outputs_have_less_error() -> None:
    """Behind a tanh that saturates, or with samples of mean zero, a shift may help nobody."""
    model = _model("tanh")
    exact = convert(model, format="graph")
    want = _outputs(exact, SAMPLES)
    found = convert(model, format="graph", quantize=AutoQuantize(samples=SAMPLES, max_error=0.5, held_back=0))
    without = {name: found.weights[name] for name in found.weights if not name.endswith("bias")}
    kept = runner(exact)(without, {exact.inputs[0].name: SAMPLES})[0]
    assert np.linalg.norm(_outputs(found, SAMPLES) - want) <= np.linalg.norm(kept - want) * 1.05


def test_plain_quantization_and_layers_models_keep_their_biases() -> None:
    model = _model("relu")
    auto = AutoQuantize(samples=SAMPLES, max_error=0.05)
    for form, quantize in (("graph", "uint8"), ("layers", "uint8"), ("layers", auto)):
        exact, found = (convert(model, format=form, quantize=how).weights for how in (None, quantize))  # type: ignore[arg-type]
        assert all(np.array_equal(exact[name], found[name]) for name in exact if name.endswith("bias"))
