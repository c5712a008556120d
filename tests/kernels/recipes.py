"""How each op is called to see what its kernels do.

A recipe calls the op once: ``d.fed`` makes an operand of the dtype that is measured, which is fed; what else the op
takes is constant.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tests.kernels.draw import SHAPES, Domain, Draw, Recipe


def _unary(domain: Domain = "any", *, large: bool = False, **more: Any) -> Recipe:
    def call(d: Draw, rank: int) -> Any:
        return d.op(**{_first_argument(d): d.fed(rank, domain)})

    return Recipe(call, large=large, **more)


def _first_argument(d: Draw) -> str:
    return next(iter(inspect.signature(d.op.func).parameters))


def _binary(
    second: Domain = "any", *, large: bool = True, types: tuple[str, ...] = ("T",), first: str = "x", last: str = "y"
) -> Recipe:
    def call(d: Draw, rank: int) -> Any:
        one, two = d.other(rank, second)
        return d.op(**{first: one, last: two})

    return Recipe(call, types=types, forms=("scalar", "vector", "one", "both"), large=large)


def _reduction(*, types: tuple[str, ...] = ("T",), large: bool = False, domain: Domain = "any") -> Recipe:
    def call(d: Draw, rank: int) -> Any:
        return d.op(input=d.fed(rank, domain), axis=tf.constant([rank - 1]))

    return Recipe(call, range(1, 7), types, ({"keep_dims": True},), large=large)


def _arg(d: Draw, rank: int) -> Any:
    return d.op(input=d.fed(rank), dimension=tf.constant(rank - 1), output_type=tf.int32)


def _cumulative(domain: Domain = "any", *, large: bool) -> Recipe:
    return Recipe(
        lambda d, rank: d.op(x=d.fed(rank, domain), axis=tf.constant(rank - 1)),
        range(1, 7),
        attrs=({"exclusive": True}, {"reverse": True}),
        large=large,
    )


def _values(d: Draw, rank: int, count: int = 2) -> list[Any]:
    return [d.fed(rank) for _ in range(count)]


def _pads(rank: int) -> Any:
    return tf.constant([[1, 0]] * rank if rank else np.zeros((0, 2), np.int32))


def _gather(d: Draw, rank: int) -> Any:
    if not d.op.keywords:
        return d.op(params=d.fed(rank), indices=tf.constant([1, 0, 1]), axis=0)
    indices = np.random.default_rng(rank).integers(0, 4, (5, 3)).astype(np.int32)
    return d.op(params=d.fed((5, 4, *SHAPES[rank][2:])), indices=tf.constant(indices), axis=1)


def _strided(d: Draw, rank: int) -> Any:
    ones = np.ones(rank, np.int32)
    return d.op(input=d.fed(rank), begin=ones * 0 + 1, end=np.array(SHAPES[rank], np.int32), strides=ones)


def _square(d: Draw, rank: int, *names: str) -> Any:
    shape = (*SHAPES[rank - 2], 3, 3)
    return d.op(**{name: d.fed(shape) for name in names})


def _band(d: Draw, rank: int) -> Any:
    return d.op(input=d.fed((*SHAPES[rank - 2], 3, 4)), num_lower=1, num_upper=0)


def _conv(kernel: tuple[int, ...], side: tuple[int, ...], **fixed: Any) -> Callable[[Draw, int], Any]:
    def call(d: Draw, _: int) -> Any:
        rank = len(side)
        attrs = {"strides": [1] * rank, "padding": "VALID", **fixed}
        return d.op(input=d.fed(side), filter=d.fed(kernel), **attrs)

    return call


def _pool(side: tuple[int, ...], name: str = "input", **fixed: Any) -> Callable[[Draw, int], Any]:
    def call(d: Draw, _: int) -> Any:
        window = [1, *[2] * (len(side) - 2), 1]
        return d.op(**{name: d.fed(side)}, ksize=window, strides=window, padding="VALID", **fixed)

    return call


def _batch_norm(d: Draw, _: int) -> Any:
    vectors = {name: d.fed((3,), "positive", tf.float32) for name in ("scale", "offset", "mean", "variance")}
    return d.op(x=d.fed((2, 4, 4, 3)), **vectors, **{"is_training": False, **d.op.keywords})


def _suppression(**fixed: Any) -> Callable[[Draw, int], Any]:
    def call(d: Draw, _: int) -> Any:
        corners = np.sort(np.random.default_rng(3).uniform(0, 1, (2, 6, 2)), 0).transpose(1, 0, 2).reshape(6, 4)
        scores = d.fed((6,), "unit", tf.float32)
        return d.op(boxes=corners.astype(np.float32), scores=scores, max_output_size=4, iou_threshold=0.3, **fixed)

    return call


def _list(d: Draw, rank: int) -> Any:
    """A list of the operand's rows."""
    x = d.fed(rank)
    return tf.raw_ops.TensorListFromTensor(tensor=x, element_shape=tf.constant(SHAPES[rank][1:], tf.int32))


