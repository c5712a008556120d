"""Booleans are reversed as integers, as wasm reads them wrongly."""

from __future__ import annotations

import numpy as np

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_pass
from tfjs_magic.passes import lower_bool_reverse

AXIS = {"axis": np.array([1], np.int32)}


def test_lowers(tfjs_node: TfjsNode) -> None:
    before = "m: bool[3,5]\ny = ReverseV2(m, axis) T=bool Tidx=int32\nreturn y"
    after = """
        m: bool[3,5]
        y/numbers = Cast(m) SrcT=bool DstT=int32
        y/reversed = ReverseV2(y/numbers, axis) T=int32 Tidx=int32
        y = Cast(y/reversed) SrcT=int32 DstT=bool
        return y
    """
    feeds = [{"m": np.random.default_rng(seed).integers(0, 2, (3, 5)) > 0} for seed in (1, 2)]
    check_pass(tfjs_node, before, after, [lower_bool_reverse.PASS], AXIS, feeds=feeds)


def test_leaves_numbers_alone(tfjs_node: TfjsNode) -> None:
    before = "x: float32[3,5]\ny = ReverseV2(x, axis) Tidx=int32\nreturn y"
    check_pass(tfjs_node, before, None, [lower_bool_reverse.PASS], AXIS)
