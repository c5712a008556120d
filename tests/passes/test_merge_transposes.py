"""Transposes that follow each other become one, through what acts on each value alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_pass
from tfjs_magic.passes import merge_transposes

X = "x: float32[2,3,4]\n"
TURN, SWAP = np.array([1, 2, 0], np.int32), np.array([0, 2, 1], np.int32)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "a = Transpose(x, turn)\ny = Transpose(a, swap)\nreturn y", "y = Transpose(x, y/const)\nreturn y", id="two"
        ),
        pytest.param(
            "a = Transpose(x, swap)\ny = Transpose(a, swap)\nreturn y", "y = Identity(x)\nreturn y", id="undone"
        ),
        pytest.param(
            "a = Transpose(x, swap)\nb = Relu(a)\ny = Transpose(b, swap)\nreturn y",
            "b/Relu = Relu(x)\ny = Identity(b/Relu)\nreturn y",
            id="through-an-activation",
        ),
        pytest.param(
            "a = Transpose(x, swap)\nb = Relu(a)\ny = Transpose(b, swap)\nz = Exp(a)\nreturn y, z", None, id="also-used"
        ),
        pytest.param("a = Transpose(x, swap)\nb = Relu(a)\nreturn a, b", None, id="public-output"),
        pytest.param("a = Transpose(x, swap)\ny = Softmax(a)\nreturn y", None, id="not-on-each-value-alone"),
    ],
)
def test_merges(tfjs_node: TfjsNode, before: str, after: str | None) -> None:
    orders: dict[str, Any] = {k: v for k, v in {"turn": TURN, "swap": SWAP}.items() if k in before}
    check_pass(tfjs_node, X + before, None if after is None else X + after, [merge_transposes.PASS], orders)


def test_the_first_one_stays_for_others(tfjs_node: TfjsNode) -> None:
    before = "a = Transpose(x, swap)\ny = Transpose(a, swap)\nz = Softmax(a)\nreturn y, z"
    after = "a = Transpose(x, swap)\ny = Identity(x)\nz = Softmax(a)\nreturn y, z"
    check_pass(tfjs_node, X + before, X + after, [merge_transposes.PASS], {"swap": SWAP})


def test_leaves_a_computed_order_alone(tfjs_node: TfjsNode) -> None:
    inputs = X + "order: int32[3]\n"
    before = inputs + "a = Transpose(x, order)\nb = Relu(a)\ny = Transpose(b, swap)\nz = Transpose(y, order)\nreturn z"
    feeds = [
        {"x": np.random.default_rng(seed).normal(size=(2, 3, 4)).astype(np.float32), "order": TURN} for seed in (1, 2)
    ]
    check_pass(tfjs_node, before, None, [merge_transposes.PASS], {"swap": SWAP}, feeds=feeds)
