"""A depthwise convolution becomes a sum of those with 3, 4, 9 or 25 taps."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import parse_graph, tfjs_model
from tests.models import keras_outputs, randomised, samples_of
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic import convert
from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Graph
from tfjs_magic.graph.linear import spread
from tfjs_magic.model import load
from tfjs_magic.ops.check import count_ops
from tfjs_magic.options import AutoQuantize
from tfjs_magic.passes import PIPELINE, remove_identities, run_passes, split_depthwise

PASSES = [split_depthwise.PASS]
#: Large constants come behind one.
BEFORE = [remove_identities.PASS]
layers = keras.layers
FREE = tf.TensorSpec((None, None, None, 4), name="x")


def _spec(*shape: int | None) -> tf.TensorSpec:
    return tf.TensorSpec(shape, name="x")


def _feeds(*shape: int) -> list[dict[str, Array]]:
    return [{"x": random_array(f"x{seed}", *shape)} for seed in (1, 2)]


def _depthwise(x: Any, window: Any = (), padding: Any = "SAME", rates: Any = (1, 1), **options: Any) -> Any:
    kernel = options.pop("kernel", None)
    if kernel is None:
        kernel = random_array("w", *window, x.shape[-1], 1)
    if isinstance(padding, tuple):
        options |= {"explicit_paddings": [0, 0, *padding, 0, 0]}
    return tf.raw_ops.DepthwiseConv2dNative(
        input=x,
        filter=kernel,
        strides=options.pop("strides", (1, 1, 1, 1)),
        dilations=(1, *rates, 1),
        padding="EXPLICIT" if isinstance(padding, tuple) else padding,
        **options,
    )


@pytest.mark.parametrize(
    "window",
    [
        *((7, 7), (1, 5), (5, 1), (1, 6), (1, 7), (8, 1), (1, 11), (15, 1), (1, 31), (2, 3), (3, 2), (2, 4), (3, 4)),
        *((4, 4), (3, 5), (6, 6), (3, 7), (8, 8), (9, 9), (10, 10), (11, 11), (5, 2)),
    ],
    ids=str,
)
def test_splits_kernels_of_any_size(tfjs_node: TfjsNode, window: Any) -> None:
    check_lowering(tfjs_node, PASSES, lambda x: _depthwise(x, window), FREE, after=BEFORE, feeds=_feeds(2, 9, 12, 4))


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (4, 3), (8, 7)], ids=str)
def test_the_map_may_be_smaller_than_the_kernel(tfjs_node: TfjsNode, size: Any) -> None:
    check_lowering(tfjs_node, PASSES, lambda x: _depthwise(x, (7, 7)), FREE, after=BEFORE, feeds=_feeds(3, *size, 4))


@pytest.mark.parametrize(
    "padding", [(3, 3, 3, 3), (4, 3, 3, 5), (6, 6, 6, 6), (3, 4, 7, 3), (0, 6, 0, 6), (2, 3, 3, 3)], ids=str
)
def test_splits_what_is_padded_explicitly(tfjs_node: TfjsNode, padding: Any) -> None:
    check_lowering(
        tfjs_node, PASSES, lambda x: _depthwise(x, (7, 7), padding), FREE, after=BEFORE, feeds=_feeds(2, 6, 9, 4)
    )


@pytest.mark.parametrize("rates", [(2, 2), (3, 1), (1, 4)], ids=str)
@pytest.mark.parametrize("window", [(7, 7), (1, 7), (4, 3)], ids=str)
def test_splits_dilated_kernels(tfjs_node: TfjsNode, window: Any, rates: Any) -> None:
    def whole(x: Any) -> Any:
        return _depthwise(x, kernel=spread(random_array("w", *window, 4, 1), rates))

    check_lowering(
        tfjs_node,
        PASSES,
        lambda x: _depthwise(x, window, rates=rates),
        FREE,
        reference=whole,
        after=BEFORE,
        feeds=_feeds(2, 6, 15, 4),
    )


@pytest.mark.parametrize(
    "spec", [_spec(2, 14, 16, 16), _spec(None, 14, 16, 32), _spec(1, None, 16, 8), _spec(2, 160, 70, 1)], ids=str
)
def test_any_size_may_be_free(tfjs_node: TfjsNode, spec: tf.TensorSpec) -> None:
    window = (1, 7) if spec.shape[-1] == 1 else (7, 7)
    check_lowering(tfjs_node, PASSES, lambda x: _depthwise(x, window), spec, after=BEFORE)


def test_is_right_on_the_gpu(tfjs_node: TfjsNode) -> None:
    def function(x: Any) -> Any:
        return tf.nn.relu6(_depthwise(x, (7, 7)) + random_array("b", 4)), _depthwise(x, (1, 11))

    check_on_gpu(tfjs_node, function, FREE, feeds=_feeds(2, 9, 12, 4))


def test_another_use_and_a_residual_stay(tfjs_node: TfjsNode) -> None:
    def function(x: Any) -> Any:
        y = _depthwise(x, (7, 7))
        return tf.nn.relu(y + x), y * 2

    check_lowering(tfjs_node, PASSES, function, FREE, after=BEFORE, feeds=_feeds(2, 6, 9, 4))


def _traced(function: Any, spec: tf.TensorSpec) -> Graph:
    graph = traced(function, spec)
    run_passes(graph, BEFORE)
    return graph


def _pieces(graph: Graph) -> list[tuple[Any, ...]]:
    convolutions = [node for node in graph if node.op.endswith("DepthwiseConv2dNative")]
    return [(node.attrs["dilations"][1:3], graph.shape(node.inputs[1])[:2]) for node in convolutions]  # type: ignore[index]


def test_seven_rows_and_columns_are_six_pieces() -> None:
    graph = _traced(lambda x: _depthwise(x, (7, 7)), FREE)
    run_passes(graph, PASSES)
    pieces = _pieces(graph)
    assert sorted(shape for _, shape in pieces) == [(2, 2)] * 4 + [(3, 3), (5, 5)]
    assert ((1, 1), (5, 5)) in pieces
    assert ((3, 3), (3, 3)) in pieces
    assert count_ops(graph) == {"DepthwiseConv2dNative": 6, "AddV2": 5}


@pytest.mark.parametrize("columns", [*range(1, 12), 31])
@pytest.mark.parametrize("rows", [1, 4, 7])
def test_the_pieces_add_up_to_the_kernel_bit_by_bit(rows: int, columns: int) -> None:
    kernel = random_array("w", rows, columns, 4, 1)
    graph = _traced(lambda x: _depthwise(x, kernel=kernel), FREE)
    if not run_passes(graph, PASSES)[0].applied:
        assert rows * columns in {1, 2, 3, 4, 9}
        return
    total, stored = np.zeros(kernel.shape), 0
    for node in graph:
        if node.op == "DepthwiseConv2dNative":
            piece = spread(graph.constant(node.inputs[1]), node.attrs["dilations"][1:3])  # type: ignore[arg-type, index]
            top, bottom, left, right = node.attrs["explicit_paddings"][2:6] or (0, 0, 0, 0)  # type: ignore[index]
            at, across = (rows - 1) // 2 - top, (columns - 1) // 2 - left
            total[at : at + piece.shape[0], across : across + piece.shape[1]] += piece
            stored += np.count_nonzero(piece)
            assert (rows // 2 - bottom, columns // 2 - right) == (
                rows - at - len(piece),
                columns - across - piece.shape[1],
            )
    assert np.array_equal(total, kernel)
    assert stored <= 1.4 * kernel.size


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_infinity_stays_infinity(tfjs_node: TfjsNode, backend: Any) -> None:
    """Also under the tap that two pieces have: zero times infinity would be none."""
    x = np.zeros((1, 9, 9, 4), np.float32)
    x[0, 4, 4] = np.inf
    text = "x: float32[?,?,?,4]\ny = DepthwiseConv2dNative(x, w) padding=SAME\nreturn y"
    graph = parse_graph(text, {"w": random_array("w", 7, 7, 4, 1)})
    assert run_passes(graph, PASSES)[0].applied
    found = tfjs_node.run(tfjs_model(graph), {"x": x}, backend)["y"]
    assert np.isinf(found[0, 1:8, 1:8]).all()
    assert np.isfinite(found).sum() == (81 - 49) * 4


def test_an_infinite_weight_stays_one() -> None:
    kernel = np.full((7, 7, 4, 1), np.inf, np.float32)
    graph = _traced(lambda x: _depthwise(x, kernel=kernel), FREE)
    assert run_passes(graph, PASSES)[0].applied
    pieces = [graph.constant(node.inputs[1]) for node in graph if node.op == "DepthwiseConv2dNative"]
    assert all(np.isposinf(piece).all() for piece in pieces if piece is not None)


def _keras(*rows: Any, shape: Any) -> Any:
    return randomised(keras.Sequential([keras.Input(shape), *rows]))


@pytest.mark.parametrize(
    ("model", "ops"),
    [
        pytest.param(
            lambda: _keras(layers.DepthwiseConv2D(7, padding="same", activation="relu6"), shape=(16, 17, 32)),
            {"DepthwiseConv2dNative": 5, "FusedDepthwiseConv2dNative": 1, "AddV2": 5, "Relu6": 1},
            id="relu6",
        ),
        pytest.param(
            lambda: _keras(layers.DepthwiseConv2D(7, padding="same"), layers.BatchNormalization(), shape=(16, 17, 32)),
            {"DepthwiseConv2dNative": 5, "FusedDepthwiseConv2dNative": 1, "AddV2": 5},
            id="batch-norm",
        ),
        pytest.param(
            lambda: _keras(
                layers.DepthwiseConv2D(4, padding="same", use_bias=False, activation="sigmoid"), shape=(None, None, 6)
            ),
            {"DepthwiseConv2dNative": 4, "AddV2": 3, "Sigmoid": 1},
            id="no-bias",
        ),
        pytest.param(
            lambda: _keras(layers.DepthwiseConv2D((1, 5), padding="same", activation="elu"), shape=(30, 40, 9)),
            {"DepthwiseConv2dNative": 1, "FusedDepthwiseConv2dNative": 1, "AddV2": 1, "Elu": 1},
            id="elu",
        ),
        pytest.param(
            lambda: _keras(layers.DepthwiseConv1D(11, padding="same", activation="relu"), shape=(400, 24)),
            {"DepthwiseConv2dNative": 1, "FusedDepthwiseConv2dNative": 1, "AddV2": 1, "Relu": 1},
            id="one-axis",
        ),
        pytest.param(
            lambda: _keras(layers.SeparableConv1D(12, 7, padding="same", activation="relu"), shape=(None, 24)),
            {"DepthwiseConv2dNative": 2, "AddV2": 1, "_FusedConv2D": 1},
            id="separable",
        ),
        pytest.param(
            lambda: _keras(layers.ZeroPadding2D(3), layers.DepthwiseConv2D(7, activation="relu"), shape=(16, 17, 32)),
            {"DepthwiseConv2dNative": 5, "FusedDepthwiseConv2dNative": 1, "AddV2": 5, "Relu": 1},
            id="padded-before",
        ),
    ],
)
def test_keras_layers_take_bias_and_activation_along(tfjs_node: TfjsNode, model: Any, ops: dict[str, int]) -> None:
    built = model()
    result = convert(built, format="graph", target="wasm")
    found = {op: n for op, n in result.report.ops.items() if op not in {"ExpandDims", "Squeeze", "Reshape"}}
    assert found == ops
    for backend in ("cpu", "wasm"):
        feeds = [samples_of(result.inputs, seed, unknown=13) for seed in (0, 1)]
        for got, feed in zip(tfjs_node.run_each(result, feeds, backend), feeds, strict=True):
            assert_matches(got, keras_outputs(built, feed))


def test_auto_holds_it_back_and_says_so() -> None:
    model = _keras(layers.DepthwiseConv2D(7, padding="same"), shape=(16, 17, 32))
    report = convert(model, format="graph").report
    assert report.ops == {"FusedDepthwiseConv2dNative": 1}
    assert any(
        "target='wasm' would take less time on wasm" in hint and "split_depthwise (1)" in hint for hint in report.advice
    )


def test_no_weight_is_stored_twice_and_patterns_find_each_piece(tfjs_node: TfjsNode) -> None:
    model = _keras(layers.DepthwiseConv2D(7, padding="same", name="deep"), layers.Conv2D(3, 1), shape=(16, 17, 32))
    plain = convert(model, format="graph", target="wasm")
    names = [spec.name for spec in plain.groups[0].specs if spec.shape[2:] == (32, 1)]
    assert sum(spec.shape[0] * spec.shape[1] for spec in plain.groups[0].specs if spec.name in names) == 50
    (kernel,) = (spec.name for spec in convert(model, format="graph").groups[0].specs if spec.shape == (7, 7, 32, 1))
    assert kernel in names
    for pattern in (kernel, f"{kernel[:-1]}?", f"{kernel.partition('/')[0]}/*"):
        result = convert(model, format="graph", target="wasm", quantize={"uint16": (pattern,)})
        codes = {spec.name for spec in result.groups[0].specs if spec.quantization is not None}
        assert codes >= set(names)
    feed = samples_of(result.inputs, 0)
    assert_matches(tfjs_node.run(result, feed, "wasm"), keras_outputs(model, feed), tolerance=1e-3)


def test_a_search_for_codes_runs_the_pieces_in_tensorflow(tfjs_node: TfjsNode, tmp_path: Any) -> None:
    model = _keras(
        layers.DepthwiseConv2D(7, padding="same", activation="relu"), layers.Conv2D(3, 1), shape=(16, 17, 32)
    )
    samples = random_array("samples", 20, 16, 17, 32)
    auto = AutoQuantize(samples=samples, max_error=0.05)
    result = convert(model, format="graph", target="wasm", quantize=auto)
    assert result.report.ops["DepthwiseConv2dNative"] == 5
    feed = samples_of(result.inputs, 0)
    got = tfjs_node.run(result, feed, "wasm")
    assert_matches(got, keras_outputs(model, feed), tolerance=0.1)
    result.save(tmp_path / "web")
    again = convert(load(tmp_path / "web"))
    assert again.report.ops == result.report.ops
    assert_matches(tfjs_node.run(again, feed, "wasm"), got)


def test_refuses_kernels_that_are_computed_or_shared() -> None:
    kernel = tf.TensorSpec((7, 7, 4, 1), name="w")
    computed = lambda x, w: _depthwise(x, kernel=w)  # noqa: E731
    assert refusals(PASSES, computed, FREE, kernel, lacking=False) == {"the kernel is computed, or shared"}

    def twice(x: Any) -> Any:
        weights = tf.constant(random_array("w", 7, 7, 4, 1))
        return [_depthwise(each, kernel=weights) for each in (x, x + 1.0)]

    assert refusals(PASSES, twice, FREE, lacking=False) == {"the kernel is computed, or shared"}


def _refusals(function: Any, spec: tf.TensorSpec = FREE) -> set[str]:
    graph = _traced(function, spec)
    (report,) = run_passes(graph, PASSES)
    assert not report.applied
    return set(report.misses)


def test_refuses_what_has_no_fast_way() -> None:
    several = lambda x: _depthwise(x, kernel=random_array("w", 7, 7, 4, 2))  # noqa: E731
    assert _refusals(several) == {"a channel makes several numbers"}
    reason = "the channels are not last, or there is a stride"
    assert _refusals(lambda x: _depthwise(x, (7, 7), strides=(1, 2, 2, 1))) == {reason}
    kernel = random_array("w", 7, 7, 4, 1)
    first = lambda x: _depthwise(x, kernel=kernel, data_format="NCHW")  # noqa: E731
    assert _refusals(first, _spec(None, 4, None, None)) == {reason}
    for fast in ((3, 3), (5, 5), (1, 3), (2, 2), (1, 4), (9, 1), (1, 1), (1, 25)):
        assert not _refusals(lambda x, window=fast: _depthwise(x, window))


@pytest.mark.parametrize(
    ("window", "padding"),
    [((7, 7), "VALID"), ((1, 7), (0, 0, 6, 0)), ((7, 7), (0, 0, 3, 3)), ((2, 1), "SAME")],
    ids=str,
)
def test_refuses_what_would_need_negative_padding(window: Any, padding: Any) -> None:
    assert _refusals(lambda x: _depthwise(x, window, padding)) == {"the taps around a place are not all"}


@pytest.mark.parametrize("size", [21, 31])
def test_refuses_large_kernels(size: int) -> None:
    reason = "it would be more than 32 pieces"
    assert _refusals(lambda x: _depthwise(x, (size, size))) == {reason}


@pytest.mark.parametrize("spec", [_spec(1, 4, 4, 8), _spec(None, 8, 8, 16), _spec(1, 90, 90, 1)], ids=str)
def test_refuses_small_maps_and_few_channels(spec: tf.TensorSpec) -> None:
    assert _refusals(lambda x: _depthwise(x, (7, 7)), spec) == {"a sum takes no less time"}


@pytest.mark.parametrize(
    ("fused", "pieces"),
    [(["BiasAdd", "LeakyRelu"], 1), (["BiasAdd", "Prelu"], 1), (["Relu"], 1), (["BiasAdd", "Relu"], 6)],
)
def test_what_others_fused_is_split_if_nothing_gets_lost(tmp_path: Path, fused: list[str], pieces: int) -> None:
    inputs = keras.Input((28, 28, 16))
    model = keras.Model(inputs, layers.DepthwiseConv2D(7, padding="same", activation="relu")(inputs))
    convert(model, format="graph").save(tmp_path / "web")
    file = tmp_path / "web" / "model.json"
    topology = json.loads(file.read_text())
    (node,) = (n for n in topology["modelTopology"]["node"] if n["op"] == "FusedDepthwiseConv2dNative")
    node["attr"]["fused_ops"] = {"list": {"s": [base64.b64encode(step.encode()).decode() for step in fused]}}
    for optional in ("epsilon", "num_args"):
        del node["attr"][optional]
    file.write_text(json.dumps(topology))
    report = convert(tmp_path / "web", target="wasm").report
    ops, (found,) = report.ops, (p for p in report.passes if p.name == "split_depthwise")
    assert sum(ops.get(op, 0) for op in ("FusedDepthwiseConv2dNative", "DepthwiseConv2dNative")) == pieces
    assert ("more is fused than a bias and a plain activation" in str(found.misses)) == (pieces == 1)


def test_a_block_is_made_by_the_whole_pipeline() -> None:
    graph = _traced(lambda x: tf.nn.relu(_depthwise(x, (7, 7)) + random_array("b", 4)), FREE)
    for group in PIPELINE.values():
        run_passes(graph, group)
    assert count_ops(graph)["FusedDepthwiseConv2dNative"] == 1
    again = [report for group in PIPELINE.values() for report in run_passes(graph, group)]
    assert not [report.name for report in again if report.applied]
