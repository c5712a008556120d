"""The ops on one diagonal of matrices, which TF.js lacks, become choices and sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_booleans, lower_matrix_diagonal

#: On wasm a choice between booleans needs the second one.
PASSES = [lower_matrix_diagonal.PASS, lower_booleans.PASS]

_diag, _part, _set = tf.linalg.diag, tf.linalg.diag_part, tf.linalg.set_diag


def _integers(x: Any) -> Any:
    return tf.cast(tf.abs(x) * 3, tf.int32)


def _turned(x: Any) -> Any:
    return tf.transpose(x, [0, 2, 1])


CASES: dict[str, Callable[[Any], Any]] = {
    "wide": lambda x: (_diag(x), _part(x), _set(x, x[:, :, 0])),
    "tall": lambda x: (_part(y := _turned(x)), _set(y, y[:, 0])),
    **{
        f"diagonal-{k}": lambda x, k=k: (
            _diag(x, k=k, padding_value=0.5),
            _part(x, k=k),
            _part(_turned(x), k=-k),
            _set(x, _part(x, k=k) * 9, k=k),
            _set(y := _turned(x), _part(y, k=-k) * 9, k=-k),
        )
        for k in (-3, -1, 0, 1, 4)
    },
    "padding": lambda x: _diag(x, padding_value=x[0, 0, 0], num_rows=6, num_cols=6),
    "of-one-axis": lambda x: (tf.linalg.tensor_diag(x[0, 0]), tf.linalg.tensor_diag_part(x[0, :, :4])),
    "bytes": lambda x: tf.cast(_part(tf.cast(_integers(x), tf.uint8)), tf.int32),
    "booleans": lambda x: (_part(x > 0), tf.where(_diag(x[0] > 0), 1.0, 2.0)),
    "infinite": lambda x: _part(x[:, :, :4] * (1 / tf.eye(4) - 0.5)),
    "negative-zero": lambda x: 1 / _part(x * tf.constant([[-0.0], [1.0], [-1.0], [0.0]])),
    "integers": lambda x: (_diag(_integers(x)), _part(_integers(x))),
}


@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str) -> None:
    check_lowering(tfjs_node, PASSES, CASES[case], tf.TensorSpec((2, 4, 6), name="x"))


FREE: dict[str, Callable[[Any], Any]] = {
    "eye": lambda x: tf.eye(tf.shape(x)[0]) * x[0, 0, 0],
    "eye-wide": lambda x: tf.eye(tf.shape(x)[0], tf.shape(x)[2]) * x[0, 0, 0],
    "eye-tall": lambda x: tf.eye(tf.shape(x)[2], tf.shape(x)[0]) * x[0, 0, 0],
    "make": lambda x: _diag(x[:, 0, 0]),
    "take": lambda x: _part(tf.transpose(x, [1, 0, 2])),
    "trace": lambda x: tf.linalg.trace(tf.transpose(x, [1, 2, 0])),
    "set": lambda x: _set(y := tf.transpose(x, [1, 0, 2]), y[:, :3, 0] * 0 + 7),
}


@pytest.mark.parametrize("case", FREE)
def test_lowers_what_is_known_only_in_the_browser(tfjs_node: TfjsNode, case: str) -> None:
    feeds = [{"x": np.random.default_rng(seed).normal(size=(3, 4, 6)).astype(np.float32)} for seed in (1, 2)]
    spec = tf.TensorSpec((None, 4, 6), name="x")
    check_lowering(tfjs_node, [lower_matrix_diagonal.PASS], FREE[case], spec, feeds=feeds)


@pytest.mark.parametrize("k", [-2, 1])
@pytest.mark.parametrize("op", ["make", "take", "set"])
def test_lowers_beside_the_main_one_for_matrices_of_any_size(tfjs_node: TfjsNode, op: str, k: int) -> None:
    function = {
        "make": lambda x: _diag(x[:, :, 0], k=k, padding_value=0.5),
        "take": lambda x: _part(x, k=k),
        "set": lambda x: _set(x, tf.ones_like(_part(x, k=k)) * 7, k=k),
    }[op]
    rng = np.random.default_rng(0)
    feeds = [{"x": rng.normal(size=shape).astype(np.float32)} for shape in ((2, 4, 6), (3, 6, 4))]
    spec = tf.TensorSpec((None, None, None), name="x")
    check_lowering(tfjs_node, [lower_matrix_diagonal.PASS], function, spec, feeds=feeds)


@pytest.mark.parametrize(
    ("function", "shape", "reason"),
    [
        (lambda x: _diag(x, k=tf.cast(x[0, 0], tf.int32)), (2, 3), "which diagonal it is, is computed"),
        (lambda x: tf.raw_ops.MatrixDiagPart(input=x), None, "the rank is unknown"),
        (tf.linalg.tensor_diag, (2, 3), "it has more axes than a vector's diagonal"),
    ],
)
def test_refuses(function: Callable[[Any], Any], shape: Any, reason: str) -> None:
    assert refusals([lower_matrix_diagonal.PASS], function, tf.TensorSpec(shape, name="x")) == {reason}


def test_leaves_bands_to_another_pass() -> None:
    function = lambda x: (_diag(x[0], k=(0, 1)), _diag(x[0], num_rows=5), _part(x[0], k=(0, 1)))  # noqa: E731
    spec = tf.TensorSpec((1, 2, 3), name="x")
    assert not refusals([lower_matrix_diagonal.PASS], function, spec, lacking=False)
