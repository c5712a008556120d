"""GELU is a product with a sigmoid of a polynomial."""

from __future__ import annotations

import math
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
from tfjs_magic.passes import PIPELINE, lower_arithmetic, lower_erf_gelu, lowering, run_passes
from tfjs_magic.passes.lower_erf_gelu import _QUADRATICS, _SCALE

PASSES = [lower_erf_gelu.PASS]
X = tf.TensorSpec((None, 9), name="x")
FEEDS = [{"x": s * np.linspace(-9, 9, 18, dtype=np.float32).reshape(2, 9)} for s in (0.5, 1, 1e4)]
ROOT = math.sqrt(0.5)
EACH = np.linspace(0.5, 2, 9, dtype=np.float32)


@pytest.fixture
def for_few_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowering, "_FEWEST_VALUES", 0)


def test_polynomial_is_that_of_gelu() -> None:
    """In float64; beyond 5.7, too, where it has no bounds to keep to but those of a probability."""
    for z in np.linspace(-40, 40, 8001):
        y = _SCALE * z
        h = y * math.prod((y * y + b) ** 2 + e for b, e in _QUADRATICS)
        got = z / (1 + math.exp(-h)) if h > -700 else 0
        assert abs(got - z * math.erfc(-z * ROOT) / 2) < 7e-8
    assert min(e for _, e in _QUADRATICS) > 0


@pytest.mark.usefixtures("for_few_values")
@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: 0.5 * x * (1.0 + tf.math.erf(x * ROOT)), id="gelu"),
        pytest.param(lambda x: (tf.math.erf(x / math.sqrt(2)) + 1.0) * x * 0.5, id="half-behind"),
        pytest.param(lambda x: (0.5 * (tf.math.erf(ROOT * x) + 1.0)) * x, id="half-of-the-probability"),
        pytest.param(lambda x: 0.5 * x * (1.0 - tf.math.erf(-x * ROOT)), id="subtracted"),
        pytest.param(lambda x: x * (1.0 + tf.math.erf(x * ROOT)), id="no-half"),
        pytest.param(lambda x: x * (1.0 - tf.math.erf(x * ROOT)), id="mirrored"),
        pytest.param(lambda x: x * (1.0 + tf.math.erf(x)), id="no-root"),
        pytest.param(lambda x: 0.25 * x * 0.5 * (1.0 + tf.math.erf(x * ROOT)) * 0.5, id="an-eighth"),
        pytest.param(lambda x: (y := EACH * x) * (1.0 + tf.math.erf(y * ROOT)) * 0.5, id="a-scale-before"),
        pytest.param(lambda x: EACH * x * (1.0 + tf.math.erf(x * EACH[::-1])) * 0.5, id="a-factor-each"),
        pytest.param(lambda x: 0.5 * x * (1.0 + tf.math.erf(tf.raw_ops.RealDiv(x=x, y=3.0))), id="quotient"),
        pytest.param(lambda x: (0.5 * x * (1.0 + tf.math.erf(u := x * ROOT)), 0.5 * x, u), id="others-before"),
        pytest.param(lambda x: ((y := x * (1.0 + tf.math.erf(x * ROOT))) * 0.5, y), id="others-behind"),
    ],
)
def test_lowers(tfjs_node: TfjsNode, function: Any) -> None:
    check_lowering(tfjs_node, PASSES, function, X, feeds=FEEDS)
    check_on_gpu(tfjs_node, function, X, feeds=FEEDS)


@pytest.mark.usefixtures("for_few_values")
def test_keras_gelu(tfjs_node: TfjsNode) -> None:
    function = lambda x: keras.ops.gelu(x, approximate=False)  # noqa: E731
    check_lowering(tfjs_node, [*PASSES, lower_arithmetic.PASS], function, X, after=[lower_arithmetic.PASS], feeds=FEEDS)
    check_on_gpu(tfjs_node, function, X, feeds=FEEDS)
    graph = traced(function, X)
    for group in PIPELINE.values():
        run_passes(graph, group)
    assert count_ops(graph) == {"Mul": 5, "AddV2": 3, "SquaredDifference": 3, "Sigmoid": 1, "Square": 1}


