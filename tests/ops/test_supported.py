"""The op table is what the npm packages say, and TF.js behaves as it says."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conformance.compare import FLOAT32_TOLERANCE, assert_matches, relative_error
from tests.conformance.handmade import graph_model, node
from tests.conformance.node import JS_DIR, Backend, JsError, TfjsNode, find_node
from tfjs_magic.artifacts import Array
from tfjs_magic.model import TfjsModel
from tfjs_magic.options import BACKENDS

TABLE_FILE = Path(__file__).parents[2] / "tfjs_magic" / "ops" / "supported.json"
TABLE: dict[str, Any] = json.loads(TABLE_FILE.read_text(encoding="utf-8"))
NODE_BACKENDS: tuple[Backend, ...] = ("cpu", "wasm")

#: Activations as TF.js computes them, on float64.
ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "leakyrelu": lambda x: np.where(x > 0, x, 0.3 * x),
    "prelu": lambda x: np.where(x > 0, x, 0.25 * x),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


@pytest.mark.needs_node
def test_regenerating_gives_the_committed_file(tmp_path: Path) -> None:
    """Who changes the npm packages or the hand-kept list runs ``npm run op-table``."""
    target = tmp_path / "supported.json"
    subprocess.run([str(find_node()), "scripts/op_table.mjs", str(target)], cwd=JS_DIR, check=True, timeout=60)
    assert target.read_bytes() == TABLE_FILE.read_bytes()


def test_ops_are_those_of_the_converter() -> None:
    assert TABLE["tfjs_version"] == "4.22.0"
    assert len(TABLE["ops"]) == 242
    assert TABLE["ops"]["Conv2D"] == "convolution"
    assert "Erfc" not in TABLE["ops"]
    assert "RaggedRange" not in TABLE["ops"], "listed, but the converter does not read that list"
    assert "SimpleMLCreateModelResource" not in TABLE["ops"], "decision forests need a package that we do not ship"


def test_missing_ops_are_listed_per_backend() -> None:
    missing = TABLE["missing"]
    assert sorted(missing) == sorted(BACKENDS)
    assert missing["cpu"] == missing["webgl"] == []
    assert {"Einsum", "FFT", "RFFT", "StaticRegexReplace"} <= set(missing["wasm"])
    assert {"Unique", "StringSplit", "BitwiseAnd"} <= set(missing["webgpu"])
    assert not {"Abs", "Transpose", "Ones", "_FusedConv2D"} & set(missing["wasm"]), "complex numbers and gradients only"


def test_every_wrong_kernel_is_an_op_of_the_converter() -> None:
    for row in TABLE["wrong"]:
        assert sorted(row) == ["backends", "op", "what", "when"]
        assert row["op"] in TABLE["ops"]
        assert set(row["backends"]) <= set(BACKENDS)


def _is_wrong(op: str, backend: Backend) -> bool:
    return any(row["op"] == op and backend in row["backends"] for row in TABLE["wrong"])


# ---- fused activations


def _fused_attrs(activation: str) -> dict[str, Any]:
    attrs: dict[str, Any] = {"fused_ops": ["BiasAdd", activation], "num_args": 2 if activation == "prelu" else 1}
    return attrs | ({"leakyrelu_alpha": 0.3} if activation == "leakyrelu" else {})


def _fused_model(op: str, activation: str, weights: dict[str, Array]) -> TfjsModel:
    attrs = _fused_attrs(activation)
    if op != "_FusedMatMul":
        attrs |= {"strides": [1, 1, 1, 1], "dilations": [1, 1, 1, 1], "padding": "VALID", "data_format": "NHWC"}
    if activation == "prelu":
        weights["alpha"] = np.full(4, 0.25, np.float32)
    constants = [node(name, "Const") for name in weights]
    return graph_model(
        [node("x", "Placeholder"), *constants, node("y", op, "x", *weights, **attrs)], weights, y="float32"
    )


@pytest.mark.parametrize("backend", NODE_BACKENDS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("op", ["_FusedConv2D", "FusedDepthwiseConv2dNative", "_FusedMatMul"])
def test_fused_activation_is_listed_if_it_is_right(
    tfjs_node: TfjsNode, op: str, activation: str, backend: Backend
) -> None:
    """Each output is one weighted sum, as the window covers the whole input; they reach from below 0 to above 6."""
    listed = activation in TABLE["fused_activations"][backend][op]
    rng = np.random.default_rng(3)
    x = rng.normal(size=(8, 2, 2, 4)).astype(np.float32)
    bias = rng.normal(size=4).astype(np.float32)
    if op == "FusedDepthwiseConv2dNative":
        kernel = 3 * rng.normal(size=(2, 2, 4, 1)).astype(np.float32)
        sums = (x * kernel[..., 0]).sum((1, 2), dtype=np.float64) + bias
    else:
        kernel = 3 * rng.normal(size=(2, 2, 4, 4)).astype(np.float32)
        sums = np.tensordot(x.astype(np.float64), kernel, 3) + bias
    assert sums.min() < -1
    assert sums.max() > 7
    expected = ACTIVATIONS[activation](sums)
    if op == "_FusedMatMul":
        x, kernel = x.reshape(8, 16), kernel.reshape(16, 4)
    else:
        expected = expected.reshape(8, 1, 1, 4)
    model = _fused_model(op, activation, {"kernel": kernel, "bias": bias})
    right = relative_error(tfjs_node.run(model, {"x": x}, backend)["y"], expected) <= FLOAT32_TOLERANCE
    assert right == listed


def test_leaky_relu_is_not_fused_into_depthwise_convolutions() -> None:
    """The converter does not read its slope there."""
    for backend in BACKENDS:
        assert "leakyrelu" not in TABLE["fused_activations"][backend]["FusedDepthwiseConv2dNative"]
        assert "leakyrelu" in TABLE["fused_activations"][backend]["_FusedConv2D"]


@pytest.mark.parametrize("backend", NODE_BACKENDS)
def test_other_activations_are_not_fused(tfjs_node: TfjsNode, backend: Backend) -> None:
    """Tanh stands for what grappler fuses and TF.js cannot."""
    assert "tanh" not in TABLE["fused_activations"][backend]["_FusedMatMul"]
    weights = {"kernel": np.ones((1, 4), np.float32), "bias": np.ones(4, np.float32)}
    with pytest.raises(JsError, match="tanh"):
        tfjs_node.run(_fused_model("_FusedMatMul", "tanh", weights), {"x": np.ones((1, 1), np.float32)}, backend)


# ---- missing kernels


def test_missing_op_fails_on_wasm_and_runs_on_cpu(tfjs_node: TfjsNode) -> None:
    assert "Einsum" in TABLE["missing"]["wasm"]
    model = graph_model(
        [node("x", "Placeholder"), node("y", "Einsum", "x", "x", N=2, equation="ij,jk->ik")], y="float32"
    )
    x = np.arange(4, dtype=np.float32).reshape(2, 2)
    assert_matches(tfjs_node.run(model, {"x": x}), {"y": x @ x})
    with pytest.raises(JsError, match="Kernel 'Einsum' not registered for backend 'wasm'"):
        tfjs_node.run(model, {"x": x}, "wasm")


# ---- wrong kernels: each test fails when TF.js repairs one, and the row can go


@pytest.mark.parametrize("backend", NODE_BACKENDS)
def test_cumsum_over_a_negative_axis_is_wrong(tfjs_node: TfjsNode, backend: Backend) -> None:
    assert _is_wrong("Cumsum", backend)
    x = np.arange(1, 7, dtype=np.float32).reshape(2, 3)

    def cumsum(axis: int) -> Array:
        weights = {"axis": np.array(axis, np.int32)}
        nodes = [node("x", "Placeholder"), node("axis", "Const", dtype="int32"), node("y", "Cumsum", "x", "axis")]
        return tfjs_node.run(graph_model(nodes, weights, y="float32"), {"x": x}, backend)["y"]

    assert np.array_equal(cumsum(0), x.cumsum(0))
    try:
        wrong = cumsum(-2)
    except JsError:
        return
    assert not np.array_equal(wrong, x.cumsum(0))


@pytest.mark.parametrize("backend", NODE_BACKENDS)
def test_bias_add_ignores_the_data_format(tfjs_node: TfjsNode, backend: Backend) -> None:
    assert _is_wrong("BiasAdd", backend)
    bias = np.array([1, 2], np.float32)
    nodes = [node("x", "Placeholder"), node("b", "Const"), node("y", "BiasAdd", "x", "b", data_format="NCHW")]
    result = tfjs_node.run(
        graph_model(nodes, {"b": bias}, y="float32"), {"x": np.zeros((1, 2, 2, 2), np.float32)}, backend
    )
    assert np.array_equal(result["y"], np.broadcast_to(bias, (1, 2, 2, 2)))


def _conv(op: str, *inputs: str, **attrs: Any) -> dict[str, Any]:
    defaults = {"strides": [1, 1, 1, 1], "dilations": [1, 1, 1, 1], "padding": "VALID", "data_format": "NHWC"}
    return node("y", op, *inputs, **defaults | attrs)


def test_nchw_convolution_is_refused_on_wasm(tfjs_node: TfjsNode) -> None:
    weights = {"kernel": np.ones((1, 1, 2, 1), np.float32)}
    nodes = [node("x", "Placeholder"), node("kernel", "Const"), _conv("Conv2D", "x", "kernel", data_format="NCHW")]
    model, x = graph_model(nodes, weights, y="float32"), np.ones((1, 2, 3, 3), np.float32)
    assert_matches(tfjs_node.run(model, {"x": x}), {"y": x.sum(1, keepdims=True)})
    assert _is_wrong("Conv2D", "wasm")
    with pytest.raises(JsError, match="does not support dataFormat"):
        tfjs_node.run(model, {"x": x}, "wasm")


@pytest.mark.parametrize("backend", NODE_BACKENDS)
def test_transposed_convolution_ignores_dilations(tfjs_node: TfjsNode, backend: Backend) -> None:
    """One pixel in, the kernel out: with dilation 2 its four taps stand two apart."""
    assert _is_wrong("Conv2DBackpropInput", backend)
    kernel = np.arange(1, 5, dtype=np.float32).reshape(2, 2, 1, 1)
    weights = {"sizes": np.array([1, 3, 3, 1], np.int32), "kernel": kernel}
    nodes = [
        node("sizes", "Const", dtype="int32"),
        node("kernel", "Const"),
        node("x", "Placeholder"),
        _conv("Conv2DBackpropInput", "sizes", "kernel", "x", dilations=[1, 2, 2, 1]),
    ]
    expected = np.zeros((1, 3, 3, 1), np.float32)
    expected[0, ::2, ::2] = kernel[..., 0]
    try:
        result = tfjs_node.run(
            graph_model(nodes, weights, y="float32"), {"x": np.ones((1, 1, 1, 1), np.float32)}, backend
        )
    except JsError:
        return
    assert not np.array_equal(result["y"], expected)
