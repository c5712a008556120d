"""The negation of data goes into a constant factor."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_pass, misses
from tests.passes.operands import operands
from tfjs_magic.passes import merge_negations

PASSES = [merge_negations.PASS]


@pytest.mark.parametrize("product", ["Mul(n, c)", "Mul(c, n)"])
@pytest.mark.parametrize("shape", [(), (6,)], ids=str)
def test_merges(tfjs_node: TfjsNode, product: str, shape: tuple[int, ...]) -> None:
    before = f"x: float32[4,6]\nn = Neg(x)\ny = {product}\nreturn y"
    check_pass(tfjs_node, before, "x: float32[4,6]\ny = Mul(x, c_1)\nreturn y", PASSES, operands(c=shape))


def test_keeps_what_others_use(tfjs_node: TfjsNode) -> None:
    before = "x: float32[4,6]\nn = Neg(x)\ny = Mul(n, c)\nreturn y, n"
    assert misses(check_pass(tfjs_node, before, None, PASSES, operands(c=(6,)))) == {
        "something else uses what is negated"
    }


def test_keeps_two_negations(tfjs_node: TfjsNode) -> None:
    check_pass(tfjs_node, "x: float32[4]\nn = Neg(x)\ny = Mul(n, n)\nreturn y", None, PASSES, {})


def test_keeps_integers(tfjs_node: TfjsNode) -> None:
    """The least integer has no negative."""
    before = "x: int32[4]\nn = Neg(x) T=int32\ny = Mul(n, c) T=int32\nreturn y"
    check_pass(tfjs_node, before, None, PASSES, {"c": np.array([1, -2, 3, 4], np.int32)})
