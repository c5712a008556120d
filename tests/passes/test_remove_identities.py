"""Ops that hand their input on disappear, unless an output needs them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.node import TfjsNode
from tests.graph_text import graph_text, parse_graph
from tests.passes.checks import check_pass, misses
from tests.passes.operands import operands
from tfjs_magic.passes import remove_identities
from tfjs_magic.passes.rewrite import run_passes


@pytest.mark.parametrize("op", ["Identity", "StopGradient", "Snapshot"])
def test_removes(tfjs_node: TfjsNode, op: str) -> None:
    before = f"x: float32[3]\na = {op}(x)\ny = AddV2(a, a)\nreturn y"
    check_pass(tfjs_node, before, "x: float32[3]\ny = AddV2(x, x)\nreturn y", [remove_identities.PASS], {})


def test_removes_what_tfjs_lacks() -> None:
    lines = "a = CheckNumerics(x) message=bad\nb = EnsureShape(a)\nc = PreventGradient(b)\ny = Exp(c)\nreturn y"
    graph = parse_graph(f"x: float32[3]\n{lines}")
    run_passes(graph, [remove_identities.PASS])
    assert graph_text(graph) == ["return y=y", "x: float32[3]", "y = Exp(x)"]


def test_removes_a_reversal_along_no_axis(tfjs_node: TfjsNode) -> None:
    before = "x: float32[3]\na = ReverseV2(x, axes) T=float32 Tidx=int32\ny = Exp(a)\nreturn y"
    none, one = ({"axes": np.array(axes, np.int32)} for axes in ([], [0]))
    check_pass(tfjs_node, before, "x: float32[3]\ny = Exp(x)\nreturn y", [remove_identities.PASS], none)
    check_pass(tfjs_node, before, None, [remove_identities.PASS], one)


def test_removes_a_chain_and_keeps_ports(tfjs_node: TfjsNode) -> None:
    before = "x: float32[6]\ns = Split(axis, x) num_split=2\na = Identity(s:1)\nb = Identity(a)\ny = Exp(b)\nreturn y"
    after = "x: float32[6]\ns = Split(axis, x) num_split=2\ny = Exp(s:1)\nreturn y"
    check_pass(tfjs_node, before, after, [remove_identities.PASS], {"axis": np.array(0, np.int32)})


def test_lets_the_tensor_behind_it_be_the_output(tfjs_node: TfjsNode) -> None:
    before = "x: float32[3]\na = Exp(x)\ny = Identity(a)\nz = Neg(y)\nreturn out=y, other=z"
    after = "x: float32[3]\na = Exp(x)\nz = Neg(a)\nreturn out=a, other=z"
    check_pass(tfjs_node, before, after, [remove_identities.PASS], {})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(
            "x: float32[3]\ny = Identity(x)\nreturn y",
            "an output that is an input or a constant needs a node of its own",
            id="of-an-input",
        ),
        pytest.param(
            "x: float32[3]\na = Exp(x)\ny = Identity(a)\nreturn y, a",
            "the tensor behind it shares its node with another output",
            id="of-another-output",
        ),
        pytest.param(
            "x: float32[6]\na = Split(axis, x) num_split=2\ny = Identity(a:1)\nreturn y",
            "the tensor behind it shares its node with another output",
            id="of-a-second-port",
        ),
        pytest.param(
            "x: float32[3]\na = Exp(x)\ny = Identity(a)\nreturn first=y, second=y",
            "two outputs share the tensor",
            id="of-two-outputs",
        ),
    ],
)
def test_keeps_the_node_of_an_output(tfjs_node: TfjsNode, text: str, reason: str) -> None:
    constants = {"axis": np.array(0, np.int32)} if "axis" in text else {}
    assert misses(check_pass(tfjs_node, text, None, [remove_identities.PASS], constants)) == {reason}


def test_keeps_a_constant_output() -> None:
    graph = parse_graph("y = Identity(w)\nreturn y", operands(w=(3,)))
    assert run_passes(graph, [remove_identities.PASS])[0].applied == 0


@pytest.mark.parametrize("op", ["PreventGradient", "CheckNumerics", "EnsureShape"])
def test_an_output_of_its_own_becomes_an_identity(op: str) -> None:
    graph = parse_graph(f"x: float32[3]\ny = {op}(x) message=bad shape=[3]\nreturn y")
    run_passes(graph, [remove_identities.PASS])
    assert graph_text(graph) == ["return y=y", "x: float32[3]", "y = Identity(x)"]
