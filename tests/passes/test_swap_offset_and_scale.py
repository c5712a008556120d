"""A scale moves from behind an offset to the linear op, where it can be folded."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_pass, misses
from tests.passes.operands import LINEAR, linear_constants, operands, random_array
from tfjs_magic.passes import fold_scale, swap_offset_and_scale

MATMUL = "x: float32[4,5]\ny = MatMul(x, w)\n"
AFTER = "x: float32[4,5]\ny = MatMul(x, w)\nz/scaled = Mul(y, s)\nz = AddV2(z/scaled, b_1)\nreturn out=z"
NOT_PER_CHANNEL = "offset or factor is not one finite number per channel"
ALSO_USED = "the value between also feeds another node or an output"


@pytest.mark.parametrize("kind", LINEAR)
def test_a_batch_norm_behind_a_bias_folds_whole(tfjs_node: TfjsNode, kind: str) -> None:
    """Keras writes it as (Linear + bias) · scale + offset."""
    inputs, line, _, channels = LINEAR[kind]
    constants = linear_constants(kind) | operands(b=(channels,), s=(1, channels))
    before = f"{inputs}\ny = {line}\na = BiasAdd(y, b)\nz = Mul(a, s)\nreturn out=z"
    after = f"{inputs}\ny = {line}\nz = AddV2(y, b_1)\nreturn out=z"
    check_pass(tfjs_node, before, after, [swap_offset_and_scale.PASS, fold_scale.PASS], constants)


@pytest.mark.parametrize("add", ["Add(y, b)", "AddV2(y, b)", "AddV2(b, y)", "BiasAdd(y, b)"])
@pytest.mark.parametrize("mul", ["Mul(a, s)", "Mul(s, a)"])
def test_takes_every_operand_order(tfjs_node: TfjsNode, add: str, mul: str) -> None:
    before = f"{MATMUL}a = {add}\nz = {mul}\nreturn out=z"
    check_pass(tfjs_node, before, AFTER, [swap_offset_and_scale.PASS], operands(w=(5, 6), b=(6,), s=(6,)))


@pytest.mark.parametrize(("b", "s"), [((), ()), ((), (6,)), ((6,), ()), ((1,), (1, 6)), ((1, 1), (1,))], ids=str)
def test_takes_scalars_and_leading_ones(tfjs_node: TfjsNode, b: tuple[int, ...], s: tuple[int, ...]) -> None:
    before = f"{MATMUL}a = AddV2(y, b)\nz = Mul(a, s)\nreturn out=z"
    check_pass(tfjs_node, before, AFTER, [swap_offset_and_scale.PASS], operands(w=(5, 6), b=b, s=s))


@pytest.mark.parametrize(
    ("b", "s"),
    [
        pytest.param(random_array("b", 4, 1), random_array("s", 6), id="offset-per-example"),
        pytest.param(random_array("b", 6), random_array("s", 4, 6), id="factor-per-element"),
        pytest.param(random_array("b", 6), random_array("s", 1, 1, 6), id="factor-that-adds-an-axis"),
        pytest.param(random_array("b", 6), np.array([np.inf] * 6, np.float32), id="infinite-factor"),
    ],
)
def test_keeps_what_is_not_per_channel_and_finite(tfjs_node: TfjsNode, b: np.ndarray, s: np.ndarray) -> None:
    before = f"{MATMUL}a = AddV2(y, b)\nz = Mul(a, s)\nq = MatMul(x, v)\nreturn out=z, telling=q"
    reports = check_pass(
        tfjs_node, before, None, [swap_offset_and_scale.PASS], operands(w=(5, 6), v=(5, 6)) | {"b": b, "s": s}
    )
    assert misses(reports) == {NOT_PER_CHANNEL}


def test_keeps_an_offset_that_the_scale_makes_infinite(tfjs_node: TfjsNode) -> None:
    """The sum of large terms with opposite signs need not be."""
    before = f"{MATMUL}a = AddV2(y, b)\nz = Mul(a, s)\nreturn out=z"
    constants = {"w": np.eye(5, 6, dtype=np.float32) * np.float32(1e38)}
    constants |= {"b": np.full(6, 3e38, np.float32), "s": np.array(1.5, np.float32)}
    assert misses(check_pass(tfjs_node, before, None, [swap_offset_and_scale.PASS], constants)) == {NOT_PER_CHANNEL}


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param("a = AddV2(y, b)\nz = Mul(a, s)\nq = Exp(a)\nreturn z, q", id="sum-has-second-consumer"),
        pytest.param("a = AddV2(y, b)\nz = Mul(a, s)\nreturn z, a", id="sum-is-an-output"),
        pytest.param("a = AddV2(y, b)\nz = Mul(a, s)\nq = Exp(y)\nreturn z, q", id="linear-op-has-second-consumer"),
        pytest.param("a = AddV2(y, b)\nz = Mul(a, s)\nreturn z, y", id="linear-op-is-an-output"),
    ],
)
def test_keeps_what_others_use(tfjs_node: TfjsNode, tail: str) -> None:
    reports = check_pass(
        tfjs_node, MATMUL + tail, None, [swap_offset_and_scale.PASS], operands(w=(5, 6), b=(6,), s=(6,))
    )
    assert misses(reports) == {ALSO_USED}


def test_keeps_the_bias_where_the_scale_could_not_be_folded(tfjs_node: TfjsNode) -> None:
    """With shared weights the swap would only part the linear op from its bias."""
    before = f"{MATMUL}v = MatMul(x, w)\na = AddV2(y, b)\nz = Mul(a, s)\nreturn z, v"
    reports = check_pass(tfjs_node, before, None, [swap_offset_and_scale.PASS], operands(w=(5, 6), b=(6,), s=(6,)))
    assert misses(reports) == {"the weights are shared"}


def test_leaves_a_residual_alone(tfjs_node: TfjsNode) -> None:
    before = "x: float32[4,5]\nr: float32[4,6]\ny = MatMul(x, w)\na = AddV2(y, r)\nz = Mul(a, s)\nreturn z"
    assert (
        misses(check_pass(tfjs_node, before, None, [swap_offset_and_scale.PASS], operands(w=(5, 6), s=(6,)))) == set()
    )
