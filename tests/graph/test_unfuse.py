"""A graph whose fused ops were taken apart gives in TensorFlow what TF.js gives of the fused ones."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS, parse_graph, run_tensorflow, tfjs_model
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.graph.unfuse import spread_kernels, unfuse


def _normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


_IMAGE = "x: float32[2,6,6,3]"
_ROWS = "x: float32[2,6]"
CONV = {"w": _normal(3, 3, 3, 4), "b": _normal(4)}
DEPTHWISE = {"w": _normal(3, 3, 3, 2), "b": _normal(6)}
DENSE = {"w": _normal(6, 4), "b": _normal(4), "a": np.abs(_normal(4))}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("line", "constants"),
    [
        ("_FusedConv2D(x, w, b) fused_ops=[BiasAdd,Relu]", CONV),
        ("_FusedConv2D(x, w) fused_ops=[noop,Elu] num_args=0", CONV),
        ("_FusedConv2D(x, w, b) fused_ops=[BiasAdd,LeakyRelu] leakyrelu_alpha=0.3", CONV),
        ("FusedDepthwiseConv2dNative(x, w, b) fused_ops=[BiasAdd,Relu6]", DEPTHWISE),
        ("FusedDepthwiseConv2dNative(x, w, b) fused_ops=[BiasAdd]", DEPTHWISE),
        ("_FusedMatMul(x, w, b) fused_ops=[BiasAdd,Sigmoid]", DENSE),
        ("_FusedMatMul(x, w, b, a) fused_ops=[BiasAdd,Prelu] num_args=2", DENSE),
    ],
)
def test_parts_compute_what_the_fused_op_does(
    tfjs_node: TfjsNode, line: str, constants: dict[str, np.ndarray], backend: str
) -> None:
    text = f"{_ROWS if 'MatMul' in line else _IMAGE}\ny = {line}\nreturn y"
    feed = {"x": 3 * _normal(2, 6) if "MatMul" in line else 3 * _normal(2, 6, 6, 3)}
    fused = tfjs_node.run(tfjs_model(parse_graph(text, constants)), feed, backend)  # type: ignore[arg-type]
    graph = parse_graph(text, constants)
    unfuse(graph)
    graph.check()
    graph.sort()
    (parts,) = run_tensorflow(graph, [feed])
    assert_matches(fused, parts)


def test_a_slope_of_its_own_is_taken_apart(tfjs_node: TfjsNode) -> None:
    text = f"{_ROWS}\nz = Relu(y)\ny = Prelu(x, a)\nreturn z, y"
    constants = {"a": np.abs(_normal(6))}
    feed = {"x": _normal(2, 6)}
    fused = tfjs_node.run(tfjs_model(parse_graph(text, constants)), feed, "cpu")
    graph = parse_graph(text, constants)
    unfuse(graph)
    graph.sort()
    (parts,) = run_tensorflow(graph, [feed])
    assert_matches(fused, parts)


def test_an_unknown_step_is_refused() -> None:
    graph = parse_graph(f"{_ROWS}\ny = _FusedMatMul(x, w, b) fused_ops=[BiasAdd,Gelu]\nreturn y", DENSE)
    with pytest.raises(UnsupportedModelError, match="Node 'y' fuses 'Gelu' into _FusedMatMul"):
        unfuse(graph)


@pytest.mark.parametrize("rates", ["2,3", "1,2", "4,1"])
def test_tensorflow_runs_dilated_depthwise_kernels_spread(tfjs_node: TfjsNode, rates: str) -> None:
    line = f"y = DepthwiseConv2dNative(x, w) padding=SAME dilations=[1,{rates},1]"
    graph = parse_graph(f"{_IMAGE}\n{line}\nreturn y", {"w": _normal(2, 3, 3, 2)})
    feed = {"x": _normal(2, 6, 6, 3)}
    dilated = tfjs_node.run(tfjs_model(graph), feed, "cpu")
    spread_kernels(graph)
    graph.check()
    graph.sort()
    (spread,) = run_tensorflow(graph, [feed])
    assert_matches(dilated, spread)
    assert graph["w"].value is not None
