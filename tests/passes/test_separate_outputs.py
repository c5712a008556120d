"""Every output gets a computed node of its own, as TF.js finds outputs by the names of nodes."""

from __future__ import annotations

import numpy as np

from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS, graph_text, parse_graph, tfjs_model
from tests.passes.checks import check_pass
from tests.passes.operands import operands
from tfjs_magic.passes import separate_outputs
from tfjs_magic.passes.rewrite import run_passes

AXIS = {"axis": np.array(0, np.int32)}


def test_separates_two_outputs_of_one_tensor(tfjs_node: TfjsNode) -> None:
    before = "x: float32[3]\ny = Exp(x)\nreturn a=y, b=y, c=y"
    after = "x: float32[3]\ny = Exp(x)\ny/output = Identity(y)\ny/output_1 = Identity(y)\n"
    check_pass(tfjs_node, before, after + "return a=y, b=y/output, c=y/output_1", [separate_outputs.PASS], {})


def test_separates_two_outputs_of_one_node(tfjs_node: TfjsNode) -> None:
    before = "x: float32[6]\ns = Split(axis, x) num_split=2\nreturn a=s:1, b=s"
    after = "x: float32[6]\ns = Split(axis, x) num_split=2\ns/output = Identity(s:1)\nreturn a=s/output, b=s"
    check_pass(tfjs_node, before, after, [separate_outputs.PASS], AXIS)


def test_gives_an_input_that_is_an_output_a_node(tfjs_node: TfjsNode) -> None:
    before = "x: float32[3]\ny = Exp(x)\nreturn a=x, b=y, c=x"
    after = "x: float32[3]\ny = Exp(x)\nx/output = Identity(x)\nx/output_1 = Identity(x)\n"
    check_pass(tfjs_node, before, after + "return a=x/output, b=y, c=x/output_1", [separate_outputs.PASS], {})


def test_keeps_the_dtype_of_an_input() -> None:
    graph = parse_graph("x: int32[3]\nreturn a=x")
    run_passes(graph, [separate_outputs.PASS])
    assert graph_text(graph) == ["return a=x/output", "x/output = Identity(x) T=int32", "x: int32[3]"]


def test_a_constant_output_can_be_fetched(tfjs_node: TfjsNode) -> None:
    constants = operands(w=(3,))
    graph = parse_graph("x: float32[3]\ny = Exp(x)\nreturn a=w, b=y", constants)
    run_passes(graph, [separate_outputs.PASS])
    for backend in BACKENDS:
        result = tfjs_node.run(tfjs_model(graph), {"x": np.zeros(3, np.float32)}, backend)
        assert np.array_equal(result["a"], constants["w"])


def test_leaves_separate_outputs_alone(tfjs_node: TfjsNode) -> None:
    check_pass(tfjs_node, "x: float32[3]\ny = Exp(x)\nz = Neg(y)\nreturn y, z", None, [separate_outputs.PASS], {})
