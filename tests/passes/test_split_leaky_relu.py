"""A leaky relu is two relus."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.models import randomised
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tfjs_magic import convert
from tfjs_magic.passes import lowering, split_leaky_relu

PASSES = [split_leaky_relu.PASS]
X = tf.TensorSpec((None, 9), name="x")


@pytest.fixture
def for_few_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowering, "_FEWEST_VALUES", 0)


@pytest.mark.usefixtures("for_few_values")
@pytest.mark.parametrize("slope", [0.2, 0.01, 1.0, 3.0])
def test_splits(tfjs_node: TfjsNode, slope: float) -> None:
    function = lambda x: tf.nn.leaky_relu(x, slope) + 1.0  # noqa: E731
    check_lowering(tfjs_node, PASSES, function, X)
    check_on_gpu(tfjs_node, function, X)


@pytest.mark.usefixtures("for_few_values")
def test_is_equal_to_the_bit(tfjs_node: TfjsNode) -> None:
    x = np.concatenate([np.random.default_rng(0).normal(size=999), [0, -1e38, np.inf, -np.inf, np.nan]])
    spec = keras.Input(batch_shape=(1, len(x)), name="x")
    model = keras.Model(spec, keras.layers.LeakyReLU(0.3)(spec))
    webs = [convert(model, format="graph", target=target) for target in ("wasm", "webgl")]
    assert [web.report.ops for web in webs] == [{"Mul": 1, "Relu": 2, "Sub": 1}, {"LeakyRelu": 1}]
    feed = {"x": x[None].astype(np.float32)}
    one, other = (tfjs_node.run_each(web, [feed], "wasm")[0][web.outputs[0].name] for web in webs)
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("side", "ops"), [(64, {"Relu": 2}), (63, {})])
def test_convolution_keeps_its_bias(tfjs_node: TfjsNode, side: int, ops: dict[str, int]) -> None:
    x = keras.Input((side, side, 2), name="x")
    layers = keras.layers.Conv2D(8, 3, padding="same"), keras.layers.BatchNormalization(), keras.layers.LeakyReLU(0.1)
    model = randomised(keras.Model(x, keras.Sequential(layers)(x)))
    web = convert(model, format="graph", target="wasm")
    assert web.report.ops == {"_FusedConv2D": 1, **({"Mul": 1, "Sub": 1} if ops else {}), **ops}
    advice = convert(model, format="graph").report.advice
    assert any("split_leaky_relu (1)" in each for each in advice) == bool(ops)
    feed = {"x": np.random.default_rng(0).normal(size=(1, side, side, 2)).astype(np.float32)}
    for backend in ("cpu", "wasm"):
        (got,) = tfjs_node.run_each(web, [feed], backend)
        want = np.asarray(model(feed["x"]))
        assert np.abs(got[web.outputs[0].name] - want).max() < 1e-5 * np.abs(want).max()


@pytest.mark.usefixtures("for_few_values")
@pytest.mark.parametrize("slope", [0.0, -0.2])
def test_refuses_other_slopes(slope: float) -> None:
    function = lambda x: tf.raw_ops.LeakyRelu(features=x, alpha=slope)  # noqa: E731
    assert refusals(PASSES, function, X, lacking=False) == {"the slope is not positive"}


def test_refuses_few_values() -> None:
    assert refusals(PASSES, tf.nn.leaky_relu, X, lacking=False) == {"there are few values"}


def test_leaves_other_numbers() -> None:
    spec = tf.TensorSpec((200, 200), tf.float64, "x")
    assert refusals(PASSES, tf.nn.leaky_relu, spec, lacking=False) == set()
