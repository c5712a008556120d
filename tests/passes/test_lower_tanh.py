"""Tanh and Mish are made of what wasm computes four numbers at a time."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.traced import traced
from tfjs_magic import convert
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import lower_tanh, lowering, run_passes

PASSES = [lower_tanh.PASS]
X = tf.TensorSpec((None, 9), name="x")
FEEDS = [{"x": s * np.linspace(-9, 9, 18, dtype=np.float32).reshape(2, 9)} for s in (0.1, 1, 10)]


@pytest.fixture
def for_few_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowering, "_FEWEST_VALUES", 0)


@pytest.mark.usefixtures("for_few_values")
@pytest.mark.parametrize(
    ("function", "ops"),
    [
        pytest.param(tf.tanh, {"Abs", "AddV2", "ClipByValue", "Elu", "Mul", "RealDiv"}, id="tanh"),
        pytest.param(lambda x: tf.tanh(tf.nn.softplus(x)), {"AddV2", "Mul", "RealDiv", "Sigmoid", "Sub"}, id="mish"),
        pytest.param(lambda x: (tf.tanh(z := tf.nn.softplus(x)), z), {"Elu", "Softplus"}, id="softplus-is-used"),
        pytest.param(lambda x: (z := tf.tanh(x)) * z + tf.sin(x), {"Elu"}, id="used-twice"),
    ],
)
def test_lowers(tfjs_node: TfjsNode, function: Any, ops: set[str]) -> None:
    check_lowering(tfjs_node, PASSES, function, X, feeds=FEEDS)
    check_on_gpu(tfjs_node, function, X, feeds=FEEDS)
    graph = traced(function, X)
    run_passes(graph, PASSES)
    assert ops <= set(count_ops(graph))
    assert "Tanh" not in count_ops(graph)


@pytest.mark.usefixtures("for_few_values")
@pytest.mark.parametrize("name", ["tanh", "mish"])
def test_is_as_accurate_as_the_kernel(tfjs_node: TfjsNode, name: str) -> None:
    """Relative to each value, next to 0, too; and what is no number stays none."""
    rng = np.random.default_rng(0)
    small = 10.0 ** rng.uniform(-25, 1.2, 900) * rng.choice([-1, 1], 900)
    x = np.concatenate([np.linspace(-12, 12, 900), small, [0, -1e30, 1e30, np.inf, np.nan]]).astype(np.float32)
    wide = x.astype(np.float64)
    with np.errstate(invalid="ignore"):
        want = np.tanh(wide) if name == "tanh" else wide * np.tanh(np.logaddexp(0, wide))
    spec = keras.Input(batch_shape=(1, len(x)), name="x")
    web = convert(keras.Model(spec, keras.layers.Activation(name)(spec)), format="graph", target="wasm")
    assert "Tanh" not in web.report.ops
    (got,) = tfjs_node.run_each(web, [{"x": x[None]}], "wasm")
    np.testing.assert_allclose(got[web.outputs[0].name][0], want, rtol=6e-7)


@pytest.mark.usefixtures("for_few_values")
def test_is_right_in_a_loop(tfjs_node: TfjsNode) -> None:
    def function(x: Any) -> Any:
        step = lambda i, y: (i + 1, tf.tanh(y) + x)  # noqa: E731
        return tf.while_loop(lambda i, _: i < tf.cast(x[0, 0], tf.int32), step, (0, x))[1]

    spec = tf.TensorSpec((2, 9), name="x")
    feeds = [{"x": np.linspace(n, -1, 18, dtype=np.float32).reshape(2, 9)} for n in (2, 5)]
    check_lowering(tfjs_node, PASSES, function, spec, feeds=feeds)


@pytest.mark.parametrize(("rows", "applied"), [(128, 1), (127, 0)])
def test_counts_known_sizes(rows: int, applied: int) -> None:
    x = keras.Input((rows, 256), name="x")
    report = convert(keras.Model(x, keras.layers.Dense(256, "tanh")(x)), format="graph", target="wasm").report
    assert next(each.applied for each in report.passes if each.name == "lower_tanh") == applied
    assert report.ops["_FusedMatMul"] == 1


def test_its_numbers_keep_their_range() -> None:
    x = keras.Input((200, 200), name="x")
    model = keras.Model(x, keras.layers.Activation("tanh", name="act")(keras.layers.Rescaling(0.3)(x)))
    web = convert(model, format="graph", target="wasm", quantize={"float16": "**"})
    assert "Tanh" not in web.report.ops


def test_refuses_few_values() -> None:
    assert refusals(PASSES, tf.tanh, X, lacking=False) == {"there are few values"}


def test_leaves_other_numbers() -> None:
    spec = tf.TensorSpec((200, 200), tf.float64, "x")
    assert refusals(PASSES, tf.tanh, spec, lacking=False) == set()