def _shape_of_row(rank: int) -> Any:
    return tf.constant(SHAPES[rank][1:], tf.int32)


def _new_list(d: Draw, rank: int, items: int = 2) -> Any:
    return tf.raw_ops.TensorListReserve(
        element_shape=_shape_of_row(rank), num_elements=items, element_dtype=d.dtypes["element_dtype"]
    )


def _filled(d: Draw, rank: int) -> Any:
    """A new list whose items are set one by one."""
    handle = _new_list(d, rank)
    for index in range(2):
        handle = tf.raw_ops.TensorListSetItem(input_handle=handle, index=index, item=d.fed(SHAPES[rank][1:]))
    return handle


def _stacked(d: Draw, handle: Any, rank: int) -> Any:
    return tf.raw_ops.TensorListStack(
        input_handle=handle, element_shape=_shape_of_row(rank), element_dtype=d.dtypes["element_dtype"]
    )


_OF_LIST: dict[str, Any] = {"ranks": range(1, 7), "types": ("element_dtype",)}

RECIPES: dict[str, Recipe] = {
    # ---- one operand
    **{
        name: _unary()
        for name in "Asinh Atan Ceil Cos Cosh Elu Erf Exp Expm1 Floor IsFinite IsInf IsNan LeakyRelu Relu Relu6 "
        "Selu Sigmoid Sin Sinh Softplus Tan Tanh".split()
    },
    **{name: _unary(large=True) for name in "Abs Neg Sign OnesLike ZerosLike Identity Snapshot StopGradient".split()},
    **{name: _unary("unit") for name in "Acos Asin Atanh".split()},
    **{name: _unary("positive") for name in "Log Log1p Reciprocal Rsqrt Sqrt".split()},
    "Acosh": _unary("above one"),
    "Square": _unary("small"),
    "Round": _unary(dtypes=(tf.float32,)),  # TensorFlow itself gives 0 for every integer
    "LogicalNot": _unary(types=()),
    "ComplexAbs": _unary(),
    "Real": _unary(),
    "Imag": _unary(),
    "Rank": _unary(),
    "Shape": _unary(),
    "Size": _unary(),
    "ShapeN": Recipe(lambda d, rank: d.op(input=_values(d, rank)), large=False),
    "IdentityN": Recipe(lambda d, rank: d.op(input=_values(d, rank)), types=()),
    "EnsureShape": Recipe(lambda d, rank: d.op(input=d.fed(rank), shape=SHAPES[rank])),
    "ClipByValue": Recipe(
        lambda d, rank: d.op(
            t=d.fed(rank), clip_value_min=d.numbers((), "small"), clip_value_max=d.numbers((), "above one")
        )
    ),
    "Cast": Recipe(lambda d, rank: d.op(x=d.fed(rank), DstT=d.dtypes["DstT"]), types=("SrcT", "DstT")),
    "Softmax": Recipe(lambda d, rank: d.op(logits=d.fed(rank)), range(1, 7)),
    "LogSoftmax": Recipe(lambda d, rank: d.op(logits=d.fed(rank)), range(1, 7)),
    # ---- two operands
    **{name: _binary() for name in "Equal Greater GreaterEqual Less LessEqual Maximum Minimum NotEqual".split()},
    **{name: _binary("small") for name in "Add AddV2 Sub BitwiseAnd".split()},
    **{name: _binary("positive") for name in "Div FloorDiv FloorMod Mod RealDiv".split()},
    "DivNoNan": _binary("positive"),
    "Atan2": Recipe(
        lambda d, rank: d.op(**dict(zip(("y", "x"), d.other(rank), strict=True))),
        forms=("scalar", "vector", "one", "both"),
    ),
    "Mul": _binary("small", large=False),
    "SquaredDifference": _binary("small", large=False),
    "Pow": Recipe(lambda d, rank: d.op(x=d.fed(rank, "positive"), y=d.fed(rank, "positive")), large=False),
    "LogicalAnd": _binary(types=()),
    "LogicalOr": _binary(types=()),
    "Complex": _binary(first="real", last="imag"),
    "AddN": Recipe(lambda d, rank: d.op(inputs=_values(d, rank, 3))),
    "BiasAdd": Recipe(lambda d, rank: d.op(value=d.fed(rank), bias=d.fed(SHAPES[rank][-1:])), range(2, 6), large=False),
    "BroadcastArgs": Recipe(
        lambda d, _: d.op(s0=d.numbers((3,)) * 0 + 1, s1=tf.cast(tf.shape(d.fed(3, dtype=tf.float32)), d.dtypes["T"])),
        [1],
        large=False,
    ),
    "Select": Recipe(lambda d, rank: d.op(condition=d.fed(rank, dtype=tf.bool), x=d.fed(rank), y=d.fed(rank))),
    "SelectV2": Recipe(lambda d, rank: d.op(condition=d.fed(rank, dtype=tf.bool), t=d.fed(rank), e=d.fed(rank))),
    # ---- reductions
    **{name: _reduction(large=name in {"Max", "Min"}) for name in "EuclideanNorm Max Mean Min Sum".split()},
    "Prod": _reduction(domain="small"),
    **{name: _reduction(types=()) for name in ("All", "Any")},
    "ArgMax": Recipe(_arg, range(1, 7)),
    "ArgMin": Recipe(_arg, range(1, 7)),
    "Cumsum": _cumulative(large=False),
    "Cumprod": _cumulative("small", large=False),
    "Bincount": Recipe(lambda d, _: d.op(arr=tf.constant([0, 2, 2, 4]), size=5, weights=d.fed((4,))), [1], large=False),
    "DenseBincount": Recipe(
        lambda d, rank: d.op(
            input=tf.constant([[0, 2, 2], [4, 1, 0]][: rank * 2] if rank == 2 else [0, 2, 2]),
            size=5,
            weights=d.fed((2, 3)[-rank:]),
        ),
        [1, 2],
        attrs=({"binary_output": True},),
        large=False,
    ),
    # ---- moving values
    "Concat": Recipe(lambda d, rank: d.op(concat_dim=rank - 1, values=_values(d, rank)), range(1, 7)),
    "ConcatV2": Recipe(lambda d, rank: d.op(values=_values(d, rank), axis=rank - 1), range(1, 7)),
    "Pack": Recipe(lambda d, rank: d.op(values=_values(d, rank)), range(6), attrs=({"axis": 1},)),
    "Unpack": Recipe(lambda d, rank: d.op(value=d.fed(rank), num=SHAPES[rank][0]), range(1, 7)),
    "Split": Recipe(lambda d, rank: d.op(axis=0, value=d.fed(rank), num_split=2), range(1, 7)),
    "SplitV": Recipe(
        lambda d, rank: d.op(
            value=d.fed(rank), size_splits=np.array([1, SHAPES[rank][0] - 1], np.int32), axis=0, num_split=2
        ),
        range(1, 7),
    ),
    "Slice": Recipe(
        lambda d, rank: d.op(input=d.fed(rank), begin=np.ones(rank, np.int32), size=np.ones(rank, np.int32)),
        range(1, 7),
    ),
    "StridedSlice": Recipe(_strided, range(1, 7)),
    "Tile": Recipe(lambda d, rank: d.op(input=d.fed(rank), multiples=np.full(rank, 2, np.int32)), range(1, 7)),
    "Gather": Recipe(
        lambda d, rank: d.op(params=d.fed(rank), indices=tf.constant([1, 0, 1])), range(1, 7), ("Tparams",)
    ),
    "GatherV2": Recipe(_gather, range(1, 7), ("Tparams",), attrs=({"batch_dims": 1},)),
    "GatherNd": Recipe(
        lambda d, rank: d.op(params=d.fed(rank), indices=tf.constant([[1], [0], [1]])), range(1, 7), ("Tparams",)
    ),
    "Reverse": Recipe(lambda d, rank: d.op(tensor=d.fed(rank), dims=np.arange(rank) == rank - 1), range(1, 7)),
    "ReverseV2": Recipe(lambda d, rank: d.op(tensor=d.fed(rank), axis=tf.constant([rank - 1])), range(1, 7)),
    "ScatterNd": Recipe(
        lambda d, rank: d.op(
            indices=tf.constant([[3], [1]]),
            updates=d.fed((2, *SHAPES[rank][1:])),
            shape=np.array([4, *SHAPES[rank][1:]], np.int32),
        ),
        range(1, 7),
    ),
    "SparseToDense": Recipe(
        lambda d, _: d.op(
            sparse_indices=tf.constant([[0, 1], [2, 0]]),
            output_shape=tf.constant([3, 3]),
            sparse_values=d.fed((2,)),
            default_value=d.numbers((), "small"),
        ),
        [2],
    ),
    "TensorScatterUpdate": Recipe(
        lambda d, rank: d.op(
            tensor=d.fed(rank), indices=tf.constant([[1], [0]]), updates=d.fed((2, *SHAPES[rank][1:]))
        ),
        range(1, 7),
    ),
    "Pad": Recipe(lambda d, rank: d.op(input=d.fed(rank), paddings=_pads(rank)), range(1, 7)),
    "PadV2": Recipe(
        lambda d, rank: d.op(input=d.fed(rank), paddings=_pads(rank), constant_values=d.numbers(())), range(1, 7)
    ),
    "MirrorPad": Recipe(
        lambda d, rank: d.op(input=d.fed(rank), paddings=_pads(rank), **{"mode": "REFLECT", **d.op.keywords}),
        range(1, 7),
        attrs=({"mode": "SYMMETRIC"},),
    ),
    "Transpose": Recipe(
        lambda d, rank: d.op(x=d.fed(rank), perm=np.roll(np.arange(rank), 1).astype(np.int32)), range(2, 7)
    ),
    "Reshape": Recipe(lambda d, rank: d.op(tensor=d.fed(rank), shape=tf.constant([-1])), range(1, 7)),
    "Squeeze": Recipe(lambda d, rank: d.op(input=d.fed((1, *SHAPES[rank - 1]))), range(1, 7)),
    "ExpandDims": Recipe(lambda d, rank: d.op(input=d.fed(rank), axis=0), range(6)),
    "BroadcastTo": Recipe(
        lambda d, rank: d.op(input=d.fed((1, *SHAPES[rank][1:])), shape=np.array(SHAPES[rank], np.int32)), range(1, 7)
    ),
    "SpaceToBatchND": Recipe(
        lambda d, rank: d.op(
            input=d.fed((2, 4, 4, 2, 2, 2)[:rank]),
            block_shape=tf.constant([2, 2]),
            paddings=tf.constant([[0, 0], [0, 0]]),
        ),
        range(3, 7),
    ),
    "BatchToSpaceND": Recipe(
        lambda d, rank: d.op(
            input=d.fed((4, 2, 2, 2, 2, 2)[:rank]), block_shape=tf.constant([2, 2]), crops=tf.constant([[0, 1], [0, 0]])
        ),
        range(3, 7),
    ),
    "DepthToSpace": Recipe(lambda d, _: d.op(input=d.fed((2, 2, 3, 8)), block_size=2), [4]),
    # ---- making values
    "Fill": Recipe(lambda d, rank: d.op(dims=np.array(SHAPES[rank], np.int32), value=d.fed(())), range(1, 7)),
    "Range": Recipe(
        lambda d, _: (
            d.op(
                start=d.numbers((), "small"), limit=d.numbers((), "small") + 5, delta=d.numbers((), "positive") * 0 + 1
            )
            + d.fed((), "small") * 0
        ),
        [1],
        ("Tidx",),
        large=False,
    ),
    "LinSpace": Recipe(
        lambda d, _: d.op(start=d.numbers((), "unit"), stop=d.numbers((), "above one"), num=5) + d.fed(()) * 0, [1]
    ),
    "OneHot": Recipe(
        lambda d, rank: d.op(
            indices=d.fed(rank, "small", tf.int32), depth=4, on_value=d.numbers(()), off_value=d.numbers((), "small")
        ),
        range(6),
        attrs=({"axis": 0},),
        large=False,
    ),
    "Where": Recipe(lambda d, rank: tf.cast(d.op(condition=d.fed(rank)), tf.int32), range(1, 7), large=False),
    "Unique": Recipe(lambda d, _: d.op(x=d.fed((9,))), [1]),
    "UniqueV2": Recipe(lambda d, rank: d.op(x=d.fed(rank), axis=tf.constant([0])), range(1, 7)),
    "TopKV2": Recipe(lambda d, rank: d.op(input=d.fed(rank), k=2), range(1, 7)),
    "LowerBound": Recipe(lambda d, _: d.op(sorted_inputs=d.fed((2, 5), "ascending"), values=d.fed((2, 3))), [2]),
    "UpperBound": Recipe(lambda d, _: d.op(sorted_inputs=d.fed((2, 5), "ascending"), values=d.fed((2, 3))), [2]),
    # ---- matrices
    "MatMul": Recipe(
        lambda d, rank: _square(d, rank, "a", "b"),
        [2],
        attrs=({"transpose_a": True}, {"transpose_b": True}),
        large=False,
    ),
    "BatchMatMul": Recipe(
        lambda d, rank: _square(d, rank, "x", "y"), range(2, 7), attrs=({"adj_x": True}, {"adj_y": True}), large=False
    ),
    "BatchMatMulV2": Recipe(
        lambda d, rank: _square(d, rank, "x", "y"), range(2, 7), attrs=({"adj_x": True}, {"adj_y": True}), large=False
    ),
    "Einsum": Recipe(lambda d, _: d.op(inputs=[d.fed((2, 3)), d.fed((3, 4))], equation="ij,jk->ik"), [2], large=False),
    "MatrixBandPart": Recipe(_band, range(2, 5)),
    # ---- windows
    "Conv2D": Recipe(
        _conv((2, 2, 3, 2), (2, 5, 5, 3)),
        [4],
        attrs=(
            {"padding": "SAME"},
            {"dilations": [1, 2, 2, 1]},
            {"strides": [1, 2, 2, 1]},
            {"padding": "EXPLICIT", "explicit_paddings": [0, 0, 1, 2, 0, 1, 0, 0]},
        ),
        large=False,
    ),
    "DepthwiseConv2dNative": Recipe(
        _conv((2, 2, 3, 2), (2, 5, 5, 3)),
        [4],
        attrs=(
            {"padding": "SAME"},
            {"dilations": [1, 2, 2, 1]},
            {"strides": [1, 2, 2, 1]},
            {"padding": "EXPLICIT", "explicit_paddings": [0, 0, 1, 2, 0, 1, 0, 0]},
        ),
        large=False,
    ),
    "Conv2DBackpropInput": Recipe(
        lambda d, _: d.op(
            input_sizes=tf.constant([2, 5, 5, 3]),
            filter=d.fed((2, 2, 3, 2)),
            out_backprop=d.fed((2, 4, 4, 2) if "strides" not in d.op.keywords else (2, 2, 2, 2)),
            **{"strides": [1, 1, 1, 1], "padding": "VALID", **d.op.keywords},
        ),
        [4],
        attrs=({"strides": [1, 2, 2, 1]},),
        large=False,
    ),
    "Conv3D": Recipe(
        _conv((2, 2, 2, 3, 2), (2, 4, 4, 4, 3)),
        [5],
        attrs=({"padding": "SAME"}, {"strides": [1, 2, 2, 2, 1]}),
        large=False,
    ),
    "Dilation2D": Recipe(
        lambda d, _: d.op(
            input=d.fed((2, 5, 5, 3)),
            filter=d.fed((2, 2, 3)),
            strides=[1, 1, 1, 1],
            rates=[1, 1, 1, 1],
            padding="VALID",
        ),
        [4],
        large=False,
    ),
    "AvgPool": Recipe(_pool((2, 4, 4, 3), "value"), [4], attrs=({"padding": "SAME"},), large=False),
    "AvgPool3D": Recipe(_pool((2, 4, 4, 4, 3)), [5], attrs=({"padding": "SAME"},), large=False),
    "MaxPool": Recipe(_pool((2, 4, 4, 3)), [4], attrs=({"padding": "SAME"},)),
    "MaxPool3D": Recipe(_pool((2, 4, 4, 4, 3)), [5], attrs=({"padding": "SAME"},)),
    "MaxPoolWithArgmax": Recipe(
        _pool((2, 4, 4, 3), Targmax=tf.int32), [4], attrs=({"include_batch_in_index": True},), large=False
    ),
    "LRN": Recipe(lambda d, _: d.op(input=d.fed((2, 3, 3, 4)), depth_radius=2, bias=0.5, alpha=0.3, beta=0.7), [4]),
    **{
        name: Recipe(_batch_norm, [4], attrs=({"is_training": True},))
        for name in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
    },
    "ResizeBilinear": Recipe(
        lambda d, _: d.op(images=d.fed((2, 3, 4, 2)), size=tf.constant([6, 5])),
        [4],
        attrs=({"align_corners": True}, {"half_pixel_centers": True}),
        large=False,
    ),
    "ResizeNearestNeighbor": Recipe(
        lambda d, _: d.op(images=d.fed((2, 3, 4, 2)), size=tf.constant([6, 5])),
        [4],
        attrs=({"align_corners": True}, {"half_pixel_centers": True}),
    ),
    "CropAndResize": Recipe(
        lambda d, _: d.op(
            image=d.fed((2, 4, 5, 2)),
            boxes=tf.constant([[0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]]),
            box_ind=tf.constant([1, 0]),
            crop_size=tf.constant([3, 2]),
        ),
        [4],
        attrs=({"method": "nearest"}, {"extrapolation_value": 2.0}),
        large=False,
    ),
    "ImageProjectiveTransformV3": Recipe(
        lambda d, _: d.op(
            images=d.fed((2, 4, 5, 2)),
            transforms=tf.constant([[0.9, 0.1, 0.3, -0.1, 1.1, 0.2, 0, 0]]),
            output_shape=tf.constant([4, 5]),
            fill_value=0.0,
            **{"interpolation": "BILINEAR", "fill_mode": "CONSTANT", **d.op.keywords},
        ),
        [4],
        ("dtype",),
        attrs=({"interpolation": "NEAREST"}, {"fill_mode": "REFLECT"}),
        large=False,
    ),
    # ---- spectra
    "FFT": Recipe(lambda d, rank: d.op(input=d.fed((2, 3, 4)[-rank:])), [1, 2, 3], ("Tcomplex",)),
    "IFFT": Recipe(lambda d, rank: d.op(input=d.fed((2, 3, 4)[-rank:])), [1, 2, 3], ("Tcomplex",)),
    "RFFT": Recipe(
        lambda d, rank: d.op(input=d.fed((2, 3, 4)[-rank:]), fft_length=tf.constant([4])), [1, 2, 3], ("Treal",)
    ),
    "IRFFT": Recipe(
        lambda d, rank: d.op(input=d.fed((2, 3, 5)[-rank:]), fft_length=tf.constant([8])), [1, 2, 3], ("Tcomplex",)
    ),
    # ---- boxes
    "NonMaxSuppressionV2": Recipe(_suppression(), [2], types=()),
    "NonMaxSuppressionV3": Recipe(_suppression(score_threshold=0.1), [2], types=()),
    "NonMaxSuppressionV4": Recipe(
        _suppression(score_threshold=0.1), [2], types=(), attrs=({"pad_to_max_output_size": True},)
    ),
    "NonMaxSuppressionV5": Recipe(_suppression(soft_nms_sigma=0.5, score_threshold=0.1), [2], types=()),
    # ---- sparse tensors, texts
    "SparseSegmentSum": Recipe(
        lambda d, _: d.op(data=d.fed((3, 4)), indices=tf.constant([0, 2, 1]), segment_ids=tf.constant([0, 0, 1])),
        [2],
        large=False,
    ),
    "SparseSegmentMean": Recipe(
        lambda d, _: d.op(data=d.fed((3, 4)), indices=tf.constant([0, 2, 1]), segment_ids=tf.constant([0, 0, 1])),
        [2],
        large=False,
    ),
    "StaticRegexReplace": Recipe(
        lambda d, rank: d.op(input=d.fed(rank, dtype=tf.string), pattern="a", rewrite="b"),
        types=(),
        attrs=({"replace_global": False},),
    ),
    "StringToHashBucketFast": Recipe(
        lambda d, rank: tf.cast(d.op(input=d.fed(rank, dtype=tf.string), num_buckets=7), tf.int32), types=()
    ),
    "StringSplit": Recipe(
        lambda d, _: d.op(input=d.fed((4,), dtype=tf.string), delimiter="e"),
        [1],
        types=(),
        attrs=({"skip_empty": False},),
    ),
    # ---- lists
    "TensorListFromTensor": Recipe(lambda d, rank: _stacked(d, _list(d, rank), rank), **_OF_LIST),
    "TensorListStack": Recipe(
        lambda d, rank: d.op(
            input_handle=_filled(d, rank), element_shape=_shape_of_row(rank), element_dtype=d.dtypes["element_dtype"]
        ),
        **_OF_LIST,
    ),
    "TensorListGather": Recipe(
        lambda d, rank: d.op(
            input_handle=_list(d, rank),
            indices=tf.constant([1, 0]),
            element_shape=_shape_of_row(rank),
            element_dtype=d.dtypes["element_dtype"],
        ),
        **_OF_LIST,
    ),
    "TensorListGetItem": Recipe(
        lambda d, rank: d.op(
            input_handle=_list(d, rank),
            index=1,
            element_shape=_shape_of_row(rank),
            element_dtype=d.dtypes["element_dtype"],
        ),
        **_OF_LIST,
    ),
    "TensorListReserve": Recipe(lambda d, rank: _stacked(d, _filled(d, rank), rank), **_OF_LIST),
    "TensorListSetItem": Recipe(lambda d, rank: _stacked(d, _filled(d, rank), rank), **_OF_LIST),
}


