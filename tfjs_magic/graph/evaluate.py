"""Evaluate pure ops on constants with numpy: the weight-only arithmetic that grappler leaves behind.

An allow-list: an op that is not here is not evaluated. Semantics: TensorFlow's ``core/ops`` documentation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Attr, Node

#: A result may be larger than its inputs by this much: a folded constant must not blow up the download.
_EXTRA_BYTES = 1024
_MOST_OUTPUTS = 10_000


def evaluate(node: Node, inputs: Sequence[Array]) -> tuple[Array, ...] | None:
    """Compute the outputs of a node from constant inputs, one array per port.

    Returns:
        None if the op is not on the list, cannot be computed, or its result would be larger than the inputs.
    """
    compute = _OPS.get(node.op)
    if compute is None or any(array.dtype == object for array in inputs):
        return None
    most = sum({id(array): array.nbytes for array in inputs}.values()) + _EXTRA_BYTES
    try:
        if _expected_bytes(node.op, inputs) > most:
            return None
        # Whatever numpy warns of (0 / 0, overflow) is what TensorFlow computes silently.
        with np.errstate(all="ignore"):
            result = compute(node.attrs, *inputs)
    except (ValueError, IndexError):
        return None  # it fails in TensorFlow too, if it ever runs: it may stand in a branch that never does
    if result is None:
        return None
    outputs = result if isinstance(result, tuple) else (result,)
    if sum(array.nbytes for array in outputs) > most:
        return None
    return tuple(np.ascontiguousarray(array).reshape(array.shape) for array in outputs)


def _expected_bytes(op: str, inputs: Sequence[Array]) -> int:
    """Return how large a result will be, of the ops that make more of their inputs; else 0.

    Raises:
        ValueError: The shapes do not fit each other.
    """
    first = inputs[0]
    if op in _JOINING:
        return sum(array.nbytes for array in inputs)
    if op in _PAIRING:
        return math.prod(np.broadcast_shapes(*(array.shape for array in inputs))) * first.itemsize
    if op == "GatherV2":
        return int(inputs[1].size * first.nbytes // max(1, first.shape[int(inputs[2])]))
    return 0


_JOINING = frozenset({"ConcatV2", "Pack"})
_PAIRING = frozenset(
    {"Add", "AddV2", "Sub", "Mul", "Maximum", "Minimum", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "RealDiv"}
)
_Attrs = Mapping[str, Attr]
_Result = Array | tuple[Array, ...] | None


def _elementwise(function: Callable[..., Array]) -> Callable[..., _Result]:
    def compute(_: _Attrs, *inputs: Array) -> _Result:
        return np.asarray(function(*inputs)).astype(inputs[0].dtype, copy=False)

    return compute


def _float_only(function: Callable[..., Array]) -> Callable[..., _Result]:
    def compute(_: _Attrs, *inputs: Array) -> _Result:
        if inputs[0].dtype.kind != "f":
            return None
        return np.asarray(function(*inputs)).astype(inputs[0].dtype, copy=False)

    return compute


def _rsqrt(x: Array) -> Array:
    return cast("Array", 1 / np.sqrt(x))


def _cast(attrs: _Attrs, x: Array) -> _Result:
    name = str(attrs["DstT"])
    target = np.dtype(name) if name in np.sctypeDict else None
    if target is None or (x.dtype.kind in "fc" and target.kind != x.dtype.kind):
        return None  # float → int rounds and saturates differently across platforms
    return x.astype(target)


def _squeeze(attrs: _Attrs, x: Array) -> _Result:
    axes = cast("tuple[int, ...]", attrs.get("squeeze_dims", ()))
    return np.squeeze(x, axis=axes or None)


def _concat(_: _Attrs, *inputs: Array) -> _Result:
    return np.concatenate(inputs[:-1], axis=int(inputs[-1]))


def _pack(attrs: _Attrs, *inputs: Array) -> _Result:
    return np.stack(inputs, axis=cast("int", attrs.get("axis", 0)))


def _unpack(attrs: _Attrs, x: Array) -> _Result:
    axis = cast("int", attrs.get("axis", 0))
    return None if x.shape[axis] > _MOST_OUTPUTS else tuple(np.take(x, i, axis=axis) for i in range(x.shape[axis]))


def _split(attrs: _Attrs, axis: Array, x: Array) -> _Result:
    number = cast("int", attrs["num_split"])
    return None if number > _MOST_OUTPUTS else tuple(np.split(x, number, axis=int(axis)))


def _gather(attrs: _Attrs, x: Array, indices: Array, axis: Array) -> _Result:
    if attrs.get("batch_dims", 0) or indices.size == 0 or indices.min() < 0 or indices.max() >= x.shape[int(axis)]:
        return None
    return np.take(x, indices, axis=int(axis))


def _slice(_: _Attrs, x: Array, begin: Array, size: Array) -> _Result:
    ends = [n if s == -1 else b + s for b, s, n in zip(begin.tolist(), size.tolist(), x.shape, strict=True)]
    if any(b < 0 or end > n for b, end, n in zip(begin.tolist(), ends, x.shape, strict=True)):
        return None
    return x[tuple(map(slice, begin.tolist(), ends))]


def _strided_slice(attrs: _Attrs, x: Array, begin: Array, end: Array, strides: Array) -> _Result:
    if attrs.get("ellipsis_mask", 0):
        return None
    index: list[int | slice | None] = []
    for i, (first, last, step) in enumerate(zip(begin.tolist(), end.tolist(), strides.tolist(), strict=True)):
        if _bit(attrs, "new_axis_mask", i):
            index.append(None)
        elif _bit(attrs, "shrink_axis_mask", i):
            index.append(first)
        else:
            start = None if _bit(attrs, "begin_mask", i) else first
            index.append(slice(start, None if _bit(attrs, "end_mask", i) else last, step))
    return np.asarray(x[tuple(index)])


def _bit(attrs: _Attrs, mask: str, i: int) -> bool:
    return bool(cast("int", attrs.get(mask, 0)) >> i & 1)


def _reduction(function: Callable[..., Array]) -> Callable[..., _Result]:
    def compute(attrs: _Attrs, x: Array, axes: Array) -> _Result:
        result = function(x, axis=tuple(axes.ravel().tolist()), keepdims=bool(attrs.get("keep_dims", False)))
        return np.asarray(result).astype(x.dtype, copy=False)

    return compute


_OPS: dict[str, Callable[..., _Result]] = {
    "Identity": lambda _, x: x,
    "Add": _elementwise(np.add),
    "AddV2": _elementwise(np.add),
    "Sub": _elementwise(np.subtract),
    "Mul": _elementwise(np.multiply),
    "Maximum": _elementwise(np.maximum),
    "Minimum": _elementwise(np.minimum),
    "BitwiseAnd": _elementwise(np.bitwise_and),
    "BitwiseOr": _elementwise(np.bitwise_or),
    "BitwiseXor": _elementwise(np.bitwise_xor),
    "Floor": _float_only(np.floor),
    "Round": _float_only(np.rint),
    "Neg": _elementwise(np.negative),
    "Abs": _elementwise(np.abs),
    "Square": _elementwise(np.square),
    "RealDiv": _float_only(np.divide),
    "Reciprocal": _float_only(np.reciprocal),
    "Sqrt": _float_only(np.sqrt),
    "Rsqrt": _float_only(_rsqrt),
    "Exp": _float_only(np.exp),
    "Log": _float_only(np.log),
    "Cast": _cast,
    "Reshape": lambda _, x, shape: x.reshape(shape.tolist()),
    "Squeeze": _squeeze,
    "ExpandDims": lambda _, x, axis: np.expand_dims(x, int(axis)),
    "Transpose": lambda _, x, perm: x.transpose(perm.tolist()),
    "ConcatV2": _concat,
    "Pack": _pack,
    "Unpack": _unpack,
    "Split": _split,
    "GatherV2": _gather,
    "Slice": _slice,
    "StridedSlice": _strided_slice,
    "Fill": lambda _, dims, x: np.broadcast_to(x, dims.tolist()) if dims.prod() * x.nbytes <= _EXTRA_BYTES else None,
    "Sum": _reduction(np.sum),
    "Mean": _reduction(np.mean),
    "Prod": _reduction(np.prod),
}
