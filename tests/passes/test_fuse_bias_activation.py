"""A linear op, its bias and its activation become one kernel call, where every backend computes it rightly."""

from __future__ import annotations

import pytest

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_pass, misses
from tests.passes.operands import LINEAR, linear_constants, operands, random_array
from tfjs_magic.passes import fuse_bias_activation

MATMUL = "x: float32[4,5]\ny = MatMul(x, w)\n"
FUSED = {"Conv2D": "_FusedConv2D", "DepthwiseConv2dNative": "FusedDepthwiseConv2dNative", "MatMul": "_FusedMatMul"}
FUSABLE = [kind for kind, (_, line, _, _) in LINEAR.items() if "transpose" not in line and line.split("(")[0] in FUSED]
ACTIVATIONS = ["Relu", "Relu6", "Elu", "Sigmoid", "LeakyRelu"]
NO_BIAS = "what is added is no bias"


def _fused(kind: str, name: str, *operands: str, ops: str, attrs: str = "") -> str:
    """Write the fused node of an entry of LINEAR."""
    op, _, rest = LINEAR[kind][1].partition("(")
    inputs, _, own = rest.partition(")")
    return f"{name} = {FUSED[op]}({', '.join([inputs, *operands])}) fused_ops=[{ops}]{attrs}{own}"


@pytest.mark.parametrize("kind", FUSABLE)
def test_fuses_a_bias(tfjs_node: TfjsNode, kind: str) -> None:
    inputs, line, _, channels = LINEAR[kind]
    constants = linear_constants(kind) | operands(b=(channels,))
    before = f"{inputs}\ny = {line}\nz = BiasAdd(y, b)\nreturn out=z"
    after = f"{inputs}\n{_fused(kind, 'z', 'b', ops='BiasAdd')}\nreturn out=z"
    check_pass(tfjs_node, before, after, [fuse_bias_activation.PASS], constants)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", FUSABLE)
def test_fuses_bias_and_activation(tfjs_node: TfjsNode, kind: str, activation: str) -> None:
    inputs, line, _, channels = LINEAR[kind]
    constants = linear_constants(kind) | operands(b=(1, channels))
    leaky = activation == "LeakyRelu"
    before = f"{inputs}\ny = {line}\na = AddV2(b, y)\nz = {activation}(a){' alpha=0.35' if leaky else ''}\nreturn out=z"
    if leaky and "Depthwise" in line:
        # TF.js does not read the slope there, and gives NaN.
        lines = [inputs, _fused(kind, "a", "b_1", ops="BiasAdd"), "z = LeakyRelu(a) alpha=0.35", "return out=z"]
    else:
        attrs = " leakyrelu_alpha=0.35" if leaky else ""
        lines = [inputs, _fused(kind, "z", "b_1", ops=f"BiasAdd, {activation}", attrs=attrs), "return out=z"]
    check_pass(tfjs_node, before, "\n".join(lines), [fuse_bias_activation.PASS], constants)


@pytest.mark.parametrize("alpha", ["0.0", "0.2", "1.5"])
def test_keeps_the_slope_of_a_leaky_relu(tfjs_node: TfjsNode, alpha: str) -> None:
    before = f"{MATMUL}z = LeakyRelu(y) alpha={alpha}\nreturn z"
    after = (
        "x: float32[4,5]\n"
        f"z = _FusedMatMul(x, w) fused_ops=[noop, LeakyRelu] num_args=0 leakyrelu_alpha={alpha}\nreturn z"
    )
    check_pass(tfjs_node, before, after, [fuse_bias_activation.PASS], operands(w=(5, 6)))


@pytest.mark.parametrize("activation", ["Relu", "Relu6", "Elu", "Sigmoid"])
@pytest.mark.parametrize("kind", FUSABLE)
def test_fuses_an_activation_without_bias(tfjs_node: TfjsNode, kind: str, activation: str) -> None:
    inputs, line, _, _ = LINEAR[kind]
    before = f"{inputs}\ny = {line}\nz = {activation}(y)\nreturn out=z"
    after = f"{inputs}\n{_fused(kind, 'z', ops=f'noop, {activation}', attrs=' num_args=0')}\nreturn out=z"
    check_pass(tfjs_node, before, after, [fuse_bias_activation.PASS], linear_constants(kind))


@pytest.mark.parametrize("shape", [(), (1,), (6,), (1, 6)], ids=str)
@pytest.mark.parametrize("add", ["Add(y, b)", "AddV2(b, y)"])
def test_takes_a_bias_on_either_side_in_every_shape(tfjs_node: TfjsNode, add: str, shape: tuple[int, ...]) -> None:
    before = f"{MATMUL}z = {add}\nreturn z"
    bias = "b" if shape == (6,) else "b_1"
    after = f"x: float32[4,5]\nz = _FusedMatMul(x, w, {bias}) fused_ops=[BiasAdd]\nreturn z"
    check_pass(tfjs_node, before, after, [fuse_bias_activation.PASS], operands(w=(5, 6), b=shape))


