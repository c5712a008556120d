"""Inverses, solutions, determinants and Cholesky factors of small matrices become their steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tfjs_magic.passes import lower_matrix_band_part, lower_small_matrices

PASSES = [lower_small_matrices.PASS]
linalg = tf.linalg


def _matrices(*batch: int, size: int, seed: int) -> Any:
    """Draw matrices that are well conditioned, and whose largest numbers are in no order."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(*batch, size, size)) / size + 2 * np.eye(size)
    return (drawn[..., rng.permutation(size), :] * rng.choice([-1, 1], (*batch, size, 1))).astype(np.float32)


def _definite(a: Any) -> Any:
    return tf.matmul(a, a, transpose_b=True)


FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "inverse": lambda a, _: linalg.inv(a),
    "inverse-adjoint": lambda a, _: linalg.inv(a, adjoint=True),
    "solution": linalg.solve,
    "solution-adjoint": lambda a, b: linalg.solve(a, b, adjoint=True),
    "determinant": lambda a, _: (linalg.det(a), linalg.det(a[..., ::-1])),
    "log-determinant": lambda a, _: tf.stack([*linalg.slogdet(a), *linalg.slogdet(a[..., ::-1] * 3)]),
    "log-determinant-alone": lambda a, _: linalg.slogdet(a)[1],
    "cholesky": lambda a, _: linalg.cholesky(_definite(a)),
    "cholesky-solution": lambda a, b: linalg.cholesky_solve(linalg.cholesky(_definite(a)), b),
    **{
        f"triangular-{lower}-{adjoint}": lambda a, b, lower=lower, adjoint=adjoint: linalg.triangular_solve(
            _definite(a), b, lower=lower, adjoint=adjoint
        )
        for lower in (False, True)
        for adjoint in (False, True)
    },
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(("batch", "size"), [((), 3), ((None,), 4)], ids=["one", "batch"])
def test_lowers(tfjs_node: TfjsNode, name: str, batch: Any, size: int) -> None:
    specs = tf.TensorSpec((*batch, size, size), name="a"), tf.TensorSpec((*batch, size, 2), name="b")
    sizes = [3 for _ in batch]
    feeds = [
        {"a": _matrices(*sizes, size=size, seed=seed), "b": np.random.default_rng(seed).normal(size=(*sizes, size, 2))}
        for seed in (1, 2)
    ]
    check_lowering(tfjs_node, PASSES, FUNCTIONS[name], *specs, feeds=feeds)


def test_batches_broadcast(tfjs_node: TfjsNode) -> None:
    def function(a: Any) -> Any:
        triangle, right = linalg.band_part(a, -1, 0), tf.constant(_matrices(size=3, seed=9))
        return linalg.triangular_solve(triangle, right), linalg.triangular_solve(triangle[0], a)

    feeds = [{"a": _matrices(2, size=3, seed=seed) + 3 * np.eye(3, dtype=np.float32)} for seed in (5, 6)]
    passes = [lower_matrix_band_part.PASS, *PASSES]
    check_lowering(tfjs_node, passes, function, tf.TensorSpec((2, 3, 3), name="a"), feeds=feeds)


@pytest.mark.parametrize("size", [1, 2, pytest.param(8, marks=pytest.mark.slow)])
def test_other_sizes(tfjs_node: TfjsNode, size: int) -> None:
    function = lambda a: (linalg.inv(a), linalg.det(a), linalg.cholesky(_definite(a)))  # noqa: E731
    feeds = [{"a": _matrices(2, size=size, seed=seed)} for seed in (3, 4)]
    check_lowering(tfjs_node, PASSES, function, tf.TensorSpec((2, size, size), name="a"), feeds=feeds)


def test_the_determinant_of_a_singular_matrix_is_0(tfjs_node: TfjsNode) -> None:
    singular = np.float32([[[0, 0, 0], [1, 2, 3], [4, 5, 6]], [[0, 1, 2], [0, 3, 1], [0, 2, 2]], np.eye(3)[[1, 0, 2]]])
    feeds = [{"a": singular}, {"a": singular[::-1]}]
    check_lowering(tfjs_node, PASSES, linalg.det, tf.TensorSpec((3, 3, 3), name="a"), feeds=feeds)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (tf.TensorSpec((None, None), name="a"), "the size of its matrices is unknown"),
        (tf.TensorSpec((9, 9), name="a"), "it takes matrices of 9 rows; expected 1 to 8"),
        (tf.TensorSpec((3, 3), tf.complex64, name="a"), "its numbers are no float32: cast them before"),
    ],
)
def test_refuses(spec: Any, reason: str) -> None:
    assert refusals(PASSES, lambda a: tf.raw_ops.MatrixInverse(input=a), spec) == {reason}
