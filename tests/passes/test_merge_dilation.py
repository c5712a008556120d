"""Rows that are moved into the batch and back become a dilation."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import GPU_BACKENDS, TfjsNode
from tests.models import keras_outputs, randomised, samples_of
from tests.passes.checks import check_lowering, check_on_gpu, misses
from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic import convert
from tfjs_magic.ops.check import count_ops
from tfjs_magic.passes import PIPELINE, fold_constants, merge_dilation
from tfjs_magic.passes.rewrite import run_passes

PASSES = [merge_dilation.PASS]
BEFORE = [*PIPELINE["lower ops"], fold_constants.PASS]
X = tf.TensorSpec((None, 10, 11, 3), name="x")
FREE = tf.TensorSpec((None, None, None, 3), name="x")
FEEDS = [{"x": random_array(f"x{i}", 2, 9, 12, 3)} for i in (1, 2)]
layers = keras.layers


def _depthwise(x: Any, rates: Any, padding: str = "SAME") -> Any:
    return tf.nn.depthwise_conv2d(x, random_array("w", 3, 2, 3, 2), (1, 1, 1, 1), padding, dilations=rates)


def _by_hand(x: Any, paddings: Any, crops: Any, *, blocks: Any = (2, 3), undone: Any = None, **options: Any) -> Any:
    options = {"strides": (1, 1, 1, 1), "padding": "VALID"} | options
    y = tf.raw_ops.SpaceToBatchND(input=x, block_shape=blocks, paddings=paddings)
    y = options.pop("conv", tf.raw_ops.Conv2D)(input=y, filter=random_array("w", 3, 2, 3, 4), **options)
    return tf.raw_ops.BatchToSpaceND(input=y, block_shape=blocks if undone is None else undone, crops=crops)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("rates", [(2, 2), (2, 3), (1, 4), (3, 1)], ids=str)
@pytest.mark.parametrize("spec", [X, FREE], ids=["known", "free"])
def test_merges_what_tensorflow_makes_of_a_dilation(tfjs_node: TfjsNode, spec: Any, rates: Any, padding: str) -> None:
    feeds = FEEDS if spec is FREE else None
    check_lowering(tfjs_node, PASSES, lambda x: _depthwise(x, rates, padding), spec, after=BEFORE, feeds=feeds)


@pytest.mark.parametrize("crops", [[[0, 0], [0, 0]], [[1, 2], [0, 3]], [[4, 4], [1, 6]], [[0, 4], [1, 0]]], ids=str)
def test_merges_any_crops_of_what_was_padded(tfjs_node: TfjsNode, crops: Any) -> None:
    check_lowering(tfjs_node, PASSES, lambda x: _by_hand(x, [[4, 4], [1, 6]], crops), X)


def test_is_right_on_gpus(tfjs_node: TfjsNode) -> None:
    def function(x: Any) -> Any:
        return _depthwise(x, (2, 3)), tf.nn.relu(_by_hand(x, [[4, 4], [1, 6]], [[1, 2], [0, 3]]) + 1.0)

    check_on_gpu(tfjs_node, function, X)
    graph = traced(function, X)
    for group in PIPELINE.values():
        run_passes(graph, group)
    assert not {"SpaceToBatchND", "BatchToSpaceND"} & {*count_ops(graph)}


@pytest.mark.parametrize("backend", ["cpu", "wasm", *GPU_BACKENDS])
@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(lambda: layers.DepthwiseConv2D(3, dilation_rate=2, padding="same", activation="relu"), id="same"),
        pytest.param(lambda: layers.DepthwiseConv2D((2, 3), dilation_rate=(2, 3)), id="valid"),
        pytest.param(lambda: layers.SeparableConv2D(5, 3, dilation_rate=2, padding="same"), id="separable"),
    ],
)
@pytest.mark.parametrize("size", [(12, 13), (None, None)], ids=["known", "free"])
def test_keras_layers_are_one_kernel(tfjs_node: TfjsNode, layer: Any, size: Any, backend: Any) -> None:
    model = randomised(keras.Sequential([keras.Input((*size, 4)), layer(), layers.BatchNormalization()]))
    result = convert(model, format="graph")
    assert {*result.report.ops} <= {
        "FusedDepthwiseConv2dNative",
        "DepthwiseConv2dNative",
        "_FusedConv2D",
        "Mul",
        "AddV2",
    }
    feeds = [samples_of(result.inputs, seed, unknown=13) for seed in (0, 1)]
    for got, feed in zip(tfjs_node.run_each(result, feeds, backend), feeds, strict=True):
        assert_matches(got, keras_outputs(model, feed))


def _refusals(function: Any, *specs: tf.TensorSpec) -> set[str]:
    graph = traced(function, *(specs or (X,)))
    reports = run_passes(graph, PASSES)
    assert not reports[0].applied
    return misses(reports)


PADS = [[4, 4], [1, 6]]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        pytest.param(
            lambda x: _by_hand(x, [[0, 0], [0, 1]], [[0, 0], [0, 1]], blocks=(1, 2), strides=(1, 2, 2, 1)),
            "the convolution has a stride, padding or a dilation of its own",
            id="stride",
        ),
        pytest.param(
            lambda x: _by_hand(x, PADS, PADS, padding="SAME"),
            "the convolution has a stride, padding or a dilation of its own",
            id="padding",
        ),
        pytest.param(
            lambda x: _by_hand(x, PADS, PADS, dilations=(1, 2, 2, 1)),
            "the convolution has a stride, padding or a dilation of its own",
            id="dilation",
        ),
        pytest.param(
            lambda x: _by_hand(x, PADS, PADS, undone=(3, 2)), "the blocks are computed, or not the same", id="blocks"
        ),
        pytest.param(
            lambda x: _by_hand(x, [[4, 4], [1, 6]], [[5, 0], [0, 0]]),
            "the padding is computed, or negative",
            id="negative",
        ),
    ],
)
def test_refuses(function: Any, reason: str) -> None:
    assert _refusals(function) == {reason}


def test_refuses_computed_paddings_and_blocks() -> None:
    sides = tf.TensorSpec((2, 2), tf.int32, name="sides")
    reason = "the padding is computed, or negative"
    assert _refusals(lambda x, sides: _by_hand(x, sides, [[0, 0], [0, 0]]), X, sides) == {reason}
    assert _refusals(lambda x, sides: _by_hand(x, sides, sides + 1), X, sides) == {reason}
    blocks = tf.TensorSpec((2,), tf.int32, name="blocks")
    computed = lambda x, blocks: _by_hand(x, PADS, PADS, blocks=blocks)  # noqa: E731
    assert _refusals(computed, X, blocks) == {"the blocks are computed, or not the same"}


def test_refuses_what_is_used_elsewhere() -> None:
    def function(x: Any) -> Any:
        seen: list[Any] = []

        def conv(**options: Any) -> Any:
            seen.append(tf.raw_ops.Conv2D(**options))
            return seen[0]

        return _by_hand(x, PADS, PADS, conv=conv), seen[0] * 2.0

    assert _refusals(function) == {"the convolution is used elsewhere, too, or has its channels first"}
