"""Work on one, two or three spatial axes through what tfjs has for two, and along any axis through matrices."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from tfjs_magic.artifacts import Array, Dims
from tfjs_magic.layers.mapping import FIX_SIZE, LayerView
from tfjs_magic.layers.tfjs_layer import TfjsLayers, chain, multiplied, permuted, permuted_back, tfjs

Pair = tuple[int, int]
T = TypeVar("T")
NONE: Pair = (0, 0)


def padded(view: LayerView, shape: Dims, pads: Sequence[Pair]) -> TfjsLayers:
    """Add zeros before and after each spatial axis of ``shape`` (…, channels)."""
    sizes = [_sum(size, *pad) for size, pad in zip(shape, pads, strict=False)]

    def two(rows: Pair, columns: Pair) -> TfjsLayers:
        config = {"padding": [list(rows), list(columns)], "data_format": "channels_last"}
        return tfjs("ZeroPadding2D", config)

    return on_each_axis(view, two, shape, pads, sizes, nothing=NONE)


def cropped(view: LayerView, shape: Dims, cuts: Sequence[Pair]) -> TfjsLayers:
    """Cut values off at the start and the end of each spatial axis of ``shape`` (…, channels)."""
    if any(size is None and cut != NONE for size, cut in zip(shape, cuts, strict=False)):
        view.refuse("It cuts data of unknown size; TF.js then takes the size for 0.", FIX_SIZE)
    sizes = [_sum(size, -cut[0], -cut[1]) for size, cut in zip(shape, cuts, strict=False)]

    def two(rows: Pair, columns: Pair) -> TfjsLayers:
        config = {"cropping": [list(rows), list(columns)], "data_format": "channels_last"}
        return tfjs("Cropping2D", config)

    return on_each_axis(view, two, shape, cuts, sizes, nothing=NONE)


def repeated(view: LayerView, shape: Dims, times: Sequence[int]) -> TfjsLayers:
    """Repeat each value along each spatial axis of ``shape`` (…, channels)."""
    sizes = [product(size, count) for size, count in zip(shape, times, strict=False)]

    def two(rows: int, columns: int) -> TfjsLayers:
        config = {"size": [rows, columns], "data_format": "channels_last", "interpolation": "nearest"}
        return tfjs("UpSampling2D", config)

    return on_each_axis(view, two, shape, times, sizes, nothing=1)


def on_each_axis(
    view: LayerView,
    two: Callable[[T, T], TfjsLayers],
    shape: Dims,
    amounts: Sequence[T],
    sizes: Sequence[int | None],
    *,
    nothing: T,
) -> TfjsLayers:
    """Apply a layer for two spatial axes to one, two or three.

    Args:
        view: For what must be refused.
        two: Makes that layer, given the amounts for both axes.
        shape: One sample, channels last.
        amounts: For each spatial axis.
        sizes: Of each spatial axis afterwards.
        nothing: The amount that changes nothing.
    """
    if all(amount == nothing for amount in amounts):
        return ()
    *spatial, channels = shape
    if len(spatial) == 1:
        to_image = view.reshaped(spatial[0], 1, channels)
        return chain(to_image, two(amounts[0], nothing), view.reshaped(sizes[0], channels))
    if len(spatial) == 2:
        return two(amounts[0], amounts[1])
    depth, height, width = sizes
    back = view.reshaped(depth, height, width, channels)
    first: TfjsLayers = ()
    if (amounts[0], amounts[1]) != (nothing, nothing):
        outer = view.reshaped(spatial[0], spatial[1], product(spatial[2], channels))
        first = chain(outer, two(amounts[0], amounts[1]))
    if amounts[2] == nothing:
        return chain(first, back)
    inner = view.reshaped(product(depth, height), spatial[2], channels)
    return chain(first, inner, two(nothing, amounts[2]), back)


def along_axes(rank: int, matrices: Mapping[int, Array]) -> TfjsLayers:
    """Multiply axes of one sample (counted from 1, without the batch) by constant matrices (size before, after)."""
    order, parts = list(range(1, rank + 1)), []
    for axis in sorted(matrices, reverse=True):
        wanted = [*(other for other in order if other != axis), axis]
        parts += [permuted([order.index(other) + 1 for other in wanted]), multiplied(matrices[axis])]
        order = wanted
    return chain(*parts, permuted_back(order))


def resize_matrix(before: int, after: int, interpolation: str, *, antialias: bool = False) -> Array:
    """Return what Keras's resize does to one axis, as a matrix (before, after): it treats the axes one by one."""
    keras = sys.modules["keras"]
    columns = np.eye(before, dtype=np.float32)[:, :, None, None]
    resized = keras.ops.image.resize(
        columns, (after, 1), interpolation=interpolation, antialias=antialias, data_format="channels_last"
    )
    return np.asarray(keras.ops.convert_to_numpy(resized), np.float32)[:, :, 0, 0]


def same_pads(size: int, window: int, stride: int) -> Pair:
    """Return the zeros before and after an axis that "same" padding adds in TensorFlow."""
    total = max((math.ceil(size / stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def _sum(size: int | None, *more: int) -> int | None:
    return None if size is None else size + sum(more)


def product(*sizes: int | None) -> int | None:
    """Multiply sizes; None if one is unknown."""
    known = [size for size in sizes if size is not None]
    return math.prod(known) if len(known) == len(sizes) else None
