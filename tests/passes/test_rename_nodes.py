"""Names that every object of JavaScript has are none for a node."""

from __future__ import annotations

import pytest

from tests.conformance.node import TfjsNode
from tests.graph_text import parse_graph
from tests.passes.checks import check_pass
from tests.passes.operands import operands
from tfjs_magic.passes import rename_nodes, run_passes


def test_renames(tfjs_node: TfjsNode) -> None:
    before = "x: float32[3]\ntoString = Neg(x)\ny = AddV2(toString, constructor)\nreturn y"
    after = "x: float32[3]\ntoString_1 = Neg(x)\ny = AddV2(toString_1, constructor_1)\nreturn y"
    check_pass(tfjs_node, before, after, [rename_nodes.PASS], operands(constructor=(3,)))


def test_public_names_stay() -> None:
    graph = parse_graph("valueOf: float32[3]\ntoString = Neg(valueOf)\nreturn toString")
    run_passes(graph, [rename_nodes.PASS])
    assert (graph.inputs, graph.outputs) == ({"valueOf": "valueOf_1"}, {"toString": "toString_1"})


@pytest.mark.parametrize("name", ["values", "Constructor", "constructor/valueOf"])
def test_leaves_other_names_alone(name: str) -> None:
    graph = parse_graph(f"x: float32[3]\n{name} = Neg(x)\nreturn y={name}")
    assert [report.applied for report in run_passes(graph, [rename_nodes.PASS])] == [0]
