"""Numbers of ``keras.random`` and ``tf.random.Generator``: TF.js draws them itself, from the same distributions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.sources.v1_models import normal
from tfjs_magic import convert
from tfjs_magic.errors import UnsupportedModelError

X = np.zeros((100, 50), np.float32)


def _seeds() -> Any:
    return keras.random.SeedGenerator(7)


@pytest.mark.parametrize(
    ("draw", "mean", "deviation", "least", "most"),
    [
        pytest.param(lambda s, _: keras.random.normal((100, 50), 1.0, 2.0, seed=s), 1, 2, -20, 20, id="normal"),
        pytest.param(lambda s, _: keras.random.truncated_normal((100, 50), seed=s), 0, 0.88, -2, 2, id="truncated"),
        pytest.param(lambda s, _: keras.random.uniform((100, 50), 2, 4, seed=s), 3, 0.577, 2, 4, id="uniform"),
        pytest.param(lambda s, _: keras.random.randint((100, 50), 2, 5, seed=s), 3, 0.816, 2, 4, id="integers"),
        pytest.param(lambda s, _: keras.random.dropout(tf.ones((100, 50)), 0.5, seed=s), 1, 1, 0, 2, id="dropout"),
        pytest.param(lambda _, g: g.normal((100, 50)), 0, 1, -10, 10, id="tf-generator"),
    ],
)
def test_draws_from_the_same_distribution(
    tfjs_node: TfjsNode, *, draw: Callable[[Any, Any], Any], mean: float, deviation: float, least: float, most: float
) -> None:
    seeds, generator = _seeds(), tf.random.Generator.from_seed(1)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((100, 50), name="x")])  # type: ignore[untyped-decorator]
    def function(x: Any) -> Any:
        return x + tf.cast(draw(seeds, generator), tf.float32)

    model = convert(function)
    assert any("draws random numbers" in note for note in model.report.notes)
    for backend in BACKENDS:
        first, second = (one["output_0"] for one in tfjs_node.run_each(model, [{"x": X}, {"x": X}], backend))
        assert not np.array_equal(first, second)
        for got in (first, second):
            assert np.mean(got) == pytest.approx(mean, abs=0.1 * max(deviation, 1))
            assert np.std(got) == pytest.approx(deviation, rel=0.1)
            assert got.min() >= least
            assert got.max() <= most


def test_draws_of_one_key_are_one_draw(tfjs_node: TfjsNode) -> None:
    seeds = _seeds()

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((100, 50), name="x")])  # type: ignore[untyped-decorator]
    def function(x: Any) -> Any:
        seed = seeds.next()
        one, again, other = (tf.random.stateless_normal((100, 50), s) for s in (seed, seed, seeds.next()))
        return {"same": x + one - again, "other": x + one - other}

    for backend in BACKENDS:
        got = tfjs_node.run(convert(function), {"x": X}, backend)
        assert not got["same"].any()
        assert np.std(got["other"]) == pytest.approx(2**0.5, rel=0.1)


class _Sampling(keras.layers.Layer):
    def __init__(self) -> None:
        super().__init__(name="z")
        self.seeds = _seeds()

    def call(self, inputs: Any) -> Any:
        mean, log_variance = inputs
        noise = keras.random.normal(keras.ops.shape(mean), seed=self.seeds)
        return mean + keras.ops.exp(0.5 * log_variance) * noise


def test_an_autoencoder_draws_or_takes_its_noise(tfjs_node: TfjsNode) -> None:
    x = keras.Input((4,))
    mean, log_variance = (keras.layers.Dense(2, name=name)(x) for name in ("mean", "log_variance"))
    source = keras.Model(x, keras.layers.Dense(3, name="y")(_Sampling()([mean, log_variance])))
    source.set_weights([normal(*w.shape, seed=i) if w.ndim else w for i, w in enumerate(source.get_weights())])
    assert convert(source).report.ops["RandomStandardNormal"] == 1
    feeds = [{"z": normal(2, 2, seed=seed)} for seed in (1, 2)]
    model = convert(source, inputs={"z": None})
    for backend in BACKENDS:
        for feed, got in zip(feeds, tfjs_node.run_each(model, feeds, backend), strict=True):
            assert np.allclose(got["y"], source.get_layer("y")(feed["z"]), atol=1e-6)


def test_classes_are_refused() -> None:
    """TF.js draws the same for every row."""
    seeds = _seeds()
    drawn = lambda x: keras.random.categorical(x, 4, seed=seeds)  # noqa: E731
    with pytest.raises(UnsupportedModelError, match="draws random numbers with 'StatelessMultinomial'"):
        convert(tf.function(drawn, autograph=False, input_signature=[tf.TensorSpec((2, 3), name="x")]))


def test_what_tfjs_cannot_draw_becomes_an_input(tfjs_node: TfjsNode) -> None:
    seeds = _seeds()
    signature = [tf.TensorSpec((2,), name="x")]
    scaled = lambda x: x * keras.random.gamma((2,), 1.0, seed=seeds)  # noqa: E731
    function = tf.function(scaled, autograph=False, input_signature=signature)
    with pytest.raises(UnsupportedModelError, match=r"inputs=\{'.*': shape\}, or leave out") as caught:
        convert(function)
    assert "StatelessRandomGammaV3" in str(caught.value)
    node = caught.value.node
    assert node is not None
    model = convert(function, inputs={node: None})
    feed = {"x": np.float32([2, 3]), node: np.float32([5, 7])}
    for backend in BACKENDS:
        assert np.allclose(tfjs_node.run(model, feed, backend)["output_0"], [10, 21])