def test_fuses_two_ops_that_share_weights_and_bias(tfjs_node: TfjsNode) -> None:
    before = (
        "x: float32[4,5]\nu: float32[3,5]\ny = MatMul(x, w)\na = BiasAdd(y, b)\nz = Relu(a)\n"
        "v = MatMul(u, w)\nq = BiasAdd(v, b)\nreturn z, q"
    )
    after = (
        "x: float32[4,5]\nu: float32[3,5]\nz = _FusedMatMul(x, w, b) fused_ops=[BiasAdd, Relu]\n"
        "q = _FusedMatMul(u, w, b) fused_ops=[BiasAdd]\nreturn z, q"
    )
    check_pass(tfjs_node, before, after, [fuse_bias_activation.PASS], operands(w=(5, 6), b=(6,)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "a = AddV2(y, b)\nz = Relu(a)\nq = Exp(a)\nreturn z, q",
            "a = _FusedMatMul(x, w, b) fused_ops=[BiasAdd]\nz = Relu(a)\nq = Exp(a)\nreturn z, q",
            id="sum-has-second-consumer",
        ),
        pytest.param(
            "a = AddV2(y, b)\nz = Relu(a)\nreturn z, a",
            "a = _FusedMatMul(x, w, b) fused_ops=[BiasAdd]\nz = Relu(a)\nreturn z, a",
            id="sum-is-an-output",
        ),
        pytest.param(
            "a = AddV2(y, b)\nz = Relu(a)\nq = Tanh(z)\nreturn q",
            "z = _FusedMatMul(x, w, b) fused_ops=[BiasAdd, Relu]\nq = Tanh(z)\nreturn q",
            id="one-activation-only",
        ),
        pytest.param(
            "a = AddV2(y, b)\nz = Tanh(a)\nreturn z",
            "a = _FusedMatMul(x, w, b) fused_ops=[BiasAdd]\nz = Tanh(a)\nreturn z",
            id="activation-that-is-not-fused",
        ),
    ],
)
def test_fuses_as_far_as_nothing_else_looks_inside(tfjs_node: TfjsNode, before: str, after: str) -> None:
    check_pass(
        tfjs_node, MATMUL + before, f"x: float32[4,5]\n{after}", [fuse_bias_activation.PASS], operands(w=(5, 6), b=(6,))
    )


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param("z = Relu(y)\nq = Exp(y)\nreturn z, q", id="second-consumer"),
        pytest.param("z = Relu(y)\nreturn z, y", id="public-output"),
        pytest.param("z = AddV2(y, y)\nreturn z", id="added-to-itself"),
        pytest.param("z = AddV2(y, b)\nq = AddV2(y, c)\nreturn z, q", id="two-biases"),
    ],
)
def test_leaves_an_op_alone_that_others_use(tfjs_node: TfjsNode, tail: str) -> None:
    constants = {k: v for k, v in operands(w=(5, 6), b=(6,), c=(6,)).items() if f", {k})" in MATMUL + tail}
    reports = check_pass(tfjs_node, MATMUL + tail, None, [fuse_bias_activation.PASS], constants)
    assert misses(reports) <= {NO_BIAS}


@pytest.mark.parametrize("shape", [(4, 1), (4, 6), (1, 1, 6)], ids=str)
def test_keeps_an_addend_that_is_no_bias(tfjs_node: TfjsNode, shape: tuple[int, ...]) -> None:
    constants = operands(w=(5, 6)) | {"b": random_array("b", *shape)}
    reports = check_pass(tfjs_node, f"{MATMUL}z = AddV2(y, b)\nreturn z", None, [fuse_bias_activation.PASS], constants)
    assert misses(reports) == {NO_BIAS}


def test_keeps_a_residual(tfjs_node: TfjsNode) -> None:
    before = "x: float32[4,5]\nr: float32[4,6]\ny = MatMul(x, w)\na = AddV2(y, r)\nz = Relu(a)\nreturn z"
    assert misses(check_pass(tfjs_node, before, None, [fuse_bias_activation.PASS], operands(w=(5, 6)))) == {NO_BIAS}


@pytest.mark.parametrize("kind", ["matmul-transpose-a", "matmul-transpose-b"])
def test_keeps_a_transposed_matmul(tfjs_node: TfjsNode, kind: str) -> None:
    """TF.js's fused wasm kernel adds the bias of such a one at the wrong places."""
    inputs, line, _, channels = LINEAR[kind]
    constants = linear_constants(kind) | operands(b=(channels,))
    before = f"{inputs}\ny = {line}\na = BiasAdd(y, b)\nz = Relu(a)\nreturn out=z"
    reports = check_pass(tfjs_node, before, None, [fuse_bias_activation.PASS], constants)
    assert misses(reports) == {"wasm's fused matmul is wrong with transposed operands"}


def test_keeps_a_matmul_of_data(tfjs_node: TfjsNode) -> None:
    before = "x: float32[4,5]\nv: float32[5,6]\ny = MatMul(x, v)\nz = BiasAdd(y, b)\nreturn z"
    reports = check_pass(tfjs_node, before, None, [fuse_bias_activation.PASS], operands(b=(6,)))
    assert misses(reports) == {"the weights are computed, or the channels are not last"}


def test_keeps_a_bias_that_every_step_of_a_loop_adds(tfjs_node: TfjsNode) -> None:
    steps = [f"y{i} = MatMul(h{i}, u)\nz{i} = BiasAdd(y{i}, b)\nh{i + 1} = Tanh(z{i})" for i in range(4)]
    text = "\n".join(["h0: float32[1,6]", *steps, "return h4"])
    reports = check_pass(tfjs_node, text, None, [fuse_bias_activation.PASS], operands(u=(6, 6), b=(6,)))
    assert misses(reports) == {"every step of a loop adds this bias"}
