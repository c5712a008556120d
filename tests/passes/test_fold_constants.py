"""What depends on weights alone is computed at conversion."""

from __future__ import annotations

import numpy as np

from tests.conformance.node import TfjsNode
from tests.graph_text import parse_graph
from tests.passes.checks import check_pass
from tests.passes.operands import operands
from tfjs_magic.passes import fold_constants
from tfjs_magic.passes.rewrite import run_passes


def test_folds_a_batch_norm_down_to_one_factor(tfjs_node: TfjsNode) -> None:
    """γ · rsqrt(σ² + ε) as Keras 3 writes it, and β - μ · that."""
    before = """
        x: float32[4,6]
        padded = AddV2(variance, epsilon)
        inverse = Rsqrt(padded)
        factor = Mul(inverse, gamma)
        shifted = Mul(mean, factor)
        offset = Sub(beta, shifted)
        scaled = Mul(x, factor)
        y = AddV2(scaled, offset)
        return y
    """
    after = "x: float32[4,6]\nscaled = Mul(x, factor)\ny = AddV2(scaled, offset)\nreturn y"
    constants = operands(gamma=(6,), beta=(6,), mean=(6,), variance=(6,))
    constants["variance"] = np.abs(constants["variance"])
    constants["epsilon"] = np.array(1e-3, np.float32)
    check_pass(tfjs_node, before, after, [fold_constants.PASS], constants)


def test_folds_every_port_of_an_op(tfjs_node: TfjsNode) -> None:
    before = "x: float32[4,3]\ns = Split(axis, w) num_split=2\na = Mul(x, s:1)\nb = AddV2(a, s)\nreturn b"
    after = "x: float32[4,3]\na = Mul(x, s/value_1)\nb = AddV2(a, s/value)\nreturn b"
    constants = operands(w=(6,)) | {"axis": np.array(0, np.int32)}
    check_pass(tfjs_node, before, after, [fold_constants.PASS], constants)


def test_keeps_an_op_whose_result_would_be_a_larger_download(tfjs_node: TfjsNode) -> None:
    before = "x: float32[40,30]\nouter = Mul(column, row)\ny = AddV2(x, outer)\nreturn y"
    check_pass(tfjs_node, before, None, [fold_constants.PASS], operands(column=(40, 1), row=(1, 30)))


def test_keeps_an_op_that_is_not_on_the_list(tfjs_node: TfjsNode) -> None:
    before = "x: float32[4]\np = Softmax(w)\ny = AddV2(x, p)\nreturn y"
    check_pass(tfjs_node, before, None, [fold_constants.PASS], operands(w=(4,)))


def test_keeps_a_public_output_computed() -> None:
    """TF.js does not return a weight as an output."""
    graph = parse_graph("y = Neg(w)\nreturn y", operands(w=(4,)))
    (report,) = run_passes(graph, [fold_constants.PASS])
    assert report.applied == 0
    assert graph["y"].op == "Neg"


def test_keeps_an_op_that_waits_for_another() -> None:
    """It may be the constant of one branch only."""
    graph = parse_graph("x: float32[4]\na = Neg(w, ^x)\ny = AddV2(x, a)\nreturn y", operands(w=(4,)))
    (report,) = run_passes(graph, [fold_constants.PASS])
    assert report.applied == 0


def test_leaves_an_op_that_cannot_be_computed_to_the_browser() -> None:
    """It may stand in a branch that never runs, and that TensorFlow does not compute either."""
    bad_shape, bad_index = np.array([5], np.int32), np.array([9], np.int32)
    text = """
        x: float32[4]
        reshaped = Reshape(w, shape)
        sliced = Slice(w, index, one)
        y = AddV2(x, reshaped)
        z = AddV2(x, sliced)
        return y, z
    """
    graph = parse_graph(text, operands(w=(4,)) | {"shape": bad_shape, "index": bad_index, "one": bad_shape})
    (report,) = run_passes(graph, [fold_constants.PASS])
    assert report.applied == 0
    assert graph["reshaped"].op == "Reshape"
