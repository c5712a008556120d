"""Einsum becomes a matrix product: wasm has no Einsum."""

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
from tests.passes.checks import check_lowering, refusals
from tests.traced import traced
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import lower_einsum, run_passes
from tfjs_magic.pipeline import convert

SIZES = {"a": 2, "b": 3, "c": 4, "d": 5, "e": 6}
#: Equation → the op that does the work, besides Transpose, Reshape and Sum.
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


def _einsum(equation: str) -> Any:
    return lambda *xs: tf.raw_ops.Einsum(inputs=list(xs), equation=equation)


def _specs(*shapes: Any, dtype: Any = tf.float32) -> list[tf.TensorSpec]:
    return [tf.TensorSpec(shape, dtype, name=f"x{i}") for i, shape in enumerate(shapes)]


def _operands(equation: str, free: str = "") -> list[tf.TensorSpec]:
    operands = equation.partition("->")[0].split(",")
    return _specs(*([None if x == free else SIZES[x] for x in labels] for labels in operands))


@pytest.mark.parametrize("free", ["", "a"], ids=["static", "free-batch"])
@pytest.mark.parametrize("equation", EQUATIONS)
def test_lowers(tfjs_node: TfjsNode, equation: str, free: str) -> None:
    check_lowering(tfjs_node, [lower_einsum.PASS], _einsum(equation), *_operands(equation, free))


@pytest.mark.parametrize("equation", EQUATIONS)
def test_takes_the_product_that_fits(equation: str) -> None:
    graph = traced(_einsum(equation), *_operands(equation))
    run_passes(graph, [lower_einsum.PASS])
    assert set(count_ops(graph)) - {"Identity", "Transpose", "Reshape", "Sum"} == {EQUATIONS[equation]}


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
def test_sizes_unknown_ellipses_and_one_operand(tfjs_node: TfjsNode, equation: str, shapes: Any) -> None:
    specs = _specs(*shapes)
    feeds = [
        {s.name: np.random.default_rng([seed, *s.name.encode()]).normal(size=[x or 3 for x in s.shape]) for s in specs}
        for seed in (1, 2)
    ]
    feeds = [{name: value.astype(np.float32) for name, value in feed.items()} for feed in feeds]
    check_lowering(tfjs_node, [lower_einsum.PASS], _einsum(equation), *specs, feeds=feeds)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_attention_runs_on_wasm(tfjs_node: TfjsNode, dtype: str) -> None:
    x = keras.Input((6, 8), name="x", dtype=dtype)
    y = keras.layers.MultiHeadAttention(2, 4, dtype=dtype)(x, x, use_causal_mask=True)
    y = keras.layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 3), bias_axes="de", dtype=dtype)(y)
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
    ("equation", "specs", "reason"),
    [
        ("aab->ab", _specs((2, 2, 3)), "an operand has a label twice"),
        ("aab,bc->ac", _specs((2, 2, 3), (3, 4)), "an operand has a label twice"),
        ("...b,...b->...b", _specs((2, 3), (1, 3)), "an axis of size 1 is broadcast"),
        ("ab,bc->ac", _specs(None, (3, 4)), "the rank of an operand is unknown, or the output has no labels"),
        ("ab,bc->ac", _specs((2, 3), (3, 4), dtype=tf.int32), "it multiplies int32 values"),
    ],
)
def test_refuses(equation: str, specs: Any, reason: str) -> None:
    assert refusals([lower_einsum.PASS], _einsum(equation), *specs) == {reason}


def test_refuses_more_axes_than_there_are_letters() -> None:
    reasons = refusals([lower_einsum.PASS], _einsum("...a->a..."), *_specs([1] * 60))
    assert reasons == {"it needs more labels than there are letters"}
