"""Einsum becomes a matrix product, in real TF.js on cpu and wasm, which has no Einsum."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.models import keras_outputs, randomised, samples_of
from tests.traced import converted, python_outputs, traced
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import PIPELINE, run_passes
from tfjs_magic.pipeline import convert

SIZES = {"a": 2, "b": 3, "c": 4, "d": 5, "e": 6}
#: Equation → the ops that do the work, besides Transpose, Reshape and Sum.
EQUATIONS = {
    "ab,bc->ac": "MatMul",
    "ab,cb->ac": "MatMul",
    "ba,bc->ca": "MatMul",
    "abc,cd->abd": "MatMul",
    "abc,cde->abde": "MatMul",
    "abcd,cde->abe": "MatMul",
    "abc,dbc->da": "MatMul",
    "a,b->ab": "MatMul",
    "ab,ab->": "MatMul",
    "ab,b->a": "MatMul",
    "ab,bc->c": "MatMul",
    "dab,bcae->ca": "BatchMatMulV2",
    "abc,cd->": "MatMul",
    "abc,acd->abd": "BatchMatMulV2",
    "abcd,aecd->acbe": "BatchMatMulV2",
    "acbe,aecd->abcd": "BatchMatMulV2",
    "ab,ab->a": "BatchMatMulV2",
    "ab,ab->ab": "BatchMatMulV2",
    "abc,ab->acb": "BatchMatMulV2",
    "abcd,abce->adeb": "BatchMatMulV2",
    "abc,bad->bcad": "BatchMatMulV2",
}


def _spec(labels: str, name: str, free: str = "") -> tf.TensorSpec:
    return tf.TensorSpec([None if x == free else SIZES[x] for x in labels], tf.float32, name=name)


def _feed(*labels: str, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {f"x{i}": rng.normal(size=[SIZES[x] for x in one]).astype(np.float32) for i, one in enumerate(labels)}


@pytest.mark.parametrize("free", ["", "a"], ids=["static", "free-batch"])
@pytest.mark.parametrize("equation", EQUATIONS)
def test_matches_tensorflow(tfjs_node: TfjsNode, equation: str, free: str) -> None:
    first, second = equation.partition("->")[0].split(",")
    specs = (_spec(first, "x0", free), _spec(second, "x1", free))

    def function(x: Any, y: Any) -> Any:
        return tf.raw_ops.Einsum(inputs=[x, y], equation=equation), x * 2.0, tf.reduce_sum(y)

    model = converted(function, *specs)
    assert "Einsum" not in model.report.ops
    feeds = [_feed(first, second, seed=seed) for seed in range(2)]
    references = [python_outputs(function, feed, *specs) for feed in feeds]
    for backend in BACKENDS:
        for got, want in zip(tfjs_node.run_each(model, feeds, backend), references, strict=True):
            assert_matches(got, want)


@pytest.mark.parametrize("equation", EQUATIONS)
def test_takes_the_product_that_fits(equation: str) -> None:
    first, second = equation.partition("->")[0].split(",")
    graph = traced(
        lambda x, y: tf.raw_ops.Einsum(inputs=[x, y], equation=equation), _spec(first, "x0"), _spec(second, "x1")
    )
    run_passes(graph, PIPELINE["lower ops"])
    assert set(count_ops(graph)) - {"Transpose", "Reshape", "Sum"} <= {EQUATIONS[equation]}


def test_attention_runs_on_wasm(tfjs_node: TfjsNode) -> None:
    x = keras.Input((6, 8), name="x")
    y = keras.layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)
    y = keras.layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 3), bias_axes="de")(y)
    model = randomised(keras.Model(x, y))
    web = convert(model, format="graph")
    assert "Einsum" not in web.report.ops
    assert web.report.backends["wasm"] == ()
    feeds = [samples_of(web.inputs, seed) for seed in range(2)]
    references = [keras_outputs(model, feed) for feed in feeds]
    assert_telling(*references)
    for backend in BACKENDS:
        for got, reference in zip(tfjs_node.run_each(web, feeds, backend), references, strict=True):
            assert_matches(got, reference)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("abc,cde->abde", [(None, None, 4), (4, 5, 6)]),
        ("abcd,aecd->acbe", [(None, None, 4, 5), (None, None, 4, 5)]),
        ("...b,bc->...c", [(2, 3, 4), (4, 5)]),
        ("a...b,a...b->...ab", [(None, 3, 4), (None, 3, 4)]),
        ("b...,cb->c...", [(3, 2, 2), (4, 3)]),
        ("abc->cab", [(2, None, 4)]),
        ("abc->b", [(2, 3, None)]),
        ("...ab->b...", [(2, 3, 4)]),
    ],
)
def test_sizes_unknown_ellipses_and_one_operand(
    tfjs_node: TfjsNode, equation: str, shapes: list[tuple[int | None, ...]]
) -> None:
    specs = [tf.TensorSpec(shape, tf.float32, name=f"x{i}") for i, shape in enumerate(shapes)]
    rng = np.random.default_rng(2)
    feed = {
        s.name: rng.normal(size=[3 if side is None else side for side in s.shape]).astype(np.float32) for s in specs
    }

    def function(*xs: Any) -> Any:
        return tf.raw_ops.Einsum(inputs=list(xs), equation=equation)

    model = converted(function, *specs)
    assert "Einsum" not in model.report.ops
    for backend in BACKENDS:
        assert_matches(tfjs_node.run(model, feed, backend), python_outputs(function, feed, *specs))


@pytest.mark.parametrize(
    ("equation", "specs", "reason"),
    [
        ("aab->ab", [tf.TensorSpec((2, 2, 3), name="x0")], "a label twice"),
        ("...b,...b->...b", [tf.TensorSpec((2, 3), name="x0"), tf.TensorSpec((1, 3), name="x1")], "is broadcast"),
        ("aab,bc->ac", [tf.TensorSpec((2, 2, 3), name="x0"), _spec("bc", "x1")], "a label twice"),
        ("ab,bc->ac", [tf.TensorSpec(None, name="x0"), _spec("bc", "x1")], "the rank of an operand"),
        (
            "ab,bc->ac",
            [tf.TensorSpec((2, 3), tf.int32, name="x0"), tf.TensorSpec((3, 4), tf.int32, name="x1")],
            "int32",
        ),
    ],
)
def test_what_stays_says_why(equation: str, specs: list[tf.TensorSpec], reason: str) -> None:
    graph = traced(lambda *xs: tf.raw_ops.Einsum(inputs=list(xs), equation=equation), *specs)
    reports = run_passes(graph, PIPELINE["lower ops"])
    assert any(reason in miss for report in reports for miss in report.misses)
    assert "Einsum" in count_ops(graph)
