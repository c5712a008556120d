"""Nodes that compute the same from the same become one; weights that happen to be equal keep their names."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.node import TfjsNode
from tests.graph_text import parse_graph
from tests.passes.checks import check_pass
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


@pytest.mark.parametrize("op", ["RandomUniform", "TensorListStack", "Enter", "Switch"])
def test_what_differs_each_time_or_place_stays(op: str) -> None:
    graph = parse_graph(f"{X}a = {op}(x)\nb = {op}(x)\ny = AddV2(a, b)\nreturn y")
    (report,) = run_passes(graph, (merge_duplicates.PASS,))
    assert report.applied == 0
