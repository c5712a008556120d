"""The raw ops of TensorFlow that TF.js's converter knows, called as their signatures say.

Each is tried at the lowest and the highest rank that TensorFlow computes, up to the six axes of TF.js, and with the
dtypes that it takes.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.sweep.expressions import OPERANDS, telling
from tests.sweep.subject import Case, Subject
from tfjs_magic.artifacts import Array

_TABLE = Path(__file__).parents[2] / "tfjs_magic" / "ops" / "supported.json"

#: Parameter of a raw op → argument; "r" is the rank, "x" and "y" the operands.
_OPERANDS: Mapping[str, str] = {
    "DstT": "tf.int32",
    "a": "x",
    "arr": "x",
    "axis": "max(r - 1, 0)",
    "b": "y",
    "clip_value_max": "y",
    "clip_value_min": "-abs(y)",
    "condition": "x",
    "crop_size": "[3, 4]",
    "delta": "2",
    "dimension": "r - 1",
    "dims": "[True] + [False] * (r - 1)",
    "e": "y",
    "data": "x",
    "features": "x",
    "image": "x",
    "images": "x",
    "imag": "y",
    "input": "x",
    "inputs": "[x, y]",
    "limit": "9",
    "logits": "x",
    "num_split": "2",
    "paddings": "[[1, 2]] * r",
    "params": "x",
    "perm": "[r - 1, *range(r - 1)]",
    "real": "x",
    "start": "0",
    "t": "x",
    "tensor": "x",
    "value": "x",
    "values": "[x, y]",
}

_NAMES: Mapping[str, Any] = {
    "tf": tf,
    "first": lambda tensor: tf.reshape(tensor, [-1])[0],
    "PAIR": np.float32([1, 4]),
    "TURN": np.float32([[1.1, 0.1, -0.3, 0, 0.9, 0.4, 0, 0]]),
}

#: Raw op → its arguments, where the signature does not tell them.
_GIVEN: Mapping[str, str] = {
    "AvgPool": "value=x, ksize=[1, 2, 2, 1], strides=[1, 1, 2, 1], padding='SAME'",
    "AvgPool3D": "input=x, ksize=[1, 2, 2, 1, 1], strides=[1, 1, 2, 1, 1], padding='SAME'",
    "BatchMatMul": "x=x, y=y, adj_y=True",
    "BatchMatMulV2": "x=x, y=y, adj_y=True",
    "BatchToSpaceND": "input=tf.concat([x, x], 0), block_shape=[2, 2], crops=[[0, 1], [0, 0]]",
    "BiasAdd": "value=x, bias=tf.reshape(y, [-1])[:tf.shape(x)[-1]]",
    "Bincount": "arr=tf.cast(abs(x), tf.int32), size=5, weights=tf.cast(y, tf.float32)",
    "BroadcastTo": "input=x, shape=tf.concat([[2], tf.shape(x)], 0)",
    "ClipByValue": "t=x, clip_value_min=-abs(y), clip_value_max=abs(y) + 1",
    "Concat": "concat_dim=r - 1, values=[x, y]",
    "ConcatV2": "values=[x, y], axis=r - 1",
    "Conv2D": "input=x, filter=y[:, :, :, :][:2, :2], strides=[1, 1, 1, 1], padding='SAME'",
    "CropAndResize": "image=x, boxes=[[0.1, 0.2, 0.8, 0.9], [0.0, 0.5, 1.0, 0.1]], box_ind=[1, 0], crop_size=[3, 4]",
    "DenseBincount": "input=tf.cast(abs(x), tf.int32), size=5, weights=tf.cast(y, tf.float32)",
    "DepthToSpace": "input=tf.concat([x, y, x, y], 3), block_size=2",
    "Dilation2D": "input=x, filter=y[0], strides=[1, 1, 1, 1], rates=[1, 1, 1, 1], padding='SAME'",
    "Einsum": "inputs=[x, y], equation='...ij,...kj->...ik'",
    "EnsureShape": "input=x, shape=[None] * r",
    "FakeQuantWithMinMaxVars": "inputs=x, min=-1.5, max=2.0",
    "Fill": "dims=[2] * r, value=first(x)",
    "FFT": "input=tf.complex(x, y)",
    "IFFT": "input=tf.complex(x, y)",
    "IRFFT": "input=tf.complex(x, y), fft_length=[2]",
    "RFFT": "input=x, fft_length=[2]",
    "Imag": "input=tf.complex(x, y)",
    "Real": "input=tf.complex(x, y)",
    "ComplexAbs": "x=tf.complex(x, y)",
    "Gather": "params=x, indices=[1, 0, 1]",
    "GatherNd": "params=x, indices=[[1] * r, [0] * r]",
    "GatherV2": "params=x, indices=[[1, 0], [0, 0]], axis=r - 1",
    "IdentityN": "input=[x, y]",
    "ImageProjectiveTransformV3": (
        "images=x, transforms=TURN, output_shape=[3, 4], fill_value=0.5, interpolation='BILINEAR'"
    ),
    "LinSpace": "start=first(x), stop=9.0, num=4",
    "ListDiff": "x=x, y=y[:1]",
    "LowerBound": "sorted_inputs=tf.sort(x), values=y",
    "UpperBound": "sorted_inputs=tf.sort(x), values=y",
    "MatMul": "a=x, b=y, transpose_b=True",
    "MatrixBandPart": "input=x, num_lower=1, num_upper=0",
    "MaxPool": "input=x, ksize=[1, 2, 2, 1], strides=[1, 1, 2, 1], padding='SAME'",
    "MaxPool3D": "input=x, ksize=[1, 2, 2, 1, 1], strides=[1, 1, 2, 1, 1], padding='SAME'",
    "MaxPoolWithArgmax": "input=x, ksize=[1, 2, 2, 1], strides=[1, 1, 2, 1], padding='SAME'",
    "MirrorPad": "input=x, paddings=[[1, 1]] * r, mode='REFLECT'",
    "OneHot": "indices=tf.cast(x, tf.int32), depth=3, on_value=first(y), off_value=first(x)",
    "Pad": "input=x, paddings=[[1, 2]] * r",
    "PadV2": "input=x, paddings=[[1, 2]] * r, constant_values=first(y)",
    "Range": "start=first(x), limit=first(x) + 5, delta=tf.cast(2, x.dtype)",
    "Reshape": "tensor=x, shape=tf.concat([tf.shape(x), [1]], 0)",
    "ResizeBilinear": "images=x, size=[3, 5], half_pixel_centers=True",
    "ResizeNearestNeighbor": "images=x, size=[3, 5], half_pixel_centers=True",
    "ReverseV2": "tensor=x, axis=[0, r - 1][:r]",
    "ScatterNd": "indices=[[3], [0]], updates=x, shape=[4, *x.shape[1:]]",
    "Select": "condition=x > y, x=x, y=y",
    "SelectV2": "condition=first(x) == first(x), t=x, e=y",
    "Slice": "input=x, begin=[0] * (r - 1) + [1], size=[-1] * r",
    "SpaceToBatchND": "input=x, block_shape=[2, 2], paddings=[[0, 1], [1, 1]]",
    "SparseSegmentMean": "data=x, indices=[1, 0, 1], segment_ids=[0, 0, 1]",
    "SparseSegmentSum": "data=x, indices=[1, 0, 1], segment_ids=[0, 0, 1]",
    "SparseToDense": "sparse_indices=[[1], [3]], output_shape=[5], sparse_values=x, default_value=first(y)",
    "Split": "axis=r - 1, value=tf.concat([x, y], r - 1), num_split=2",
    "SplitV": "value=tf.concat([x, y], r - 1), size_splits=[1, -1], axis=r - 1, num_split=2",
    "Squeeze": "input=tf.expand_dims(x, r), axis=[r]",
    "StaticRegexReplace": "input=x, pattern='[a-c]', rewrite='X'",
    "StridedSlice": "input=x, begin=[0] * r, end=[9] * r, strides=[1] * (r - 1) + [2]",
    "StringToHashBucketFast": "input=x, num_buckets=7",
    "TensorScatterUpdate": "tensor=x, indices=[[1]], updates=y[:1]",
    "Tile": "input=x, multiples=[2] * r",
    "TopKV2": "input=x, k=2",
    "UniqueV2": "x=x, axis=[0]",
    "Unpack": "value=x, num=2, axis=0",
    "FusedBatchNorm": "x=x, scale=PAIR, offset=-PAIR, mean=PAIR / 2, variance=PAIR, is_training=False",
}
_GIVEN = {
    **_GIVEN,
    **{f"FusedBatchNormV{version}": _GIVEN["FusedBatchNorm"] for version in (2, 3)},
    "Conv2D": "input=x, filter=tf.reshape(tf.range(8.0), (2, 1, 2, 2)) - 3, strides=[1, 1, 1, 1], padding='SAME'",
    "Conv3D": "input=x, filter=tf.reshape(tf.range(8.0), (2, 1, 1, 2, 2)) - 3, strides=[1, 1, 1, 1, 1], padding='SAME'",
    "DepthwiseConv2dNative": (
        "input=x, filter=tf.reshape(tf.range(8.0), (2, 1, 2, 2)) - 3, strides=[1, 1, 1, 1], padding='SAME'"
    ),
    "Conv2DBackpropInput": (
        "input_sizes=[2, 3, 4, 2], filter=tf.reshape(tf.range(8.0), (2, 1, 2, 2)) - 3, out_backprop=x, "
        "strides=[1, 1, 1, 1], padding='SAME'"
    ),
}

#: Raw op → the values that it takes.
_DRAWS: Mapping[str, str] = {
    **dict.fromkeys(("Acos", "Asin", "Atanh"), "unit"),
    **dict.fromkeys(("Log", "Sqrt", "Rsqrt", "Log1p", "Pow"), "positive"),
    **dict.fromkeys(
        ("Exp", "Expm1", "Sinh", "Cosh", "Prod", "Cumprod", "MatMul", "BatchMatMul", "BatchMatMulV2"), "small"
    ),
    **dict.fromkeys(("Einsum", "Square", "SquaredDifference", "Bincount", "DenseBincount", "OneHot"), "small"),
    **dict.fromkeys(("Div", "FloorDiv", "FloorMod", "Mod", "RealDiv"), "nonzero"),
    **dict.fromkeys(
        ("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "Unique", "UniqueV2"), "tied"
    ),
    **dict.fromkeys(("ListDiff", "DivNoNan", "Where"), "tied"),
    **dict.fromkeys(("IsFinite", "IsInf", "IsNan"), "special"),
    "Acosh": "nonzero",
}

#: Control flow, tables, lists and random numbers; in "Functions and SavedModels" as users write them.
_NOT_RAW = re.compile(
    r"(Const|Placeholder.*|NoOp|Print|If|While|Stateless.*|TensorArray.*|TensorList.*|EmptyTensorList|HashTable.*|"
    r"LookupTable.*|InitializeTable.*|Enter|Exit|NextIteration|LoopCond|Merge|Switch|Random.*|TruncatedNormal|"
    r"Multinomial|NonMaxSuppression.*|SparseFillEmptyRows|SparseReshape|StringNGrams|StringSplit|Rank|Size|Shape.*|"
    r"BroadcastArgs|Round|OnesLike|ZerosLike|BitwiseAnd)"
)
_DTYPES = ("float32", "int32", "bool", "string")
_SIDES = (2, 3, 4, 2, 3, 2)
#: As for arithmetic elsewhere in the sweep.
_TOLERANCE = 1e-4
_LAST = 2  # channels, and what is joined, split and counted


def cases() -> Iterator[Case]:
    """Yield the cases of the raw ops: float32 at the lowest and the highest rank, other dtypes at the highest."""
    known = json.loads(_TABLE.read_text(encoding="utf-8"))["ops"]
    for op in sorted(op for op in known if hasattr(tf.raw_ops, op) and not _NOT_RAW.fullmatch(op)):
        build = functools.partial(_raw, op)
        yield Case(f"tf.raw_ops.{op} of the lowest rank", functools.partial(build, "float32", highest=False))
        yield Case(f"tf.raw_ops.{op} of the highest rank", functools.partial(build, "float32"))
        yield Case(f"tf.raw_ops.{op} of any size", functools.partial(build, "float32", free=True))
        for dtype in _DTYPES[1:]:
            yield Case(f"tf.raw_ops.{op} of {dtype}", functools.partial(build, dtype))


def _raw(op: str, dtype: str, *, highest: bool = True, free: bool = False) -> Subject:
    """Trace an op at the first rank at which TensorFlow computes it.

    Raises:
        TypeError: It takes no such dtype at any rank.
    """
    function = getattr(tf.raw_ops, op)
    parameters = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    given = _GIVEN.get(op) or ", ".join(f"{name}={_OPERANDS.get(name, name)}" for name in parameters)
    names = [name for name in ("x", "y") if re.search(rf"(?<!\w){name}(?![\w=])", given)]
    reason: Exception | None = None
    for rank in sorted(range(len(_SIDES) + 1), reverse=highest):
        shape = [*_SIDES[: rank - 1], _LAST][:rank]
        call = eval(f"lambda {', '.join(names)}, r={rank}: tf.raw_ops.{op}({given})", dict(_NAMES))
        draw = OPERANDS[_DRAWS.get(op, "x")].draw
        specs = [tf.TensorSpec([None] * rank if free else shape, dtype, name) for name in names]
        try:
            concrete = tf.function(call, autograph=False).get_concrete_function(*specs)
            feeds = telling(concrete, functools.partial(_drawn, names, draw, tuple(shape), dtype))
        except Exception as error:  # noqa: BLE001 - whatever TensorFlow raises: the next rank
            reason = error
        else:
            return Subject(concrete, feeds, tolerance=_TOLERANCE)
    msg = f"{op} takes no {dtype}: {reason}"
    raise TypeError(msg) from reason


def _drawn(names: list[str], draw: Any, shape: tuple[int, ...], dtype: str, seed: int) -> dict[str, Array]:
    return {name: draw(np.random.default_rng([seed, place]), shape, dtype) for place, name in enumerate(names)}
