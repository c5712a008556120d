"""What webgl and webgpu do on four axes at most is done there: what lies between the axes to work on becomes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_on_gpu, refusals
from tests.traced import traced
from tfjs_magic.passes import count_axis_from_front, merge_axes, run_passes

PASS = merge_axes.PASS
PADS = [[0, 0], [1, 1], [2, 0], [0, 1], [0, 0]]

CASES: dict[str, Callable[[Any], Any]] = {
    "pad-three-axes": lambda x: tf.pad(x, PADS),
    "pad-the-batch-and-channels": lambda x: tf.pad(x, [[1, 0], *PADS[1:4], [0, 2]], constant_values=7.0),
    "pad-one-axis": lambda x: tf.pad(x, [[0, 0]] * 3 + [[2, 1], [0, 0]]),
    "mirror": lambda x: (tf.pad(x, PADS, "SYMMETRIC"), tf.pad(x, [[0, 0], [1, 1], [2, 1], [0, 1], [3, 0]], "REFLECT")),
    "pad-integers": lambda x: tf.pad(tf.cast(5 * x, tf.int32), PADS, constant_values=-3),
    "reverse": lambda x: (tf.reverse(x, [1]), tf.reverse(x, [0, -1]), tf.reverse(x, [1, 2, 3])),
    "accumulate": lambda x: (tf.cumsum(x, 1), tf.math.cumprod(x, 2, exclusive=True), tf.cumsum(x, 4, reverse=True)),
    "tile": lambda x: (tf.tile(x, [1, 2, 1, 3, 1]), tf.tile(x, [2, 1, 2, 3, 2]), tf.repeat(x, 2, axis=2)),
    "tile-integers": lambda x: tf.tile(tf.cast(5 * x, tf.int32), [1, 2, 1, 1, 2]),
    "slice": lambda x: (x[:, :, ::-1], x[..., ::2], x[:, 1:, :, 3:0:-2], x[:, tf.newaxis, ::-1, :, :-1]),
}


@pytest.mark.parametrize("shape", [(2, 2, 3, 4, 5), (None, 2, 3, 4, 5)], ids=["static", "free"])
@pytest.mark.parametrize("case", CASES)
def test_merges(tfjs_node: TfjsNode, case: str, shape: Any) -> None:
    spec = tf.TensorSpec(shape, name="x")
    check_lowering(tfjs_node, [PASS], CASES[case], spec)
    check_on_gpu(tfjs_node, CASES[case], spec)


def test_merges_six_axes(tfjs_node: TfjsNode) -> None:
    spec = tf.TensorSpec((2, 2, 3, 2, 2, 3), name="x")
    function = lambda x: (tf.pad(x, [[0, 0], *PADS]), tf.reverse(x, [1, 4]), x[:, ::-1, ..., ::2])  # noqa: E731
    check_lowering(tfjs_node, [PASS], function, spec)
    check_on_gpu(tfjs_node, function, spec)


def test_layers_that_pad_five_axes(tfjs_node: TfjsNode) -> None:
    """A transposed convolution is lowered to a padded one, whose shape the lowering must say."""
    padding = tf.keras.layers.ZeroPadding3D(((1, 0), (0, 2), (1, 1)))
    transposed = tf.keras.layers.Conv3DTranspose(3, 2, strides=2, padding="same")
    spec = tf.TensorSpec((None, 2, 3, 2, 4), name="x")
    transposed.build(spec.shape)
    check_on_gpu(tfjs_node, lambda x: transposed(padding(x)), spec, tolerance=1e-5)


def test_counts_its_axis_from_the_front_first(tfjs_node: TfjsNode) -> None:
    spec = tf.TensorSpec((2, 2, 3, 4, 5), name="x")
    check_lowering(tfjs_node, [PASS, count_axis_from_front.PASS], lambda x: tf.cumsum(x, -2), spec)


@pytest.mark.parametrize(
    "function", [lambda x: tf.pad(x, PADS[1:]), lambda x: tf.reverse(x, [1]), lambda x: x[:, 1:], lambda x: x[::-1]]
)
def test_leaves_four_axes(function: Callable[[Any], Any]) -> None:
    graph = traced(function, tf.TensorSpec((2, 3, 4, 5), name="x"))
    assert not run_passes(graph, [PASS])[0].applied


@pytest.mark.parametrize(
    ("function", "shape", "reason"),
    [
        (lambda x: tf.pad(x, PADS), (None, 2, None, 4, 5), "more than one size is unknown"),
        (
            lambda x: tf.reverse(x, tf.cast(x[0, 0, 0, 0, :1], tf.int32)),
            (2,) * 5,
            "which axes it works on is computed",
        ),
    ],
)
def test_refuses(function: Callable[[Any], Any], shape: Any, reason: str) -> None:
    assert refusals([PASS], function, tf.TensorSpec(shape, name="x")) == {reason}


def test_refuses_a_slice_that_drops_an_axis() -> None:
    """The pass before it splits such a slice, so that nothing is lacking in the end."""
    spec = tf.TensorSpec((2, 2, 3, 4, 5), name="x")
    assert refusals([PASS], lambda x: x[:, 0, ::-1], spec, lacking=False) == {"it drops an axis"}
