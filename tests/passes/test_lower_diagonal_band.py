"""The ops on several diagonals of matrices, which TF.js lacks, become gathers of known places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_booleans, lower_diagonal_band

#: On wasm a choice between booleans needs the second one.
PASSES = [lower_diagonal_band.PASS, lower_booleans.PASS]
ALIGN = ["LEFT_LEFT", "LEFT_RIGHT", "RIGHT_LEFT", "RIGHT_RIGHT"]
_diag, _part, _set = tf.linalg.diag, tf.linalg.diag_part, tf.linalg.set_diag


@pytest.mark.parametrize("batch", [2, None], ids=["static", "free"])
@pytest.mark.parametrize("align", ALIGN)
@pytest.mark.parametrize("k", [(-2, 1), (-3, -1), (0, 2), (1, 5), (-4, 5)], ids=str)
def test_bands(tfjs_node: TfjsNode, k: tuple[int, int], align: str, batch: int | None) -> None:
    """X holds matrices wider than tall; transposed they are taller."""
    turned = (-k[1], -k[0])

    def function(x: Any) -> Any:
        found = []
        for matrices, diagonals in ((x, k), (tf.transpose(x, [0, 2, 1]), turned)):
            taken = _part(matrices, k=diagonals, align=align, padding_value=0.5)
            found += [taken, _diag(9 * taken, k=diagonals, align=align, padding_value=9.0)]
            if batch is not None:  # TensorFlow does not trace it
                found.append(_set(matrices, 7 * taken, k=diagonals, align=align))
        return found

    check_lowering(tfjs_node, PASSES, function, tf.TensorSpec((batch, 5, 6), name="x"))


CASES: dict[str, Callable[[Any], Any]] = {
    "larger": lambda x: (
        _diag(x, k=1, num_rows=7),
        _diag(x, num_cols=9, padding_value=7.0),
        _diag(x, k=-2, num_cols=8),
    ),
    "lopsided": lambda x: (_diag(x, k=-2, num_rows=7), _diag(x, k=1, num_cols=6), _diag(x, k=1, num_rows=5)),
    "whole": lambda x: _part(tf.concat([x, 2 * x], 1), k=(-3, 4)),
    "integers": lambda x: _part(tf.cast(x * 9, tf.int32), k=(-1, 1), padding_value=5),
    "booleans": lambda x: (_part(x > 0, k=(-1, 1)), tf.where(_diag(x[:, :2] > 0, k=(0, 1)), 1.0, 2.0)),
    "padding": lambda x: _part(x, k=(-1, 1), padding_value=x[0, 0, 0]),
    "infinite": lambda x: _part(x / tf.cast(x > 0, tf.float32), k=(-1, 0)),
    "V2": lambda x: (
        tf.raw_ops.MatrixDiagPartV2(input=x, k=[-1, 1], padding_value=0.5),
        tf.raw_ops.MatrixSetDiagV2(input=x, diagonal=x[:, :3, :4], k=[-1, 1]),
        tf.raw_ops.MatrixDiagV2(diagonal=x[:, :2], k=[0, 1], num_rows=5, num_cols=6, padding_value=0.5),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str) -> None:
    check_lowering(tfjs_node, PASSES, CASES[case], tf.TensorSpec((2, 4, 5), name="x"))


def test_refuses() -> None:
    reason = "the size of the matrices is unknown, and it is a band of diagonals"
    spec = tf.TensorSpec((2, None, 5), name="x")
    assert refusals([lower_diagonal_band.PASS], lambda x: _part(x, k=(0, 1)), spec) == {reason}
    spec = tf.TensorSpec((2, 3, None), name="x")
    assert refusals([lower_diagonal_band.PASS], lambda x: _diag(x, k=(-1, 1)), spec) == {reason}
