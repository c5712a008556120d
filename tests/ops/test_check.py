"""What TF.js lacks or computes wrongly is refused or listed per backend; what passes the check is right."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import assert_matches, relative_error
from tests.conformance.node import GPU_BACKENDS as GPU
from tests.conformance.node import JsError, TfjsNode, scratch_directory
from tests.graph_text import BACKENDS, parse_graph, tfjs_model
from tests.passes.operands import operands
from tests.reference_kernels import spread
from tests.traced import converted, python_outputs, traced
from tfjs_magic.artifacts import Array, PassReport
from tfjs_magic.errors import UnsupportedOpsError
from tfjs_magic.graph import conditions
from tfjs_magic.ops.check import check_ops, count_ops, missing_per_backend, needs_async, supported
from tfjs_magic.passes import remove_identities, run_passes, strip_control_inputs

raw = tf.raw_ops
ALL = {"cpu", "wasm", "webgl", "webgpu"}
#: TF.js approximates erf, and with it gelu, to 1.5e-7 absolute; powers and reductions differ by some float32 roundings.
TOLERANCE = 2e-5


def _floats(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def _integers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).integers(-9, 9, shape).astype(np.int32)


def _specs(arrays: list[Array]) -> list[tf.TensorSpec]:
    return [
        tf.TensorSpec(a.shape, a.dtype if a.dtype != object else tf.string, name=f"x{i}") for i, a in enumerate(arrays)
    ]


def _feed(arrays: list[Array]) -> dict[str, Array]:
    return {f"x{i}": array for i, array in enumerate(arrays)}


# ---- the check


def test_says_every_op_at_once_with_its_nodes() -> None:
    text = """
        x: float32[3]
        a = Lgamma(x)
        b = Lgamma(a)
        c = Digamma(b)
        d = Mod(c, x)
        y = Exp(d)
        return y
    """
    with pytest.raises(UnsupportedOpsError) as caught:
        check_ops(parse_graph(text))
    assert caught.value.ops == {"Digamma": ("c",), "Lgamma": ("a", "b"), "Mod": ("d",)}
    message = str(caught.value)
    assert "TensorFlow.js 4.22.0 does not have Digamma (node 'c'), Lgamma (node 'a', 'b')." in message
    assert "It would compute Mod (node 'd') wrongly. The result takes the divisor's sign" in message
    assert message.endswith("https://github.com/tensorflow/tfjs/issues; skip_op_check writes the model all the same.")


def test_caps_the_nodes() -> None:
    lines = [f"n{i} = Lgamma(x)" for i in range(5)]
    with pytest.raises(UnsupportedOpsError, match=r"Lgamma \(node 'n0', 'n1', 'n2' … and 2 more\)"):
        check_ops(parse_graph("\n".join(["x: float32[3]", *lines, "return n0"])))


def test_says_why_a_pass_left_an_op() -> None:
    """Why a fold left it is not worth a word."""
    graph = parse_graph("x: float32[3]\na = Roll(x, s, s)\nb = Roll(a, s, s)\ny = Mod(b, x)\nreturn y", operands(s=()))
    passes = [
        PassReport("lower_roll", 0, {"the shift is computed": 2}, {"Roll": ("the shift is computed",)}),
        PassReport("fold_scale", 0, {"it is shared": 1}, {"Roll": ("it is shared",)}),
    ]
    with pytest.raises(UnsupportedOpsError) as caught:
        check_ops(graph, passes)
    assert "does not have Roll (node 'a', 'b'; it stays, because the shift is computed)." in str(caught.value)
    assert "compute Mod (node 'y') wrongly" in str(caught.value)


def test_counts_executed_nodes() -> None:
    text = "x: float32[3]\na = Neg(x)\nb = Neg(a)\ny = AddV2(b, w)\nreturn y"
    assert list(count_ops(parse_graph(text, operands(w=(3,)))).items()) == [("Neg", 2), ("AddV2", 1)]


def test_lists_missing_kernels_per_backend() -> None:
    graph = parse_graph("x: float32[2,2]\na = Einsum(x, x) equation=ij,jk->ik N=2\ny = Unique(a)\nreturn y")
    check_ops(graph)
    assert missing_per_backend(graph) == {"cpu": (), "wasm": ("Einsum",), "webgl": (), "webgpu": ("Unique",)}


def test_loops_need_the_asynchronous_call() -> None:
    assert needs_async(parse_graph("p: bool[]\nx: float32[3]\ns = Switch(x, p)\ny = Merge(s, s:1)\nreturn y"))
    assert not needs_async(parse_graph("x: float32[3]\ny = Neg(x)\nreturn y"))


def test_every_row_names_a_condition_and_each_is_asked() -> None:
    conditions_there = {
        name
        for name, question in inspect.getmembers(conditions, inspect.isfunction)
        if question.__module__ == conditions.__name__ and question.__annotations__["return"] == "bool"
        if not name.startswith("_")
    }
    named = {row["when"] for row in supported()["wrong"]}
    package = Path(inspect.getfile(conditions)).parents[1]
    texts = [path.read_text(encoding="utf-8") for path in package.rglob("*.py")]
    asked = {name for name in conditions_there if sum(len(re.findall(rf"\b{name}\b", text)) for text in texts) > 1}
    assert named <= conditions_there
    assert conditions_there == named | asked


# ---- what the check says is wrong is wrong; a case that TF.js repairs fails here

TEXTS = np.array([["ant", "bee"], ["cat", "dog"]], object)
PADS = [[1, 1]] * 5
WRONG: dict[str, tuple[str, set[str], Callable[..., Any], list[Array]]] = {
    "one-hot-first-axis": (
        "OneHot",
        ALL,
        lambda i: tf.one_hot(i, 4, axis=0, dtype=tf.int32),
        [np.array([0, 2, 3, 1], np.int32)],
    ),
    "seven-axes-added": ("AddV2", {"wasm", *GPU}, tf.add, [_floats(2, 1, 2, 2, 3, 2, 2)] * 2),
    "seven-axes-broadcast": ("Mul", {"wasm", *GPU}, lambda a: a * a[:1], [_floats(2, 1, 2, 2, 3, 2, 2)]),
    "seven-axes-alone": ("Exp", set(GPU), tf.exp, [_floats(2, 1, 2, 2, 3, 2, 2)]),
    "maximum-of-nothing": ("Max", ALL, lambda x: tf.reduce_max(x[:, :0], 1), [np.ones((2, 3), np.float32)]),
    "capital-labels": (
        "Einsum",
        ALL,
        lambda x, y: tf.raw_ops.Einsum(inputs=[x, y], equation="aAb,bc->aAc"),
        [np.arange(12, dtype=np.float32).reshape((2, 2, 3)), np.ones((3, 2), np.float32)],
    ),
    "capital-letter": ("StaticRegexReplace", ALL, lambda x: tf.strings.regex_replace(x, "a", "X"), [TEXTS]),
    "expression-of-nothing": ("StaticRegexReplace", ALL, lambda x: tf.strings.regex_replace(x, "n*", "-"), [TEXTS]),
    "mirrored-image": (
        "ImageProjectiveTransformV3",
        {"cpu", "wasm", "webgpu"},
        lambda x: tf.raw_ops.ImageProjectiveTransformV3(
            images=x,
            transforms=[[1.0, 0, -3, 0, 1, -2, 0, 0]],
            output_shape=[5, 6],
            fill_value=0,
            interpolation="NEAREST",
            fill_mode="REFLECT",
        ),
        [np.random.default_rng(0).normal(size=(2, 5, 6, 1)).astype(np.float32)],
    ),
    "one-hot-of-floats": ("OneHot", {"wasm"}, lambda i: tf.one_hot(i, 4), [np.array([0, 2, 3, 1], np.int32)]),
    "one-hot-of-booleans": (
        "OneHot",
        {"wasm"},
        lambda i: tf.one_hot(i, 4, on_value=True, off_value=False),
        [np.array([0, 2, 3, 1], np.int32)],
    ),
    "modulo": ("Mod", ALL, lambda a, b: raw.Mod(x=a, y=b), [np.array([-7, 7], np.int32), np.array([2, -2], np.int32)]),
    "integer-division": (
        "Div",
        ALL,
        lambda a, b: raw.Div(x=a, y=b),
        [np.array([-7, 7], np.int32), np.array([2, 2], np.int32)],
    ),
    "integer-mean": ("Mean", ALL, lambda a: tf.reduce_mean(a, 1), [np.array([[-3, 0], [3, 4]], np.int32)]),
    "narrow-sum": ("AddV2", ALL, lambda a: a + np.uint8(250), [np.array([1, 200], np.uint8)]),
    "cumsum-computed-axis": ("Cumsum", ALL, tf.cumsum, [_floats(2, 3), np.array(-1, np.int32)]),
    "cumprod-computed-axis": ("Cumprod", ALL, tf.math.cumprod, [_floats(2, 3), np.array(-2, np.int32)]),
    "fake-quantization": (
        "FakeQuantWithMinMaxVars",
        ALL,
        lambda a: tf.quantization.fake_quant_with_min_max_vars(a, -1, 1),
        [_floats(3, 4)],
    ),
    "training-batch-norm": (
        "FusedBatchNormV3",
        ALL,
        lambda a: tf.compat.v1.nn.fused_batch_norm(a, [1.0, 2.0], [0.0, 1.0], is_training=True)[0],
        [_floats(2, 3, 3, 2)],
    ),
    "unknown-integers": ("Cast", ALL, lambda a: tf.cast(a, tf.int16), [_integers(4)]),
    "bfloat16": ("Cast", ALL, lambda a: tf.cast(tf.cast(a, tf.bfloat16), tf.float32), [_floats(4)]),
    "bitwise-and": ("BitwiseAnd", ALL, tf.bitwise.bitwise_and, [_integers(4), _integers(4, seed=1)]),
    "gather-in-batches": (
        "GatherV2",
        {"wasm"},
        lambda a, i: tf.gather(a, i, batch_dims=1, axis=1),
        [_floats(4, 5), np.array([[3, 0], [1, 1], [2, 4], [0, 3]], np.int32)],
    ),
    "max-pool-3d": (
        "MaxPool3D",
        {"wasm"},
        lambda a: tf.nn.max_pool3d(a - 9.0, 2, 2, "VALID"),
        [_floats(1, 4, 4, 4, 2)],
    ),
    "stride-leaves-data-out": (
        "Conv2D",
        {"wasm"},
        lambda a: tf.nn.conv2d(a, np.ones((2, 2, 2, 3), np.float32), 3, "SAME"),
        [_floats(1, 6, 6, 2)],
    ),
    "stride-leaves-data-out-by-channel": (
        "DepthwiseConv2dNative",
        {"wasm"},
        lambda a: tf.nn.depthwise_conv2d(a, np.ones((2, 2, 2, 3), np.float32), [1, 3, 3, 1], "SAME"),
        [_floats(1, 6, 6, 2)],
    ),
    "stride-leaves-data-out-3d": (
        "Conv3D",
        ALL,
        lambda a: tf.nn.conv3d(a, np.ones((1, 1, 1, 2, 3), np.float32), [1, 2, 2, 2, 1], "SAME"),
        [_floats(1, 6, 6, 6, 2)],
    ),
    "mean-leaves-data-out-3d": (
        "AvgPool3D",
        ALL,
        lambda a: tf.nn.avg_pool3d(a, 2, 3, "SAME"),
        [_floats(1, 6, 6, 6, 2)],
    ),
    "maximum-leaves-data-out-3d": (
        "MaxPool3D",
        ALL,
        lambda a: tf.nn.max_pool3d(tf.abs(a), 2, 3, "SAME"),
        [_floats(1, 6, 6, 6, 2)],
    ),
    "moved-images": (
        "ImageProjectiveTransformV3",
        {"cpu", "webgpu"},
        lambda a: raw.ImageProjectiveTransformV3(
            images=a,
            transforms=[[1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]],
            output_shape=[4, 4],
            fill_value=0.0,
            interpolation="BILINEAR",
        ),
        [_floats(2, 4, 4, 1)],
    ),
    "steps-and-dilates": (
        "Conv2D",
        ALL,
        lambda a, w: raw.Conv2D(input=a, filter=w, strides=[1, 2, 2, 1], padding="SAME", dilations=[1, 2, 2, 1]),
        [_floats(1, 5, 5, 2), _floats(2, 2, 2, 3)],
    ),
    "steps-and-dilates-3d": (
        "Conv3D",
        ALL,
        lambda a, w: raw.Conv3D(input=a, filter=w, strides=[1, 2, 2, 2, 1], padding="SAME", dilations=[1, 2, 2, 2, 1]),
        [_floats(1, 5, 5, 5, 2), _floats(2, 2, 2, 2, 3)],
    ),
    "steps-and-dilates-by-channel": (
        "DepthwiseConv2dNative",
        {"cpu", "webgl", "webgpu"},
        lambda a, w: raw.DepthwiseConv2dNative(
            input=a, filter=w, strides=[1, 2, 2, 1], padding="SAME", dilations=[1, 2, 2, 1]
        ),
        [_floats(1, 5, 5, 2), _floats(2, 2, 2, 1)],
    ),
    "dilation": (
        "Dilation2D",
        {"wasm"},
        lambda a: tf.nn.dilation2d(a - 9.0, tf.zeros([2, 2, 3]), [1, 1, 1, 1], "SAME", "NHWC", [1, 1, 1, 1]),
        [_floats(1, 4, 4, 3)],
    ),
    "einsum-diagonal": ("Einsum", ALL, lambda a: raw.Einsum(inputs=[a], equation="ii->i"), [_floats(3, 3)]),
    "einsum-sum-of-one-operand": (
        "Einsum",
        ALL,
        lambda a: raw.Einsum(inputs=[a, a], equation="ab,bc->c"),
        [_integers(3, 3)],
    ),
    "one-hot-of-halves": (
        "OneHot",
        {"wasm"},
        lambda i: tf.cast(tf.one_hot(i, 4, dtype=tf.float16), tf.float32),
        [np.array([0, 2, 3, 1], np.int32)],
    ),
    "einsum-ellipsis": ("Einsum", ALL, lambda a: raw.Einsum(inputs=[a], equation="...i->i..."), [_floats(3, 4)]),
    "floor-of-floats": (
        "FloorDiv",
        {"cpu", "webgl", "webgpu"},
        lambda a: raw.FloorDiv(x=a, y=a * 0 + 0.3),
        [_floats(5)],
    ),
    "vector-condition": ("Select", ALL, lambda a: raw.Select(condition=a[:, 0] > 0, x=a, y=-a), [_floats(4, 4)]),
    "array-of-parts": (
        "TensorListConcatV2",
        ALL,
        lambda a: tf.TensorArray(tf.float32, 3).unstack(a).concat(),
        [_floats(3, 4)],
    ),
    "cast-to-booleans": ("Cast", {"wasm"}, lambda a: tf.cast(a, tf.bool), [_floats(4)]),
    "chosen-booleans": ("SelectV2", {"wasm"}, lambda a: tf.where(a > 0.3, a < 0.9, a > -0.5), [_floats(5, 7)]),
    "chosen-booleans-v1": (
        "Select",
        {"wasm"},
        lambda a: raw.Select(condition=a > 0.3, x=a < 0.9, y=a > -0.5),
        [_floats(5, 7)],
    ),
    "dropped-and-reversed": ("StridedSlice", ALL, lambda a: a[1, ::-1], [_floats(5, 7)]),
    "clipped-integers": (
        "ClipByValue",
        {"wasm"},
        lambda a: raw.ClipByValue(t=a, clip_value_min=-2, clip_value_max=3),
        [_integers(4)],
    ),
    "product-of-integers": ("MatMul", {"wasm"}, lambda a: tf.matmul(a, a), [_integers(3, 3)]),
    "batch-of-integers": ("BatchMatMulV2", {"wasm"}, lambda a: tf.matmul(a, a), [_integers(2, 3, 3)]),
    "filtered-integers": (
        "Conv2D",
        ALL,
        lambda a: tf.nn.conv2d(a, tf.ones([2, 2, 1, 1], tf.int32), 1, "SAME"),
        [_integers(1, 4, 4, 1)],
    ),
    "integers-to-space": ("DepthToSpace", ALL, lambda a: tf.nn.depth_to_space(a, 2), [_integers(1, 2, 2, 4)]),
    "largest-integers": ("MaxPool", {"wasm"}, lambda a: tf.nn.max_pool2d(a, 2, 2, "SAME"), [_integers(1, 4, 4, 1)]),
    "nearest-integers": (
        "ResizeNearestNeighbor",
        {"wasm"},
        lambda a: tf.image.resize(a, [6, 6], "nearest"),
        [_integers(1, 4, 4, 1)],
    ),
    "another-length": (
        "RFFT",
        ALL,
        lambda a: tf.abs(raw.RFFT(input=a, fft_length=[4])),
        [_floats(2, 6)],
    ),
    "another-length-back": (
        "IRFFT",
        ALL,
        lambda a: raw.IRFFT(input=tf.complex(a, a), fft_length=[4]),
        [_floats(2, 6)],
    ),
    "random-integers": ("RandomUniformInt", ALL, lambda a: tf.random.uniform([9], a, 9, tf.int32), [np.int32(7)]),
    "one-outcome": ("Multinomial", ALL, lambda a: tf.random.categorical(a, 3), [_floats(1, 1)]),
    "values-that-are-there": (
        "DenseBincount",
        {"cpu", "webgl", "webgpu"},
        lambda a: tf.math.bincount(a, binary_output=True),
        [np.array([1, 1, 3], np.int32)],
    ),
    "moving-mean": (
        "FusedBatchNormV3",
        ALL,
        lambda a: raw.FusedBatchNormV3(
            x=a, scale=[1.0, 1.0], offset=[0.0, 0.0], mean=[0.5, 0.0], variance=[1.0, 1.0], is_training=False
        )[1],
        [_floats(1, 4, 4, 2)],
    ),
    "number-of-boxes": (
        "NonMaxSuppressionV5",
        ALL,
        lambda a: raw.NonMaxSuppressionV5(
            boxes=a, scores=a[:, 0], max_output_size=4, iou_threshold=0.5, score_threshold=0.0, soft_nms_sigma=0.0
        )[2],
        [_floats(6, 4)],
    ),
    "boxes-beyond-all": (
        "NonMaxSuppressionV4",
        ALL,
        lambda a: raw.NonMaxSuppressionV4(
            boxes=a,
            scores=a[:, 0],
            max_output_size=9,
            iou_threshold=0.5,
            score_threshold=0.0,
            pad_to_max_output_size=True,
        )[0],
        [_floats(6, 4)],
    ),
    "gathered-texts": ("GatherV2", ALL, lambda a: tf.gather(a, [1, 0]), [TEXTS]),
    "chosen-texts": ("SelectV2", ALL, lambda a: tf.where([True, False], a, "no"), [TEXTS]),
    "repeated-texts": ("Tile", {"wasm"}, lambda a: tf.tile(a, [2, 1]), [TEXTS]),
    "every-second-text": ("StridedSlice", {"wasm", "webgl", "webgpu"}, lambda a: a[:, ::-1], [TEXTS]),
    "gap-in-a-list": (
        "TensorListReserve",
        ALL,
        lambda a, i: raw.TensorListStack(
            input_handle=raw.TensorListSetItem(
                input_handle=raw.TensorListReserve(element_shape=-1, num_elements=3, element_dtype=tf.float32),
                index=i,
                item=a,
            ),
            element_shape=[2],
            element_dtype=tf.float32,
        ),
        [_floats(2), np.array(1, np.int32)],
    ),
    "permuted-integers": ("Transpose", {"webgpu"}, lambda a: tf.transpose(a, [1, 2, 0]), [_integers(2, 3, 4)]),
    "integers-out-of-batches": (
        "BatchToSpaceND",
        {"webgpu"},
        lambda a: tf.batch_to_space(a, [2], [[0, 0]]),
        [_integers(2, 3, 1)],
    ),
    "batches-of-both-sides": ("BatchMatMulV2", ALL, lambda a, b: a @ b, [_floats(2, 3, 4, 5), _floats(2, 1, 5, 6)]),
    "five-axes-padded": ("Pad", set(GPU), lambda a: tf.pad(a, PADS), [_floats(2, 2, 2, 2, 2)]),
    "five-axes-padded-by-a-value": (
        "PadV2",
        set(GPU),
        lambda a: tf.pad(a, PADS, constant_values=3.0),
        [_floats(2, 2, 2, 2, 2)],
    ),
    "five-axes-mirrored": (
        "MirrorPad",
        set(GPU),
        lambda a: tf.pad(a, PADS, "REFLECT"),
        [_floats(2, 2, 2, 2, 2)],
    ),
    "five-axes-reversed": ("ReverseV2", set(GPU), lambda a: tf.reverse(a, [1]), [_floats(2, 2, 2, 2, 2)]),
    "five-axes-summed-up": ("Cumsum", set(GPU), lambda a: tf.cumsum(a, 1), [_floats(2, 2, 2, 2, 2)]),
    "five-axes-multiplied-up": ("Cumprod", set(GPU), lambda a: tf.math.cumprod(a, 1), [_floats(2, 2, 2, 2, 2)]),
    "five-axes-stepped-over": ("StridedSlice", set(GPU), lambda a: a[:, :, ::-1], [_floats(2, 2, 2, 2, 2)]),
    "five-axes-chosen": ("SelectV2", set(GPU), lambda a: tf.where(a > 0, a, 2 * a), [_floats(2, 2, 2, 2, 2)]),
    "five-axes-into-batches": (
        "SpaceToBatchND",
        set(GPU),
        lambda a: tf.space_to_batch(a, [2, 2, 2], [[0, 0]] * 3),
        [_floats(1, 2, 2, 2, 2)],
    ),
    "five-axes-out-of-batches": (
        "BatchToSpaceND",
        set(GPU),
        lambda a: raw.BatchToSpaceND(input=a, block_shape=[2, 2, 2], crops=[[0, 0]] * 3),
        [_floats(8, 1, 1, 1, 2)],
    ),
    "five-axes-and-a-vector": ("AddV2", {"webgpu"}, tf.add, [_floats(2, 2, 2, 2, 3), _floats(3)]),
    "largest-of-a-vector": ("ArgMax", {"webgpu"}, lambda a: tf.argmax(a, output_type=tf.int32), [_floats(5)]),
    "smallest-of-a-vector": ("ArgMin", {"webgpu"}, lambda a: tf.argmin(a, output_type=tf.int32), [_floats(5)]),
    "counts": (
        "DenseBincount",
        {"webgpu"},
        lambda a: raw.DenseBincount(input=a, size=4, weights=tf.constant([], tf.int32)),
        [np.array([0, 1, 1, 3], np.int32)],
    ),
    "summed-up-from-the-end": (
        "Cumsum",
        {"webgpu"},
        lambda a, b: tf.concat([tf.cumsum(a, reverse=True), tf.cumsum(b, reverse=True)], 0),
        [_floats(2), _floats(4)],
    ),
    "multiplied-up-from-the-end": (
        "Cumprod",
        {"webgpu"},
        lambda a, b: tf.concat([tf.math.cumprod(a, reverse=True), tf.math.cumprod(b, reverse=True)], 0),
        [_floats(2), _floats(4)],
    ),
    "transposed-integers": (
        "Transpose",
        {"webgpu"},
        lambda a: tf.transpose(a, [1, 0, 2]),
        [_integers(2, 3, 4)],
    ),
    "masked-by-a-huge-number": (
        "Softmax",
        set(GPU),
        lambda a: tf.nn.softmax(tf.where(a > 9, a, np.float32(np.finfo(np.float32).min))),
        [_floats(2, 3)],
    ),
    "wholly-masked-maximum": (
        "Max",
        {"webgl"},
        lambda a: tf.reduce_max(tf.where(a > 9, a, np.float32(np.finfo(np.float32).min)), -1),
        [_floats(2, 3)],
    ),
    "wholly-masked-minimum": (
        "Min",
        {"webgl"},
        lambda a: tf.reduce_min(tf.where(a > 9, a, np.float32(np.finfo(np.float32).max)), -1),
        [_floats(2, 3)],
    ),
    "found-in-five-axes": (
        "GatherNd",
        {"webgpu"},
        lambda a: tf.gather_nd(a, [[0, 1, 0, 1, 0], [1, 0, 1, 0, 1]]),
        [_floats(2, 2, 2, 2, 2)],
    ),
    "put-into-five-axes": (
        "ScatterNd",
        set(GPU),
        lambda a: tf.scatter_nd([[0, 1, 0, 1, 0], [1, 0, 1, 0, 1]], a, (2, 2, 2, 2, 2)),
        [_floats(2)],
    ),
    "large-integers": ("FloorMod", set(GPU), lambda a: a % 100000007, [np.array([123456789, -5], np.int32)]),
    "boxes-of-one-image": (
        "CropAndResize",
        {"webgl"},
        lambda a: tf.image.crop_and_resize(a, [[0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]], [1, 0], [3, 3]),
        [_floats(2, 5, 6, 3)],
    ),
    "batches-of-integers": (
        "BatchToSpaceND",
        {"webgpu"},
        lambda a: tf.batch_to_space(a, [2, 2], [[0, 0], [0, 0]]),
        [_integers(4, 2, 2, 3)],
    ),
    "summed-integers": ("Sum", {"webgpu"}, lambda a: tf.reduce_sum(a, 1), [_integers(2, 3, 4)]),
    "summed-mask": ("Sum", {"webgpu"}, lambda a: tf.reduce_sum(tf.cast(a > 0, tf.float32), 0), [_floats(2, 3, 4)]),
    "any-of-booleans": ("Any", {"webgpu"}, lambda a: tf.reduce_any(a > 0, 1), [_floats(2, 3, 4)]),
    "summed-up-integers": ("Cumsum", {"webgpu"}, lambda a: tf.cumsum(a, 1), [_integers(2, 3, 4)]),
    "every-second-integer": ("StridedSlice", {"wasm"}, lambda a: a[:, ::2], [_integers(5, 7)]),
    "reversed-booleans": ("StridedSlice", {"wasm"}, lambda a: (a > 0)[:, ::-1], [_floats(5, 7)]),
}


#: What every CPU can compute, where TensorFlow has the kernel in oneDNN alone.
REFERENCES: dict[str, Callable[..., Any]] = {
    "steps-and-dilates-3d": lambda a, w: tf.nn.conv3d(a, spread(w, (2, 2, 2)), [1, 2, 2, 2, 1], "SAME"),
    "steps-and-dilates-by-channel": lambda a, w: tf.nn.depthwise_conv2d(a, spread(w, (2, 2)), [1, 2, 2, 1], "SAME"),
}


@pytest.fixture(scope="module")
def spoilt_nodes() -> Iterator[tuple[TfjsNode, TfjsNode]]:
    """TF.js for cpu and wasm, and for GPUs, that nobody else uses and that goes on after an exception."""
    with scratch_directory() as scratch:
        nodes = TfjsNode(scratch, keep=True), TfjsNode(scratch, keep=True)
        yield nodes
        for node in nodes:
            node.close()


@pytest.mark.needs_node
@pytest.mark.parametrize("name", WRONG)
def test_wrong_op_is_known_and_wrong(spoilt_nodes: tuple[TfjsNode, TfjsNode], name: str) -> None:
    op, backends, function, arrays = WRONG[name]
    graph = traced(function, *_specs(arrays))
    run_passes(graph, (strip_control_inputs.PASS, remove_identities.PASS))  # the rewrites mend some of them
    lacking = missing_per_backend(graph)
    assert {backend for backend, ops in lacking.items() if op in ops} == backends
    if backends == ALL:
        with pytest.raises(UnsupportedOpsError, match=rf"It would compute {op} \(node .* wrongly"):
            check_ops(graph)
    else:
        check_ops(graph)
    feed, model = _feed(arrays), tfjs_model(graph)
    expected = python_outputs(REFERENCES.get(name, function), feed, *_specs(arrays))["out0"]
    for backend in (*BACKENDS, *GPU) if backends <= set(GPU) else BACKENDS:
        try:
            node = spoilt_nodes[backend in GPU]
            got = node.run_each(model, [feed], backend, forward=False)[0]["out0"]
            error = relative_error(got, expected) if got.dtype.kind == expected.dtype.kind else float("inf")
        except JsError:
            error = float("inf")
        assert (error > TOLERANCE) == (backend in backends)
    if "wasm" in backends:
        spoilt_nodes[0].close()  # some of them write where they should not; the next model gets a fresh process


# ---- what the check lets pass is right

X4, X3, X2 = _floats(2, 5, 6, 3), _floats(2, 3, 4), _floats(4, 5)
INTS = _integers(2, 3)
K = {
    shape: tf.constant(_floats(*shape))
    for shape in [(3, 2, 3, 4), (3, 2, 3, 2), (3, 2, 4, 3), (3, 3, 4), (2, 2, 2, 2, 3)]
}

RIGHT: dict[str, tuple[Callable[..., Any], list[Array]]] = {
    "floor-mod": (tf.math.floormod, [np.array([-7, 7, -7.5], np.float32), np.array([2, -2, -2], np.float32)]),
    "round-half-to-even": (tf.round, [np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], np.float32)]),
    "cast-towards-zero": (lambda a: tf.cast(a, tf.int32), [np.array([-2.7, 2.7, 0.5], np.float32)]),
    "cast-booleans": (lambda a: tf.cast(a > 0, tf.float32), [X2]),
    "half": (lambda a: tf.cast(tf.cast(a, tf.float16) * 2, tf.float32), [np.array([0.5, 1.25], np.float32)]),
    "powers": (lambda a: (a**2, a**3.0, tf.abs(a) ** 0.5, 2.0**a), [X2]),
    "arg-max": (lambda a: (tf.argmax(a, -1), tf.argmin(a, 0)), [X3]),
    "top-k": (lambda a: tuple(tf.math.top_k(a, 2)), [X2]),
    "sort": (lambda a: (tf.sort(a, direction="DESCENDING"), tf.argsort(a)), [X2]),
    "activations": (
        lambda a: [f(a) for f in (tf.nn.relu6, tf.nn.elu, tf.nn.selu, tf.nn.softplus, tf.tanh, tf.sigmoid, tf.nn.silu)],
        [np.array([-30, -3, -1e-3, 0, 1e-3, 1, 5, 30], np.float32)],
    ),
    "gelu": (lambda a: (tf.nn.gelu(a), tf.nn.gelu(a, approximate=True)), [X2]),
    "softmax": (lambda a: (tf.nn.softmax(a, axis=1), tf.nn.log_softmax(a)), [X3]),
    "reductions": (
        lambda a: [f(a, [0, 2], keepdims=True) for f in (tf.reduce_sum, tf.reduce_mean, tf.reduce_prod, tf.reduce_max)],
        [X3],
    ),
    "reductions-of-all": (lambda a: [f(a) for f in (tf.reduce_sum, tf.reduce_mean, tf.reduce_min)], [X3]),
    "any-and-all": (lambda a: (tf.reduce_any(a > 0, 1), tf.reduce_all(a > -1, 1)), [X2]),
    "variance": (lambda a: (tf.math.reduce_variance(a, 1), tf.math.reduce_std(a)), [X2]),
    "cumsum": (lambda a: (tf.cumsum(a, 1), tf.cumsum(a, 0, exclusive=True, reverse=True)), [X2]),
    "where": (lambda a, b: tf.where(a[:, :1] > 0, a, b), [X2, _floats(5)]),
    "strided-slices": (
        lambda a: (a[::-1, -3:-1], a[:, tf.newaxis, 1:], a[..., 1], a[1::2, ::2], a[3:0:-2], a[2:100]),
        [X2],
    ),
    "slice": (lambda a: tf.slice(a, [1, 0], [-1, 2]), [X2]),
    "gather": (
        lambda a, i: (tf.gather(a, i, axis=1), tf.gather(a, i[0, 0])),
        [X2, np.array([[3, 0], [1, 1]], np.int32)],
    ),
    "gather-nd": (tf.gather_nd, [X2, np.array([[3, 0], [1, 1]], np.int32)]),
    "scatter": (lambda i, u: tf.scatter_nd(i, u, [5]), [np.array([[1], [1], [3]], np.int32), _floats(3)]),
    "pads": (
        lambda a: [
            tf.pad(a, [[1, 2], [0, 3]], *rest) for rest in ((), ("CONSTANT", 7.0), ("REFLECT",), ("SYMMETRIC",))
        ],
        [X2],
    ),
    "tile-and-broadcast": (lambda a: (tf.tile(a, [2, 3]), tf.broadcast_to(a, [2, 4, 5])), [X2]),
    "stack-and-split": (lambda a: (tf.stack([a, a], -1), *tf.split(a, [1, -1, 2], 1), *tf.unstack(a)), [X2]),
    "transpose": (lambda a: tf.transpose(a, [4, 0, 2, 1, 3]), [_floats(1, 2, 3, 2, 2)]),
    "depth-to-space": (lambda a: tf.nn.depth_to_space(a, 2), [_floats(1, 2, 3, 8)]),
    "space-to-batch": (lambda a: tf.space_to_batch(a, [2, 2], [[0, 1], [0, 0]]), [X4]),
    "matmuls": (
        lambda a, b: (
            tf.matmul(a, a, transpose_b=True),
            tf.matmul(a, a, transpose_a=True),
            tf.matmul(b, b, adjoint_b=True),
        ),
        [X2, X3],
    ),
    "transposed-weights": (
        lambda a: tf.nn.relu(tf.matmul(a, K[3, 3, 4][0], transpose_b=True) + tf.constant([1.0, 2, 3])),
        [_floats(8, 4)],
    ),
    "convolutions": (
        lambda a: [
            tf.nn.conv2d(a, K[3, 2, 3, 4], strides, padding, dilations=dilations)
            for strides in (1, 2)
            for padding in ("SAME", "VALID", [[0, 0], [1, 2], [0, 3], [0, 0]])
            for dilations in (1, [1, 2])
            if strides == 1 or dilations == 1
        ],
        [X4],
    ),
    "depthwise-convolutions": (
        lambda a: [
            tf.nn.leaky_relu(
                tf.nn.depthwise_conv2d(a, K[3, 2, 3, 2], [1, s, s, 1], padding, dilations=[d, d]) + 0.5, 0.3
            )
            for padding in ("SAME", "VALID", [[0, 0], [1, 2], [0, 3], [0, 0]])
            for s, d in ((1, 1), (2, 1), (1, 2))
        ],
        [X4],
    ),
    "transposed-convolutions": (
        lambda a: (
            tf.nn.conv2d_transpose(a, K[3, 2, 4, 3], [2, 10, 12, 4], 2, "SAME"),
            tf.nn.conv2d_transpose(a, K[3, 2, 4, 3], [2, 9, 11, 4], 2, "SAME"),
            tf.nn.conv2d_transpose(a, K[3, 2, 4, 3], [2, 7, 7, 4], 1, "VALID"),
        ),
        [X4],
    ),
    "convolutions-1d-3d": (
        lambda a, b: (
            tf.nn.conv1d(a, K[3, 3, 4], 2, "SAME"),
            tf.nn.conv3d(b, K[2, 2, 2, 2, 3], [1, 2, 2, 2, 1], "SAME"),
        ),
        [_floats(2, 9, 3), _floats(1, 4, 5, 6, 2)],
    ),
    "pools": (
        lambda a: [
            f(a - 5.0, [2, 3], s, p)
            for f in (tf.nn.max_pool2d, tf.nn.avg_pool2d)
            for s in (1, 2)
            for p in ("SAME", "VALID")
        ],
        [X4],
    ),
    "resizes": (
        lambda a: [
            op(images=a, size=size, align_corners=corners, half_pixel_centers=half)
            for op in (raw.ResizeBilinear, raw.ResizeNearestNeighbor)
            for size in ([7, 11], [2, 4])
            for corners, half in ((True, False), (False, False), (False, True))
        ],
        [X4],
    ),
    "crops": (lambda a: tf.image.crop_and_resize(a, [[0, 0, 1, 1], [-0.3, 0.2, 0.8, 1.4]], [0, 1], [3, 3]), [X4]),
    "response-normalization": (lambda a: tf.nn.lrn(a, depth_radius=2, bias=1.5, alpha=0.3, beta=0.7), [X4]),
    "old-batch-norm": (
        lambda a: tf.compat.v1.nn.fused_batch_norm(
            a, [1.0, 2, 3], [0.0, 1, 2], mean=[0.1, 0.2, 0.3], variance=[1.0, 2, 3], is_training=False
        )[0],
        [X4],
    ),
    "comparisons": (
        lambda a, b: (a < b, a <= b, a > b, a >= b, tf.equal(a, b), tf.not_equal(a, b)),
        [INTS, _integers(2, 3, seed=1)],
    ),
    "logic": (
        lambda a: (tf.logical_and(a > 0, a < 5), tf.logical_or(a > 0, a < -5), tf.math.logical_xor(a > 0, a < 5)),
        [INTS],
    ),
    "integers": (lambda a: (a * a - a, tf.abs(a), tf.square(a), tf.sign(a), tf.clip_by_value(a, -2, 3)), [INTS]),
    "shapes": (lambda a: (tf.shape(a), tf.size(a), tf.rank(a), tf.zeros_like(a), tf.ones_like(a), a * 1.0), [X2]),
    "ranges": (lambda a: (tf.range(0.0, a, 0.3), tf.linspace(0.0, a, 5), tf.fill([2], a)), [np.array(2, np.float32)]),
    "not-a-number": (
        lambda a: (tf.math.is_nan(a), tf.math.is_finite(a), tf.not_equal(a, a)),
        [np.array([1, np.nan, np.inf], np.float32)],
    ),
    "masks": (lambda a: tf.where(a > 0, a, -np.inf), [X2]),
    "reversed-mask": (lambda a: tf.reverse(a > 0, [1]), [X2]),
    "checked": (lambda a: tf.ensure_shape(tf.debugging.check_numerics(a, "bad"), [4, 5]) * 2.0, [X2]),
    "hsv-free-images": (lambda a: (tf.image.rgb_to_grayscale(a), tf.image.flip_left_right(a), tf.image.rot90(a)), [X4]),
}


@pytest.mark.parametrize("name", RIGHT)
def test_op_that_passes_the_check_is_right(tfjs_node: TfjsNode, name: str) -> None:
    function, arrays = RIGHT[name]
    specs, feed = _specs(arrays), _feed(arrays)
    expected = python_outputs(function, feed, *specs)
    model = converted(function, *specs)
    for backend in BACKENDS:
        got = tfjs_node.run(model, feed, backend)
        assert_matches(
            got,
            {k: v.astype(np.float32) if v.dtype.kind == "f" else v for k, v in expected.items()},
            tolerance=TOLERANCE,
        )
