"""Arithmetic that TF.js lacks, or does in another way, becomes arithmetic that it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import FLOAT32_TOLERANCE
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tests.passes.checks import check_lowering, refusals
from tests.traced import converted, traced
from tfjs_magic.passes import lower_arithmetic, run_passes

raw = tf.raw_ops
#: TF.js computes erf with a polynomial whose absolute error is 1.5e-7.
ERF_TOLERANCE = 1e-6


#: webgl and webgpu keep all integers as float32.
EXACT = {"cpu", "wasm"}.issuperset(BACKENDS)


def _integers(x: Any) -> Any:
    return tf.cast(tf.abs(x) * 3, tf.int32) - 4


def _zeros(x: Any) -> Any:
    return tf.nn.relu(x)


def _large(x: Any) -> Any:
    """Integers that float32 does not have, but where GPUs keep all integers as float32."""
    return tf.cast(x * 1e6, tf.int32) * (401 if EXACT else 1) + 1


CASES: dict[str, Callable[[Any], Any]] = {
    "Abs": lambda x: tf.abs(_large(x)),
    "AddN": lambda x: [raw.AddN(inputs=[x * i for i in range(n)]) for n in (8, 13, 14, 23)],
    "AdjustContrastv2": lambda x: tf.image.adjust_contrast(x, 2.0),
    "Asinh": lambda x: tf.asinh(x * 1e5),
    "Bincount": lambda x: raw.Bincount(arr=_integers(x) + 9, size=20, weights=tf.math.abs(x)),
    "DenseBincount": lambda x: (
        tf.math.bincount(tf.reshape(_integers(x) + 4, [-1]), binary_output=True, minlength=30),
        raw.DenseBincount(input=_integers(x[:, 0]) + 4, size=9, weights=x[:, 0] - 3, binary_output=True),
    ),
    "Div": lambda x: raw.Div(x=_integers(x), y=_integers(x) * 0 - 3),
    "Erfc": tf.math.erfc,
    "ClipByValue": lambda x: (
        raw.ClipByValue(t=_integers(x), clip_value_min=-3, clip_value_max=2),
        raw.ClipByValue(t=x, clip_value_min=-tf.abs(x[::-1]), clip_value_max=tf.abs(x[::-1]) / 2),
    ),
    "EuclideanNorm": lambda x: (tf.math.reduce_euclidean_norm(x), tf.math.reduce_euclidean_norm(x, 1, keepdims=True)),
    "FloorDiv": lambda x: (x // 0.3, (10 * x) // (x + 0.1), _large(x) // 3600, _large(x) // (_integers(x) * 2 - 1)),
    "Inv": lambda x: raw.Inv(x=x),
    "Invert": lambda x: tf.bitwise.invert(_integers(x)),
    "Cross": lambda x: (
        tf.linalg.cross(x[..., :3], x[..., 1:4]),
        tf.linalg.cross(_integers(x)[..., :3], _integers(x)[..., 2:5]),
    ),
    "L2Loss": lambda x: tf.stack([tf.nn.l2_loss(x), tf.nn.l2_loss(x[0, 0, 0]), tf.linalg.global_norm([x, x[0] - 1])]),
    "LeftShift": lambda x: (
        tf.bitwise.left_shift(_integers(x), 29 if EXACT else 20),
        tf.bitwise.left_shift(_integers(x), _integers(x) * (5 if EXACT else 2)),
    ),
    "Mod": lambda x: (raw.Mod(x=_integers(x), y=_integers(x) * 0 - 3), raw.Mod(x=x, y=x * 0 - 0.3)),
    # On webgl what is between, 0 times infinity, is no NaN.
    "MulNoNan": lambda x: tf.math.multiply_no_nan(1 / _zeros(x) if EXACT else x, _zeros(x)),
    "Neg": lambda x: -_large(x),
    "RightShift": lambda x: (
        tf.bitwise.right_shift(_large(x), 1),
        tf.bitwise.right_shift(_large(x), tf.cast(x * 30, tf.int32)),
    ),
    "Rint": lambda x: tf.math.rint(4 * x) / 4,
    "Softsign": lambda x: (y := tf.nn.softsign(x), y * x, tf.nn.softsign(y)),
    "Square": lambda x: tf.square(_integers(x) * (4097 if EXACT else 3)),
    "TensorScatterAdd": lambda x: (
        tf.tensor_scatter_nd_add(x, [[0], [1], [0]], tf.stack([x[1], x[0], x[1] * 3])),
        tf.tensor_scatter_nd_add(_integers(x), [[0, 1], [1, 2]], _integers(x)[:, 0]),
    ),
    "TruncateDiv": lambda x: tf.truncatediv(_large(x), 3),
    "TruncateMod": lambda x: tf.truncatemod(_large(x), -3),
    "Xdivy": lambda x: tf.math.xdivy(y := _zeros(x), y),
    "Xlog1py": lambda x: tf.math.xlog1py(y := _zeros(x), y - 1),
    "Xlogy": lambda x: tf.math.xlogy(y := _zeros(x), y),
}


@pytest.mark.parametrize("op", lower_arithmetic._FORMS)
def test_lowers(tfjs_node: TfjsNode, op: str) -> None:
    tolerance = ERF_TOLERANCE if op == "Erfc" else FLOAT32_TOLERANCE
    spec = tf.TensorSpec((2, 4, 6), name="x")
    check_lowering(tfjs_node, [lower_arithmetic.PASS], CASES[op], spec, tolerance=tolerance)


def test_refuses_other_shifts() -> None:
    function = lambda n: tf.bitwise.right_shift(n, 31)  # noqa: E731
    reasons = refusals([lower_arithmetic.PASS], function, tf.TensorSpec((3,), tf.int32, name="n"))
    assert reasons == {"it shifts by 31 bits"}


#: Where a quotient of float32 is off: large quotients, divisors beyond 2²⁴, both ends of int32.
HARD = [
    2**31 - 1,
    -(2**31),
    -(2**31) + 1,
    2**24 + 1,
    -(2**24) - 1,
    2**25 + 1,
    2**25 - 1,
    1700002799,
    -7,
    7,
    1,
    -1,
    3600,
]


def test_divides_all_integers(tfjs_node: TfjsNode) -> None:
    """But for the divisor -2³¹: what is left would not fit."""
    rng = np.random.default_rng(0)
    pairs = [(x, y) for x in HARD for y in HARD[:1] + HARD[2:] if (x, y) != (-(2**31), -1)]
    near = [
        (q * y + rest, y) for y in HARD[2:] for q in (-2, 1, 2, 127) for rest in (-1, 0, 1) if abs(q * y) < 2**31 - 2
    ]
    drawn = rng.integers(-(2**31), 2**31, (20000, 2)) >> rng.integers(0, 30, (20000, 2))
    drawn = drawn[drawn[:, 1] != 0]
    x, y = np.concatenate([pairs, near, drawn] if EXACT else [drawn >> 8 | 1]).astype(np.int32).T
    spec = tf.TensorSpec((None,), tf.int32, name="x"), tf.TensorSpec((None,), tf.int32, name="y")
    model, feed = converted(lambda x, y: x // y, *spec), {"x": x, "y": y}
    for backend in BACKENDS:
        assert np.array_equal(tfjs_node.run(model, feed, backend)["out0"], np.floor_divide(x, y))


@pytest.mark.parametrize("op", ["TruncateDiv", "TruncateMod"])
def test_cuts_towards_zero(tfjs_node: TfjsNode, op: str) -> None:
    """Also -2³¹, which has no absolute value."""
    pairs = [(x, y) for x in HARD for y in HARD[2:] if (x, y) != (-(2**31), -1)]
    x, y = np.int32(pairs if EXACT else [(x, y) for x in (-9, -7, 0, 6, 7) for y in (-7, 2, 3)]).T
    spec = tf.TensorSpec((None,), tf.int32, name="x"), tf.TensorSpec((None,), tf.int32, name="y")
    feeds = [{"x": x, "y": y}, {"x": x[::-1], "y": y}]
    function = lambda x, y: getattr(raw, op)(x=x, y=y)  # noqa: E731
    check_lowering(tfjs_node, [lower_arithmetic.PASS], function, *spec, feeds=feeds)


def test_a_lower_bound_above_the_upper_one_stays(tfjs_node: TfjsNode) -> None:
    def function(x: tf.Tensor) -> list[tf.Tensor]:
        return [x + raw.ClipByValue(t=t, clip_value_min=2, clip_value_max=-1) for t in (x, x - x)]

    for dtype in (tf.float32, tf.int32):
        check_lowering(tfjs_node, [lower_arithmetic.PASS], function, tf.TensorSpec((5,), dtype, name="x"))


@pytest.mark.parametrize("shift", [tf.bitwise.left_shift, tf.bitwise.right_shift])
def test_keeps_the_axes_of_the_number_of_bits(tfjs_node: TfjsNode, shift: Callable[..., Any]) -> None:
    function = lambda x: (shift(x * 9, [[2]]), shift(x[0] * 9, [1]))  # noqa: E731
    check_lowering(tfjs_node, [lower_arithmetic.PASS], function, tf.TensorSpec((5,), tf.int32, name="x"))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: -tf.minimum(tf.maximum(x, 0) + 3, 100),
        lambda x: tf.minimum(tf.abs(x) - 5, 100) // 7,
        lambda x: tf.abs(tf.maximum(-tf.minimum(x - 1, 5), -100)),
    ],
)
@pytest.mark.skipif(not EXACT, reason="webgl and webgpu keep all integers as float32")
def test_what_may_wrap_is_not_small(tfjs_node: TfjsNode, function: Callable[[Any], Any]) -> None:
    feeds = [{"x": np.int32(HARD)}, {"x": np.arange(len(HARD), dtype=np.int32)}]
    check_lowering(
        tfjs_node, [lower_arithmetic.PASS], function, tf.TensorSpec((None,), tf.int32, name="x"), feeds=feeds
    )


def test_leaves_small_integers_as_they_are() -> None:
    function = lambda x: -(tf.abs(x % 100) // 7) + tf.square(x % 9)  # noqa: E731
    graph = traced(function, tf.TensorSpec((3,), tf.int32, name="x"))
    (report,) = run_passes(graph, [lower_arithmetic.PASS])
    assert not report.applied
