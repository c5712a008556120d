"""Two constant offsets of a linear op become one."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_pass, misses
from tests.passes.operands import LINEAR, linear_constants, operands, random_array
from tfjs_magic.artifacts import Array
from tfjs_magic.passes import merge_offsets

MATMUL = "x: float32[4,5]\ny = MatMul(x, w)\n"
AFTER = f"{MATMUL}z = AddV2(y, b_1)\nreturn out=z"
ALSO_USED = "the value between also feeds another node or an output"


@pytest.mark.parametrize("kind", LINEAR)
def test_adds_the_offsets_of_every_linear_op(tfjs_node: TfjsNode, kind: str) -> None:
    inputs, line, _, channels = LINEAR[kind]
    constants = linear_constants(kind) | operands(b=(channels,), c=(1, channels))
    before = f"{inputs}\ny = {line}\na = BiasAdd(y, b)\nz = AddV2(a, c)\nreturn out=z"
    after = f"{inputs}\ny = {line}\nz = AddV2(y, b_1)\nreturn out=z"
    check_pass(tfjs_node, before, after, [merge_offsets.PASS], constants)


@pytest.mark.parametrize("first", ["Add(y, b)", "AddV2(b, y)", "BiasAdd(y, b)"])
@pytest.mark.parametrize("second", ["Add(c, a)", "AddV2(a, c)", "BiasAdd(a, c)"])
def test_takes_every_operand_order(tfjs_node: TfjsNode, first: str, second: str) -> None:
    before = f"{MATMUL}a = {first}\nz = {second}\nreturn out=z"
    check_pass(tfjs_node, before, AFTER, [merge_offsets.PASS], operands(w=(5, 6), b=(6,), c=(6,)))


@pytest.mark.parametrize(("b", "c"), [((), (6,)), ((6,), ()), ((), ()), ((1, 6), (1,))], ids=str)
def test_takes_scalars_and_leading_ones(tfjs_node: TfjsNode, b: tuple[int, ...], c: tuple[int, ...]) -> None:
    before = f"{MATMUL}a = AddV2(y, b)\nz = AddV2(a, c)\nreturn out=z"
    check_pass(tfjs_node, before, AFTER, [merge_offsets.PASS], operands(w=(5, 6), b=b, c=c))


def test_three_offsets_become_one(tfjs_node: TfjsNode) -> None:
    before = f"{MATMUL}a = BiasAdd(y, b)\nm = AddV2(a, c)\nz = AddV2(d, m)\nreturn out=z"
    after = f"{MATMUL}z = AddV2(y, b_1_1)\nreturn out=z"
    check_pass(tfjs_node, before, after, [merge_offsets.PASS], operands(w=(5, 6), b=(6,), c=(6,), d=()))


@pytest.mark.parametrize(
    "c",
    [
        pytest.param(random_array("c", 4, 1), id="per-example"),
        pytest.param(random_array("c", 4, 6), id="per-element"),
        pytest.param(random_array("c", 1, 1, 6), id="adds-an-axis"),
        pytest.param(np.array([np.nan, 0, 0, 0, 0, 0], np.float32), id="nan"),
        pytest.param(np.full(6, 3e38, np.float32), id="sum-overflows"),
    ],
)
def test_keeps_what_is_not_per_channel_and_finite(tfjs_node: TfjsNode, c: Array) -> None:
    b = np.full(6, 3e38, np.float32) if np.nanmax(np.abs(c)) > 1e3 else random_array("b", 6)
    before = f"{MATMUL}a = AddV2(y, b)\nz = AddV2(a, c)\nq = MatMul(x, v)\nreturn out=z, telling=q"
    if c.ndim == 1:  # such a result alone tells no samples apart
        before = f"{MATMUL}a = AddV2(y, b)\nz = AddV2(a, c)\nq = Mul(z, y)\nreturn out=q"
    constants = {"b": b, "c": c} | operands(w=(5, 6), v=(5, 6))
    reports = check_pass(tfjs_node, before, None, [merge_offsets.PASS], constants)
    assert misses(reports) == {"an offset is not one finite number per channel"}


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param("a = AddV2(y, b)\nz = AddV2(a, c)\nq = Exp(a)\nreturn z, q", id="sum-has-second-consumer"),
        pytest.param("a = AddV2(y, b)\nz = AddV2(a, c)\nreturn z, a", id="sum-is-an-output"),
        pytest.param("a = AddV2(y, b)\nz = AddV2(a, c)\nreturn z, y", id="linear-op-is-an-output"),
        pytest.param("a = BiasAdd(y, b)\ne = BiasAdd(y, c)\nz = AddV2(a, c)\nreturn z, e", id="two-biases"),
    ],
)
def test_keeps_what_others_use(tfjs_node: TfjsNode, tail: str) -> None:
    reports = check_pass(tfjs_node, MATMUL + tail, None, [merge_offsets.PASS], operands(w=(5, 6), b=(6,), c=(6,)))
    assert misses(reports) == {ALSO_USED}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x: float32[4,6]\na = AddV2(x, b)\nz = AddV2(a, c)\nreturn z", id="no-linear-op"),
        pytest.param("x: float32[4,5]\nr: float32[6]\ny = MatMul(x, w)\na = AddV2(y, r)\nz = AddV2(a, c)\nreturn z"),
        pytest.param("x: float32[4,5]\ny = MatMul(x, w)\na = AddV2(y, b)\nz = AddV2(a, a)\nreturn z", id="doubled"),
    ],
)
def test_leaves_other_patterns_alone(tfjs_node: TfjsNode, text: str) -> None:
    constants = {k: v for k, v in operands(w=(5, 6), b=(6,), c=(6,)).items() if f", {k})" in text}
    assert misses(check_pass(tfjs_node, text, None, [merge_offsets.PASS], constants)) == set()
