"""What is folded at conversion is what TensorFlow would compute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tfjs_magic.artifacts import Array
from tfjs_magic.graph import evaluate as module
from tfjs_magic.graph.evaluate import evaluate
from tfjs_magic.graph.ir import Attr, DType, Node

#: Two libraries round transcendental functions and sums differently, by a few units in the last place.
ULPS = 16

#: Their products stay far from the subnormal numbers, which TensorFlow takes for zero.
EIGHTHS = st.integers(-32, 32).map(lambda n: n / 8)
FLOATS = st.sampled_from([np.float32, np.float64])
NUMBERS = st.sampled_from([np.float32, np.float64, np.int32, np.int64])


def _elements(dtype: Any) -> st.SearchStrategy[Any]:
    if np.dtype(dtype).kind == "i":
        return st.integers(-100, 100)
    width = np.dtype(dtype).itemsize * 8
    return st.floats(-100, 100, width=width, allow_subnormal=False) | st.sampled_from([np.inf, -np.inf, np.nan, -0.0])


def _arrays(dtypes: st.SearchStrategy[Any], *, dims: tuple[int, int] = (0, 3)) -> st.SearchStrategy[Array]:
    shapes = npst.array_shapes(min_dims=dims[0], max_dims=dims[1], max_side=4)
    return dtypes.flatmap(lambda dtype: npst.arrays(dtype, shapes, elements=_elements(dtype)))


@st.composite
def _pairs(draw: st.DrawFn, dtypes: st.SearchStrategy[Any]) -> tuple[Array, Array]:
    """Two arrays of one dtype that broadcast."""
    dtype = draw(dtypes)
    shapes = draw(npst.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3)).input_shapes
    first, second = (draw(npst.arrays(dtype, shape, elements=_elements(dtype))) for shape in shapes)
    return first, second


def _run(op: str, attrs: dict[str, Attr], *inputs: Array) -> tuple[Array, ...]:
    found = evaluate(Node("y", op, attrs=attrs), inputs)
    assert found is not None
    return found


def _assert_same(got: tuple[Array, ...], expected: Any) -> None:
    wanted = [np.asarray(tensor) for tensor in tf.nest.flatten(expected)]
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        if one.dtype.kind == "f":
            tolerance = ULPS * np.finfo(one.dtype).eps
            scale = float(np.abs(other[np.isfinite(other)]).max(initial=0))
            flushed = float(np.finfo(one.dtype).tiny)  # TensorFlow computes without subnormal numbers
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * scale + flushed)
        else:
            np.testing.assert_array_equal(one, other)


BINARY: dict[str, Callable[..., Any]] = {
    "Add": tf.add,
    "AddV2": tf.add,
    "Sub": tf.subtract,
    "Mul": tf.multiply,
    "Maximum": tf.maximum,
    "Minimum": tf.minimum,
}
UNARY: dict[str, Callable[..., Any]] = {"Neg": tf.negative, "Abs": tf.abs, "Square": tf.square, "Identity": tf.identity}
FLOAT_UNARY: dict[str, Callable[..., Any]] = {
    "Reciprocal": tf.math.reciprocal,
    "Sqrt": tf.sqrt,
    "Rsqrt": tf.math.rsqrt,
    "Exp": tf.exp,
    "Log": tf.math.log,
    "Floor": tf.floor,
    "Round": tf.round,
}
BITS: dict[str, Callable[..., Any]] = {
    "BitwiseAnd": tf.bitwise.bitwise_and,
    "BitwiseOr": tf.bitwise.bitwise_or,
    "BitwiseXor": tf.bitwise.bitwise_xor,
}
REDUCTIONS: dict[str, Callable[..., Any]] = {"Sum": tf.reduce_sum, "Mean": tf.reduce_mean, "Prod": tf.reduce_prod}


@pytest.mark.parametrize("op", BINARY)
@given(pair=_pairs(NUMBERS))
@settings(max_examples=30, deadline=None)
def test_binary(op: str, pair: tuple[Array, Array]) -> None:
    _assert_same(_run(op, {}, *pair), BINARY[op](*pair))


@pytest.mark.parametrize("op", BITS)
@given(pair=_pairs(st.sampled_from([np.int8, np.int32])))
@settings(max_examples=20, deadline=None)
def test_bits(op: str, pair: tuple[Array, Array]) -> None:
    _assert_same(_run(op, {}, *pair), BITS[op](*pair))


@given(pair=_pairs(FLOATS))
@settings(max_examples=30, deadline=None)
def test_division(pair: tuple[Array, Array]) -> None:
    _assert_same(_run("RealDiv", {}, *pair), tf.realdiv(*pair))


@pytest.mark.parametrize("op", UNARY)
@given(x=_arrays(NUMBERS))
@settings(max_examples=20, deadline=None)
def test_unary(op: str, x: Array) -> None:
    _assert_same(_run(op, {}, x), UNARY[op](x))


@pytest.mark.parametrize("op", FLOAT_UNARY)
@given(x=_arrays(FLOATS))
@settings(max_examples=20, deadline=None)
def test_unary_of_floats(op: str, x: Array) -> None:
    _assert_same(_run(op, {}, x), FLOAT_UNARY[op](x))


@pytest.mark.parametrize("op", REDUCTIONS)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_reductions(op: str, data: st.DataObject) -> None:
    x = data.draw(npst.arrays(np.float32, npst.array_shapes(max_dims=3, max_side=3), elements=EIGHTHS))
    axes = data.draw(st.lists(st.integers(-x.ndim, x.ndim - 1), unique_by=lambda a: a % x.ndim))
    keep = data.draw(st.booleans())
    got = _run(op, {"keep_dims": keep}, x, np.array(axes, np.int32))
    _assert_same(got, REDUCTIONS[op](x, axes, keepdims=keep))


def test_mean_of_integers_cuts_towards_zero() -> None:
    x = np.array([[-3, 0], [3, 4]], np.int32)
    _assert_same(_run("Mean", {}, x, np.array([1], np.int32)), tf.reduce_mean(x, 1))


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_strided_slice(data: st.DataObject) -> None:
    x = np.arange(3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5)
    count = data.draw(st.integers(1, 3))
    begin, end = ([data.draw(st.integers(-7, 7)) for _ in range(count)] for _ in range(2))
    strides = [data.draw(st.sampled_from([-2, -1, 1, 2])) for _ in range(count)]
    kinds = ("begin_mask", "end_mask", "shrink_axis_mask", "new_axis_mask")
    masks = {key: data.draw(st.integers(0, 2**count - 1)) for key in kinds}
    axis = 0
    for i in range(count):
        if masks["shrink_axis_mask"] >> i & 1:  # TensorFlow wants a step of 1 there
            strides[i] = 1
            begin[i] %= x.shape[axis]
        axis += not masks["new_axis_mask"] >> i & 1
    operands = [np.array(part, np.int32) for part in (begin, end, strides)]
    got = evaluate(Node("y", "StridedSlice", attrs={**masks}), [x, *operands])
    expected = tf.raw_ops.StridedSlice(input=x, begin=begin, end=end, strides=strides, ellipsis_mask=0, **masks)
    assert got is not None
    _assert_same(got, expected)


@pytest.mark.parametrize(
    ("op", "attrs", "inputs", "expected"),
    [
        pytest.param("Reshape", {}, [[-1, 2]], lambda x: tf.reshape(x, [-1, 2]), id="Reshape"),
        pytest.param("Squeeze", {"squeeze_dims": (0,)}, [], lambda x: tf.squeeze(x, [0]), id="Squeeze"),
        pytest.param("Squeeze", {}, [], tf.squeeze, id="Squeeze-all"),
        pytest.param("ExpandDims", {}, [-2], lambda x: tf.expand_dims(x, -2), id="ExpandDims"),
        pytest.param("Transpose", {}, [[2, 0, 3, 1]], lambda x: tf.transpose(x, [2, 0, 3, 1]), id="Transpose"),
        pytest.param("Unpack", {"axis": -1, "num": 4}, [], lambda x: tf.unstack(x, axis=-1), id="Unpack"),
        pytest.param("GatherV2", {}, [[1, 0, 1], 2], lambda x: tf.gather(x, [1, 0, 1], axis=2), id="GatherV2"),
        pytest.param("GatherV2", {}, [1, -1], lambda x: tf.gather(x, 1, axis=-1), id="GatherV2-scalar"),
        pytest.param(
            "Slice", {}, [[0, 1, 0, 2], [1, -1, 2, 1]], lambda x: tf.slice(x, [0, 1, 0, 2], [1, -1, 2, 1]), id="Slice"
        ),
        pytest.param("Cast", {"DstT": DType("float16")}, [], lambda x: tf.cast(x, tf.float16), id="Cast"),
    ],
)
def test_shapes_and_parts(op: str, attrs: dict[str, Attr], inputs: list[Any], expected: Callable[..., Any]) -> None:
    x = np.random.default_rng(0).normal(size=(1, 3, 2, 4)).astype(np.float32)
    _assert_same(_run(op, attrs, x, *(np.array(value, np.int32) for value in inputs)), expected(x))


def test_several_arrays() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    axis = np.array(-1, np.int32)
    _assert_same(_run("ConcatV2", {}, x, y, axis), tf.concat([x, y], -1))
    _assert_same(_run("Pack", {"axis": -2}, x, y), tf.stack([x, y], -2))
    _assert_same(_run("Split", {"num_split": 2}, axis, x), tf.split(x, 2, -1))
    _assert_same(_run("Fill", {}, np.array([2, 3], np.int32), np.float32(4)), tf.fill([2, 3], 4.0))


@pytest.mark.parametrize(
    ("op", "attrs", "inputs"),
    [
        pytest.param("Softmax", {}, [np.zeros(3, np.float32)], id="op-not-on-the-list"),
        pytest.param("Identity", {}, [np.array(["a"], object)], id="strings"),
        pytest.param("RealDiv", {}, [np.array(1, np.int32), np.array(2, np.int32)], id="integers-divided"),
        pytest.param("Cast", {"DstT": DType("int32")}, [np.float32(1e20)], id="float-to-integer"),
        pytest.param("Cast", {"DstT": DType("float32")}, [np.complex64(1 + 2j)], id="complex-to-real"),
        pytest.param("Cast", {"DstT": DType("bfloat16")}, [np.float32(1)], id="dtype-that-numpy-lacks"),
        pytest.param("Reshape", {}, [np.zeros(4), np.array([5])], id="impossible-shape"),
        pytest.param("Slice", {}, [np.zeros(4), np.array([9]), np.array([1])], id="slice-outside"),
        pytest.param("Slice", {}, [np.zeros(4), np.array([2]), np.array([3])], id="slice-too-long"),
        pytest.param("GatherV2", {}, [np.zeros(4), np.array([4]), np.array(0)], id="index-outside"),
        pytest.param("GatherV2", {}, [np.zeros(4), np.array([-1]), np.array(0)], id="negative-index"),
        pytest.param("GatherV2", {"batch_dims": 1}, [np.zeros((2, 2)), np.zeros((2, 1), int), np.array(1)], id="batch"),
        pytest.param(
            "StridedSlice", {"ellipsis_mask": 1}, [np.zeros(4), np.array([0]), np.array([1]), np.array([1])], id="..."
        ),
        pytest.param("Mul", {}, [np.zeros((40, 1), np.float32), np.zeros((1, 40), np.float32)], id="larger-result"),
        pytest.param("Fill", {}, [np.array([40, 40]), np.float32(0)], id="large-fill"),
    ],
)
def test_leaves_to_the_browser(op: str, attrs: dict[str, Attr], inputs: list[Array]) -> None:
    assert evaluate(Node("y", op, attrs=attrs), [np.asarray(value) for value in inputs]) is None


def test_never_writes_to_its_inputs() -> None:
    x = np.ones((2, 2), np.float32)
    x.flags.writeable = False
    (same,) = _run("Identity", {}, x)
    assert np.shares_memory(same, x)
    assert np.array_equal(_run("Neg", {}, x)[0], -x)


def test_every_op_on_the_list_is_tested_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [op for op in module._OPS if f'"{op}"' not in text] == []


WIDE = np.broadcast_to(np.float32(1), (10**5, 1))


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        pytest.param("AddV2", [WIDE, WIDE.T], id="pairs"),
        pytest.param("GatherV2", [WIDE.T, np.zeros(10**6, np.int32), np.int32(0)], id="gather"),
        pytest.param("ConcatV2", [*[WIDE] * 10**5, np.int32(0)], id="the-same-again"),
        pytest.param("Pack", [WIDE] * 10**5, id="packed-again"),
        pytest.param("Unpack", [WIDE], id="unpacked"),
    ],
)
def test_what_would_be_far_larger_is_not_computed(op: str, inputs: list[Any]) -> None:
    node = Node("n", op, attrs={"num": 10**5})
    assert evaluate(node, [np.asarray(one) for one in inputs]) is None