#: Ops without a recipe, and why none is needed.
NOT_MEASURED: dict[str, str] = {
    **dict.fromkeys(
        "Conv1D DepthwiseConv2d FusedDepthwiseConv2dNative Ones Prelu Zeros _FusedConv2D _FusedMatMul".split(),
        "TensorFlow has no such op, or keeps it to itself: the passes that make it prove it",
    ),
    **dict.fromkeys(
        "Multinomial RandomStandardNormal RandomUniform RandomUniformInt TruncatedNormal".split(),
        "it draws random numbers",
    ),
    **dict.fromkeys(
        "Enter Exit If LoopCond Merge NextIteration StatelessIf StatelessWhile Switch While NoOp Const Placeholder "
        "PlaceholderWithDefault Print".split(),
        "it hands on what it is given, whatever that is",
    ),
    **dict.fromkeys(
        "TensorArrayCloseV3 TensorArrayConcatV3 TensorArrayGatherV3 TensorArrayReadV3 TensorArrayScatterV3 "
        "TensorArraySizeV3 TensorArraySplitV3 TensorArrayV3 TensorArrayWriteV3 EmptyTensorList TensorListConcat "
        "TensorListConcatV2 TensorListLength TensorListPopBack TensorListPushBack TensorListResize TensorListScatter "
        "TensorListScatterV2 TensorListSplit".split(),
        "what is wrong with it lies in what happens to the list before and after",
    ),
    **dict.fromkeys(
        "HashTable HashTableV2 InitializeTable InitializeTableV2 LookupTableFind LookupTableFindV2 LookupTableImport "
        "LookupTableImportV2 LookupTableSize LookupTableSizeV2".split(),
        "it needs the initializer graph",
    ),
    "FakeQuantWithMinMaxVars": "the converter leaves it out",
    "ListDiff": "the executor that does not wait gets a promise, and breaks whatever comes next",
    **dict.fromkeys("SparseFillEmptyRows SparseReshape StringNGrams".split(), "it takes integers of 64 bits alone"),
}
