"""Complex numbers run as two real tensors: wasm has no complex numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, check_pass, misses, refusals
from tests.passes.operands import random_array
from tests.traced import converted, python_outputs, traced
from tfjs_magic.errors import UnsupportedOpsError
from tfjs_magic.ops.check import missing_per_backend
from tfjs_magic.passes import PIPELINE, run_passes, split_complex

VECTOR = random_array("real", 12) + 1j * random_array("imaginary", 12)


def _parts(z: Any) -> tuple[Any, Any]:
    return tf.math.real(z), tf.math.imag(z)


#: Functions of two complex numbers (…, 12) that give real ones.
CASES: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda z, w: _parts(z + w - VECTOR),
    "product": lambda z, w: _parts(z * w * tf.math.conj(z)),
    "constant": lambda z, _: _parts(VECTOR * z),
    "quotient": lambda z, w: _parts(z / w),
    "square-exp": lambda z, w: (*_parts(tf.square(z)), *_parts(tf.exp(w)), tf.abs(-z)),
    "reduced": lambda z, w: (*_parts(tf.reduce_sum(z, 1)), *_parts(tf.reduce_mean(w, [0, 1], keepdims=True))),
    "joined": lambda z, w: _parts(tf.concat([tf.stack([z, w], 1), z[:, None]], 1)[:, 1:, 2:7]),
    "moved": lambda z, _: _parts(
        tf.pad(tf.reverse(tf.tile(tf.gather(z, [3, 1, 2], axis=1), [1, 2]), [1]), [[0, 0], [1, 2]])[:, 1:-2]
    ),
    "reshaped": lambda z, w: _parts(tf.transpose(tf.reshape(z, [-1, 3, 4]), [0, 2, 1])[..., None] + w[0, 0]),
    "to-real": lambda z, w: (tf.cast(z, tf.float32), tf.cast(tf.shape(w) * 2, tf.float32) * tf.abs(z[0, 0])),
    "angle": lambda z, w: tf.math.angle(z * w),
    "product-used-twice": lambda z, w: (tf.abs(p := z * w), *_parts(p + z)),
    "broadcast": lambda z, w: _parts(tf.complex(tf.abs(z), tf.abs(w[:1, :1])) * z),
    "broadcast-zero": lambda z, _: _parts(tf.complex(tf.abs(z), 0.0) * z),
    "from-integers": lambda z, _: _parts(tf.cast(tf.cast(9 * tf.abs(z), tf.int32), tf.complex64) * z),
}


@pytest.mark.parametrize("shape", [(2, 12), (None, 12)], ids=["static", "free"])
@pytest.mark.parametrize("case", CASES)
def test_splits(tfjs_node: TfjsNode, case: str, shape: Any) -> None:
    specs = [tf.TensorSpec(shape, name=name) for name in "abcd"]
    function = lambda a, b, c, d: CASES[case](tf.complex(a, b), tf.complex(c, d))  # noqa: E731
    check_lowering(tfjs_node, [split_complex.PASS], function, *specs)


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda z: z * VECTOR, id="product"),
        pytest.param(lambda z: _parts(z[:, ::2] * 2j), id="slice"),
        pytest.param(tf.signal.fft, id="transform"),
        pytest.param(lambda z: (tf.abs(z), tf.math.angle(z)), id="polar"),
    ],
)
def test_complex_inputs_and_outputs_run_where_there_are_complex_numbers(
    tfjs_node: TfjsNode, function: Callable[[Any], Any]
) -> None:
    spec = tf.TensorSpec((3, 12), tf.complex64, name="z")
    feed = {"z": (random_array("u", 3, 12) + 1j * random_array("v", 3, 12)).astype(np.complex64)}
    model = converted(function, spec)
    assert_matches(tfjs_node.run(model, feed, "cpu"), python_outputs(function, feed, spec))
    graph = traced(function, spec)
    for group in PIPELINE.values():
        run_passes(graph, group)
    assert missing_per_backend(graph)["wasm"]


def test_what_comes_from_a_transform_of_unknown_length_stays_and_is_listed(tfjs_node: TfjsNode) -> None:
    def function(x: Any) -> Any:
        return tf.abs(tf.signal.rfft(x)[:, 1:] * np.complex64(1 + 2j))

    spec = tf.TensorSpec((None, None), name="x")
    graph = traced(function, spec)
    for group in PIPELINE.values():
        run_passes(graph, group)
    assert missing_per_backend(graph)["wasm"] == ("Imag", "RFFT", "Real")
    feed = {"x": random_array("x", 3, 16)}
    assert_matches(tfjs_node.run(converted(function, spec), feed), python_outputs(function, feed, spec))


def test_an_op_without_a_rule_is_refused() -> None:
    with pytest.raises(UnsupportedOpsError, match="Sqrt") as caught:
        converted(lambda x: tf.abs(tf.sqrt(tf.complex(x, x))), tf.TensorSpec((3,), name="x"))
    assert list(caught.value.ops) == ["Sqrt"]


def test_refuses_the_parts_of_what_is_not_split() -> None:
    reasons = refusals([split_complex.PASS], _parts, tf.TensorSpec((3, 12), tf.complex64, name="z"))
    assert reasons == {"the complex numbers come from an op that is not split"}


def test_real_numbers_are_left_alone(tfjs_node: TfjsNode) -> None:
    text = "x: float32[3]\na = Mul(x, x)\ny = Neg(a)\nreturn y, a"
    assert misses(check_pass(tfjs_node, text, None, [split_complex.PASS], {})) == set()
