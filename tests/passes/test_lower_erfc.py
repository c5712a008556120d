"""Erfc, which TF.js lacks, becomes 1 - Erf."""

from __future__ import annotations

import numpy as np

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_pass
from tfjs_magic.passes import lower_erfc

#: TF.js computes erf with a polynomial whose absolute error is 1.5e-7.
ERF_TOLERANCE = 1e-6


def test_lowers(tfjs_node: TfjsNode) -> None:
    after = "x: float32[9]\ny/erf = Erf(x)\ny = Sub(y/one, y/erf)\nreturn y"
    x = np.array([-5, -2, -1, -1e-3, 0, 1e-3, 0.5, 1, 2], np.float32)
    feeds = [{"x": x}, {"x": x[::-1].copy()}]
    before = "x: float32[9]\ny = Erfc(x)\nreturn y"
    check_pass(tfjs_node, before, after, [lower_erfc.PASS], {}, feeds=feeds, tolerance=ERF_TOLERANCE)
