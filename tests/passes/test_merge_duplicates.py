"""Nodes that compute the same from the same become one; weights that happen to be equal keep their names."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.conformance.node import TfjsNode
from tests.graph_text import parse_graph
from tests.passes.checks import check_pass
from tfjs_magic import convert
from tfjs_magic.artifacts import Array
from tfjs_magic.passes import merge_duplicates, run_passes

X = "x: float32[4,6]\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "a = Relu(x)\nb = Relu(x)\nc = Exp(a)\nd = Exp(b)\ny = AddV2(c, d)\nreturn y",
            "a = Relu(x)\nc = Exp(a)\ny = AddV2(c, c)\nreturn y",
            id="chain",
        ),
        pytest.param("a = Relu(x)\nb = Relu(x)\ny = Exp(b)\nreturn a, b, y", None, id="outputs-keep-their-nodes"),
        pytest.param(
            "a = LeakyRelu(x) alpha=0.1\nb = LeakyRelu(x) alpha=0.3\ny = Sub(a, b)\nreturn y", None, id="attributes"
        ),
        pytest.param("a = Exp(x)\nb = Relu(x)\ny = Sub(b, x)\nz = Sub(x, b)\nreturn a, y, z", None, id="operands"),
    ],
)
def test_merges_what_computes_the_same(tfjs_node: TfjsNode, before: str, after: str | None) -> None:
    feeds = [{"x": np.random.default_rng(seed).normal(size=(4, 6)).astype(np.float32)} for seed in (1, 2)]
    check_pass(tfjs_node, X + before, None if after is None else X + after, [merge_duplicates.PASS], {}, feeds=feeds)


def test_constants_merge_where_no_name_is_lost() -> None:
    text = X + "a = Sum(x, i)\nb = Sum(x, j)\nc = Mul(x, v)\nd = Mul(x, w)\ny = AddV2(c, d)\nreturn a, b, y"
    ones = np.ones(6, np.float32)
    constants = {"i": np.array([1], np.int32), "j": np.array([1], np.int32), "v": ones, "w": ones.copy()}
    graph = parse_graph(text, constants)
    run_passes(graph, (merge_duplicates.PASS,))
    assert {node.name for node in graph if node.op == "Const"} == {"i", "v", "w"}
    shared = parse_graph(text, {**constants, "w": ones})
    run_passes(shared, (merge_duplicates.PASS,))
    assert {node.name for node in shared if node.op == "Const"} == {"i", "v"}


@pytest.mark.parametrize(
    ("value", "after"),
    [
        (np.zeros((4, 6), np.float32), "c = Greater(x, half)\na = SelectV2(c, x, zero)\ny = AddV2(a, a)\nreturn y"),
        (np.full((4, 6), -0.0, np.float32), None),
        (np.zeros(6, np.float32), None),
    ],
    ids=["equal", "sign", "shape"],
)
def test_what_is_chosen_of_equal_constants_is_the_same(tfjs_node: TfjsNode, value: Array, after: str | None) -> None:
    before = f"{X}c = Greater(x, half)\na = SelectV2(c, x, zero)\nb = SelectV2(c, x, other)\ny = AddV2(a, b)\nreturn y"
    constants = {"half": np.array(0.5, np.float32), "zero": np.zeros((4, 6), np.float32), "other": value}
    check_pass(tfjs_node, before, None if after is None else X + after, [merge_duplicates.PASS], constants)


@pytest.mark.parametrize(("layer", "count"), [("LSTM", 2 * 6 - 1 + 2), ("GRU", 6 + 2), ("SimpleRNN", 6 + 2)])
def test_a_masked_net_chooses_its_output_and_its_state_once(layer: str, count: int) -> None:
    """Two for the mask itself; nothing takes the last cell state."""
    inputs = keras.Input((6, 3), name="x")
    outputs = getattr(keras.layers, layer)(4)(keras.layers.Masking()(inputs))
    ops = convert(keras.Model(inputs, outputs), format="graph", inputs={"x": (1, 6, 3)}).report.ops
    assert ops["SelectV2"] == count


@pytest.mark.parametrize("op", ["RandomUniform", "TensorListStack", "Enter", "Switch"])
def test_what_differs_each_time_or_place_stays(op: str) -> None:
    graph = parse_graph(f"{X}a = {op}(x)\nb = {op}(x)\ny = AddV2(a, b)\nreturn y")
    (report,) = run_passes(graph, (merge_duplicates.PASS,))
    assert report.applied == 0
