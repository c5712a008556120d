"""A product of a sparse matrix and a dense one, which TF.js lacks, becomes rows that are added."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_sparse_matmul

PASSES = [lower_sparse_matmul.PASS]
#: One place twice, which is added; one row and one column of nothing.
PLACES = [[0, 1], [0, 4], [2, 0], [2, 3], [0, 1]]


def _product(values: Any, x: Any, **adjoint: bool) -> Any:
    matrix = tf.SparseTensor(PLACES, values, (4, 5))
    return tf.sparse.sparse_dense_matmul(matrix, x, **adjoint)


@pytest.mark.parametrize("of_sparse", [False, True])
@pytest.mark.parametrize("of_dense", [False, True])
def test_lowers(tfjs_node: TfjsNode, *, of_sparse: bool, of_dense: bool) -> None:
    def function(x: Any, v: Any) -> Any:
        return _product(v, x, adjoint_a=of_sparse, adjoint_b=of_dense)

    inner = 4 if of_sparse else 5
    spec = tf.TensorSpec((None, inner) if of_dense else (inner, None), name="x")
    rng = np.random.default_rng(0)
    feeds = [
        {"x": rng.normal(size=(columns, inner) if of_dense else (inner, columns)), "v": rng.normal(size=5)}
        for columns in (3, 3, 6, 6)
    ]
    for pair in (feeds[:2], feeds[2:]):
        check_lowering(tfjs_node, PASSES, function, spec, tf.TensorSpec((5,), name="v"), feeds=pair)


def test_the_sparse_matrix_is_fed(tfjs_node: TfjsNode) -> None:
    def function(places: Any, v: Any, x: Any) -> Any:
        return tf.sparse.sparse_dense_matmul(tf.SparseTensor(tf.cast(places, tf.int64), v, (3, 4)), x)

    specs = (
        tf.TensorSpec((None, 2), tf.int32, name="places"),
        tf.TensorSpec((None,), name="v"),
        tf.TensorSpec((4, 2), name="x"),
    )
    rng = np.random.default_rng(1)
    feeds = [
        {"places": np.int32(places), "v": rng.normal(size=len(places)), "x": rng.normal(size=(4, 2))}
        for places in ([[0, 1], [2, 3]], [[1, 0], [1, 2], [2, 2]])
    ]
    check_lowering(tfjs_node, PASSES, function, *specs, feeds=feeds)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (tf.TensorSpec(None, name="x"), "the rank of the dense matrix is unknown"),
        (tf.TensorSpec((5, 2), tf.complex64, name="x"), "its numbers are no float32 or int32: cast them before"),
    ],
)
def test_refuses(spec: Any, reason: str) -> None:
    def function(x: Any) -> Any:
        values = tf.cast([1.0, 2.0, 3.0, 4.0, 5.0], x.dtype)
        return tf.raw_ops.SparseTensorDenseMatMul(a_indices=PLACES, a_values=values, a_shape=[4, 5], b=x)

    assert refusals(PASSES, function, spec) == {reason}
