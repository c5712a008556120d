"""SpaceToDepth, which TF.js lacks, and DepthToSpace of integers and booleans become reshapes and a transpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.reference_kernels import channels_first
from tests.traced import traced
from tfjs_magic.passes import lower_space_and_depth, put_channels_last, run_passes

PASSES = [lower_space_and_depth.PASS]
OPS: dict[str, Any] = {"space-to-depth": tf.nn.space_to_depth, "depth-to-space": tf.nn.depth_to_space}


CASES: dict[str, Callable[[Any], Any]] = {
    "space-to-depth": lambda x: tf.nn.space_to_depth(x, 3),
    "space-to-depth-integers": lambda x: tf.nn.space_to_depth(tf.cast(100 * x, tf.int32), 3),
    "depth-to-space-integers": lambda x: tf.nn.depth_to_space(tf.cast(100 * x, tf.int32), 3),
    "depth-to-space-booleans": lambda x: tf.nn.depth_to_space(x > 0, 3),
}


@pytest.mark.parametrize("case", CASES)
def test_lowers(tfjs_node: TfjsNode, case: str) -> None:
    check_lowering(tfjs_node, PASSES, CASES[case], tf.TensorSpec((None, 6, 9, 18), name="x"))


def test_leaves_what_tfjs_has() -> None:
    graph = traced(lambda x: tf.nn.depth_to_space(x, 3), tf.TensorSpec((None, 6, 9, 18), name="x"))
    (report,) = run_passes(graph, PASSES)
    assert (report.applied, dict(report.misses)) == (0, {})


@pytest.mark.parametrize("shape", [(2, None, 6, 8), (2, 4, None, 8), (None, None, None, 8)])
@pytest.mark.parametrize("op", OPS)
def test_computes_sizes(tfjs_node: TfjsNode, op: str, shape: Any) -> None:
    feeds = [
        {"x": np.random.default_rng(n).integers(-99, 99, (2, 4 + 2 * n * (shape[1] is None), 6, 8)).astype(np.int32)}
        for n in range(2)
    ]
    function = lambda x: OPS[op](x, 2)  # noqa: E731
    spec = tf.TensorSpec(shape, tf.int32, name="x")
    check_lowering(tfjs_node, PASSES, function, spec, feeds=feeds)


def test_runs_on_the_gpu(tfjs_node: TfjsNode) -> None:
    check_on_gpu(tfjs_node, lambda x: tf.nn.space_to_depth(x, 2), tf.TensorSpec((2, 4, 6, 3), name="x"))


@pytest.mark.parametrize("op", OPS)
def test_lowers_once_the_channels_are_last(tfjs_node: TfjsNode, op: str) -> None:
    check_lowering(
        tfjs_node,
        [put_channels_last.PASS, *PASSES],
        lambda x: OPS[op](x, 2, "NCHW"),
        tf.TensorSpec((None, 8, 6, 4), tf.int32, name="x"),
        reference=channels_first(lambda x: OPS[op](x, 2)),
    )


def test_refuses_an_unknown_number_of_channels() -> None:
    function = lambda x: tf.nn.space_to_depth(x, 2)  # noqa: E731
    reasons = refusals(PASSES, function, tf.TensorSpec((1, 4, 4, None), name="x"))
    assert reasons == {"the number of channels is unknown"}


def test_refuses_channels_first() -> None:
    """The pipeline puts them last."""
    function = lambda x: tf.nn.space_to_depth(x, 2, "NCHW")  # noqa: E731
    spec = tf.TensorSpec((1, 3, 4, 4), name="x")
    assert refusals(PASSES, function, spec, lacking=False) == {"the channels are not last"}