@pytest.mark.usefixtures("for_few_values")
@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: x * (1.0 + tf.math.erf(x * ROOT)) * 0.5, id="behind"),
        pytest.param(lambda x: x * ((1.0 + tf.math.erf(x * ROOT)) * 0.5), id="of-the-probability"),
        pytest.param(lambda x: x * 0.5 * (1.0 + tf.math.erf(x * ROOT)), id="before"),
    ],
)
def test_the_half_goes(function: Any) -> None:
    graph = traced(function, X)
    run_passes(graph, PASSES)
    assert count_ops(graph)["Mul"] == 5


@pytest.mark.usefixtures("for_few_values")
def test_large_numbers_and_none(tfjs_node: TfjsNode) -> None:
    x = np.array([0, -0.0, 1e-30, -1e-30, 50, -50, 1e4, -1e4, 1e30, -1e30, 3e38, -3e38, np.inf, np.nan], np.float32)
    want = [0, 0, 5e-31, -5e-31, 50, 0, 1e4, 0, 1e30, 0, 3e38, 0, np.inf, np.nan]
    spec = keras.Input(batch_shape=(1, len(x)), name="x")
    web = convert(keras.Model(spec, keras.ops.gelu(spec, approximate=False)), format="graph", target="wasm")
    assert web.report.ops["Sigmoid"] == 1
    for backend in ("cpu", "wasm"):
        (got,) = tfjs_node.run_each(web, [{"x": x[None]}], backend)
        np.testing.assert_allclose(got[web.outputs[0].name][0], want, rtol=1e-6)


@pytest.mark.parametrize(("rows", "applied"), [(128, 1), (127, 0)])
def test_counts_known_sizes(rows: int, applied: int) -> None:
    x = keras.Input((rows, 256), name="x")
    model = keras.Model(x, keras.layers.Dense(2)(keras.layers.Dense(256, "gelu")(x)))
    report = convert(model, format="graph", target="wasm").report
    found = next(each for each in report.passes if each.name == "lower_erf_gelu")
    assert (found.applied, set(found.misses)) == (applied, set() if applied else {"there are few values"})
    assert report.ops["_FusedMatMul"] == 2
    assert any("lower_erf_gelu" in each for each in convert(model, format="graph").report.advice) == (applied == 1)


@pytest.mark.usefixtures("for_few_values")
@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: (0.5 * x * (1.0 + (z := tf.math.erf(ROOT * x))), z), id="erf"),
        pytest.param(lambda x: (0.5 * x * (z := 1.0 + tf.math.erf(ROOT * x)), z), id="sum"),
        pytest.param(lambda x: (x * (0.5 * (z := 1.0 + tf.math.erf(ROOT * x))), z), id="half"),
    ],
)
def test_refuses_what_others_use(function: Any) -> None:
    assert refusals(PASSES, function, X, lacking=False) == {"something else uses what is between"}


def test_refuses_few_values() -> None:
    function = lambda x: 0.5 * x * (1.0 + tf.math.erf(ROOT * x))  # noqa: E731
    assert refusals(PASSES, function, X, lacking=False) == {"there are few values"}


@pytest.mark.usefixtures("for_few_values")
@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: 0.5 * x * (2.0 + tf.math.erf(ROOT * x)), id="two"),
        pytest.param(lambda x: 0.5 * x * (tf.math.erf(ROOT * x) - 1.0), id="less-one"),
        pytest.param(lambda x: 0.5 * tf.sin(x) * (1.0 + tf.math.erf(ROOT * x)), id="of-something-else"),
        pytest.param(lambda x: 0.5 * x * (1.0 + tf.math.erf(ROOT + x)), id="moved"),
        pytest.param(lambda x: 0.5 * x * (1.0 + tf.sin(ROOT * x)), id="sine"),
        pytest.param(lambda x: x * tf.math.erf(x), id="erf"),
        pytest.param(lambda x: x * (1.0 + tf.math.erf(x * (EACH - EACH[0]))), id="zero"),
        pytest.param(lambda x: x * (1.0 + tf.math.erf(x * np.float32(np.inf))), id="infinite"),
    ],
)
def test_leaves(function: Any) -> None:
    assert refusals(PASSES, function, X, lacking=False) == set()


@pytest.mark.usefixtures("for_few_values")
def test_leaves_other_numbers() -> None:
    spec = tf.TensorSpec((3,), tf.float64, "x")
    assert refusals(PASSES, lambda x: x * (1.0 + tf.math.erf(x)), spec, lacking=False) == set()
