"""A condition that is decided before the model runs leaves one branch, and its graph runs synchronously."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_pass
from tests.passes.operands import operands
from tfjs_magic.passes import fold_conditions

PASSES = [fold_conditions.PASS]


def _decided(*, taken: bool) -> dict[str, np.ndarray]:
    return {**operands(w=(3,)), "p": np.array(taken)}


@pytest.mark.parametrize("taken", [False, True])
def test_leaves_the_branch_that_runs(tfjs_node: TfjsNode, *, taken: bool) -> None:
    before = """
        x: float32[2,3]
        known = Identity(p) T=bool
        s = Switch(x, known)
        a = Neg(s)
        drawn = Mul(s:1, w)
        b = Exp(drawn)
        y = Merge(a, b)
        return y, again=s_again
        s_again = Mul(y, x)
    """
    branch = "drawn = Mul(x, w)\nb = Exp(drawn)\n" if taken else "a = Neg(x)\n"
    chosen = "b" if taken else "a"
    after = f"x: float32[2,3]\n{branch}s_again = Mul({chosen}, x)\nreturn y={chosen}, again=s_again"
    check_pass(tfjs_node, before, after, PASSES, _decided(taken=taken))


def test_says_which_branch_ran(tfjs_node: TfjsNode) -> None:
    before = """
        x: float32[2,3]
        s = Switch(x, p)
        a = Neg(s)
        b = Exp(s:1)
        y = Merge(a, b)
        which = Cast(y:1) SrcT=int32 DstT=float32
        z = AddV2(y, which)
        return z
    """
    after = """
        x: float32[2,3]
        b = Exp(x)
        which = Cast(y/index) SrcT=int32 DstT=float32
        z = AddV2(b, which)
        return z
    """
    check_pass(tfjs_node, before, after, PASSES, _decided(taken=True))


def test_lets_constants_of_a_dead_branch_die(tfjs_node: TfjsNode) -> None:
    """Only its control input says that a constant belongs to a branch."""
    before = """
        x: float32[2,3]
        s = Switch(p, p) T=bool
        pivot = Identity(s) T=bool
        kept = Identity(s:1) T=bool
        dead = Identity(w, ^pivot)
        d = Switch(x, p)
        b = Exp(d:1)
        y = Merge(dead, b)
        return y
    """
    check_pass(tfjs_node, before, "x: float32[2,3]\nb = Exp(x)\nreturn y=b", PASSES, _decided(taken=True))


def test_folds_one_condition_in_another(tfjs_node: TfjsNode) -> None:
    before = """
        x: float32[2,3]
        s = Switch(x, p)
        inner = Switch(s:1, q)
        a = Neg(inner)
        b = Exp(inner:1)
        m = Merge(a, b)
        c = Tanh(s)
        y = Merge(c, m)
        return y
    """
    constants = {**operands(), "p": np.array(1, bool), "q": np.array(0, bool)}
    check_pass(tfjs_node, before, "x: float32[2,3]\na = Neg(x)\nreturn y=a", PASSES, constants)


def test_leaves_what_the_input_decides(tfjs_node: TfjsNode) -> None:
    before = """
        x: float32[2,3]
        q: bool[]
        s = Switch(x, q)
        a = Neg(s)
        b = Exp(s:1)
        y = Merge(a, b)
        return y
    """
    x = np.random.default_rng(1).normal(size=(2, 3)).astype(np.float32)
    feeds = [{"x": x, "q": np.array(q)} for q in (True, False)]
    check_pass(tfjs_node, before, None, PASSES, {}, feeds=feeds)
