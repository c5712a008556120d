"""A scale behind a linear op goes into its weights, or stays with a reason."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_pass, misses
from tests.passes.operands import LINEAR, linear_constants, operands, random_array
from tfjs_magic.artifacts import Array
from tfjs_magic.passes import fold_scale

NOT_PER_CHANNEL = "the factor is not one finite number per channel"
ALSO_USED = "the linear op also feeds another node or an output"


def _linear(kind: str) -> str:
    inputs, line, _, _ = LINEAR[kind]
    return f"{inputs}\ny = {line}\n"


@pytest.mark.parametrize("kind", LINEAR)
def test_scales_each_channel(tfjs_node: TfjsNode, kind: str) -> None:
    inputs, line, _, channels = LINEAR[kind]
    constants = linear_constants(kind) | {"s": random_array("s", channels)}
    after = f"{inputs}\ny = {line}\nreturn out=y"
    check_pass(tfjs_node, f"{_linear(kind)}z = Mul(y, s)\nreturn out=z", after, [fold_scale.PASS], constants)


@pytest.mark.parametrize("line", ["Mul(y, s)", "Mul(s, y)"])
@pytest.mark.parametrize("shape", [(), (1,), (4,), (1, 4), (1, 1, 1, 4), (1, 1, 1, 1)], ids=str)
def test_takes_the_factor_on_either_side_in_every_shape(tfjs_node: TfjsNode, line: str, shape: tuple[int, ...]) -> None:
    constants = linear_constants("conv") | {"s": random_array("s", *shape)}
    before = f"{_linear('conv')}z = {line}\nreturn out=z"
    after = "x: float32[2,5,4,3]\ny = Conv2D(x, w) padding=SAME\nreturn out=y"
    check_pass(tfjs_node, before, after, [fold_scale.PASS], constants)


@pytest.mark.parametrize(
    "factor",
    [
        pytest.param(random_array("s", 4, 1), id="along-the-width"),
        pytest.param(random_array("s", 5, 4, 4), id="along-several-axes"),
        pytest.param(random_array("s", 1, 2, 5, 4, 4), id="of-higher-rank"),
        pytest.param(random_array("s", 1, 1, 1, 1, 4), id="that-adds-an-axis"),
    ],
)
def test_keeps_a_factor_that_is_not_per_channel(tfjs_node: TfjsNode, factor: Array) -> None:
    before = f"{_linear('conv')}z = Mul(y, s)\nreturn out=z"
    reports = check_pass(tfjs_node, before, None, [fold_scale.PASS], linear_constants("conv") | {"s": factor})
    assert misses(reports) == {NOT_PER_CHANNEL}


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_keeps_a_factor_that_is_not_finite(tfjs_node: TfjsNode, value: float) -> None:
    """NaN in the weights would reach every pixel that a zero kept away before."""
    factor = np.array([1, value, 2, 3], np.float32)
    before = f"{_linear('conv')}z = Mul(y, s)\nreturn out=z"
    reports = check_pass(tfjs_node, before, None, [fold_scale.PASS], linear_constants("conv") | {"s": factor})
    assert misses(reports) == {NOT_PER_CHANNEL}


def test_keeps_a_factor_that_overflows_the_weights(tfjs_node: TfjsNode) -> None:
    """Small data keep the product finite; the folded weights would be infinite."""
    constants = {"w": random_array("w", 5, 6) * 1e25, "s": np.full(6, 1e25, np.float32)}
    before = "x: float32[4,5]\nsmall = Mul(x, tiny)\ny = MatMul(small, w)\nz = Mul(y, s)\nreturn out=z"
    constants["tiny"] = np.array(1e-25, np.float32)
    reports = check_pass(tfjs_node, before, None, [fold_scale.PASS], constants)
    assert misses(reports) == {"the folded weights are not finite"}


def test_zero_scale_folds(tfjs_node: TfjsNode) -> None:
    """Pruned channels have it."""
    constants = linear_constants("matmul") | {"s": np.array([0, 1, -1, 0, 2, 3], np.float32)}
    after = "x: float32[4,5]\ny = MatMul(x, w)\nreturn out=y"
    check_pass(tfjs_node, f"{_linear('matmul')}z = Mul(y, s)\nreturn out=z", after, [fold_scale.PASS], constants)


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        pytest.param("z = Mul(y, s)\nq = Exp(y)\nreturn out=z, other=q", ALSO_USED, id="second-consumer"),
        pytest.param("z = Mul(y, s)\nreturn out=z, other=y", ALSO_USED, id="public-output"),
        pytest.param("z = Mul(y, s)\nq = Mul(y, s)\nreturn out=z, other=q", ALSO_USED, id="two-scales"),
        pytest.param(
            "v = MatMul(x, w)\nz = Mul(y, s)\nreturn out=z, other=v", "the weights are shared", id="shared-weights"
        ),
    ],
)
def test_keeps_what_others_use(tfjs_node: TfjsNode, tail: str, reason: str) -> None:
    constants = linear_constants("matmul") | operands(s=(6,))
    reports = check_pass(tfjs_node, _linear("matmul") + tail, None, [fold_scale.PASS], constants)
    assert misses(reports) == {reason}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x: float32[4,6]\ny = Relu(x)\nz = Mul(y, s)\nreturn z", id="no-linear-op"),
        pytest.param("x: float32[4,6]\nv: float32[6,6]\ny = MatMul(x, v)\nz = Mul(y, s)\nreturn z", id="data-weights"),
        pytest.param("x: float32[4,5]\ny = MatMul(x, w)\nz = Mul(y, y)\nreturn z", id="squared"),
        pytest.param("x: float32[4,5]\nv: float32[6]\ny = MatMul(x, w)\nz = Mul(y, v)\nreturn z", id="data-factor"),
    ],
)
def test_leaves_other_patterns_alone(tfjs_node: TfjsNode, text: str) -> None:
    constants = {k: v for k, v in operands(w=(5, 6), s=(6,)).items() if f"{k})" in text}
    assert misses(check_pass(tfjs_node, text, None, [fold_scale.PASS], constants)) == set()


def test_a_chain_of_scales_folds_whole(tfjs_node: TfjsNode) -> None:
    before = "x: float32[4,5]\na = MatMul(x, w)\nb = Mul(a, s)\nc = Mul(t, b)\nreturn out=c"
    after = "x: float32[4,5]\na = MatMul(x, w)\nreturn out=a"
    check_pass(tfjs_node, before, after, [fold_scale.PASS], operands(w=(5, 6), s=(6,), t=(1, 6)))


def test_a_shared_factor_folds_into_both(tfjs_node: TfjsNode) -> None:
    before = (
        "x: float32[4,5]\na = MatMul(x, w)\nb = MatMul(x, v)\nc = Mul(a, s)\nd = Mul(s, b)\nreturn first=c, second=d"
    )
    after = "x: float32[4,5]\na = MatMul(x, w)\nb = MatMul(x, v)\nreturn first=a, second=b"
    check_pass(tfjs_node, before, after, [fold_scale.PASS], operands(w=(5, 6), v=(5, 6), s=(6,)))
