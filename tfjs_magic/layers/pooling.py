"""Pooling over windows, over everything, and to a given size."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.layers.mapping import FIX_SIZE, LayerMapping, LayerView, either_format
from tfjs_magic.layers.spatial import along_axes, on_each_axis, product
from tfjs_magic.layers.tfjs_layer import TfjsLayers, chain, tfjs


def window_1d(class_name: str) -> LayerMapping:
    """Map MaxPooling1D or AveragePooling1D; data (batch, length, channels)."""

    @either_format
    def mapping(view: LayerView) -> TfjsLayers:
        view.ignore("data_format")
        return tfjs(class_name, view.keep("pool_size", "strides", "padding"))

    return mapping


def window_2d(class_name: str) -> LayerMapping:
    """Map MaxPooling2D or AveragePooling2D; tfjs transposes channels_first by itself."""

    def mapping(view: LayerView) -> TfjsLayers:
        return tfjs(class_name, view.keep("pool_size", "strides", "padding", "data_format"))

    return mapping


def window_3d(class_name: str) -> LayerMapping:
    """Map MaxPooling3D or AveragePooling3D to two 2-D ones: maxima and means are taken axis by axis.

    tfjs's own pads "same" by a negative number where strides leave data out, and starts maxima above zero on wasm.
    """

    @either_format
    def mapping(view: LayerView) -> TfjsLayers:
        config = view.keep("padding", "data_format")
        sizes = view.value("pool_size")
        steps = list(zip(sizes, view.value("strides") or sizes, strict=True))

        def two(rows: tuple[int, int], columns: tuple[int, int]) -> TfjsLayers:
            window = {"pool_size": [rows[0], columns[0]], "strides": [rows[1], columns[1]]}
            return tfjs(class_name.replace("3D", "2D"), window | config)

        return on_each_axis(view, two, view.sample(), steps, view.made()[:-1], nothing=(1, 1))

    return mapping


def whole(class_name: str) -> LayerMapping:
    """Map GlobalAveragePooling or GlobalMaxPooling of 1 and 2 axes; tfjs ignores keepdims, so that is a Reshape."""

    def mapping(view: LayerView) -> TfjsLayers:
        return chain(tfjs(class_name, view.keep("data_format")), _kept_dimensions(view))

    return mapping if "2D" in class_name else either_format(mapping)


def whole_3d(class_name: str) -> LayerMapping:
    """Map global pooling of 3 axes as that of 1."""

    @either_format
    def mapping(view: LayerView) -> TfjsLayers:
        view.ignore("data_format")
        *spatial, channels = view.sample()
        line = view.reshaped(product(*spatial), channels)
        return chain(line, tfjs(class_name.replace("3D", "1D")), _kept_dimensions(view))

    return mapping


def _kept_dimensions(view: LayerView) -> TfjsLayers:
    return view.reshaped(*view.made()) if view.value("keepdims", default=False) else ()


@either_format
def adaptive_average(view: LayerView) -> TfjsLayers:
    """Map AdaptiveAveragePooling: windows of alike size and step are AveragePooling, others a matrix per axis."""
    return _adaptive(view, "AveragePooling", _mean_matrix, None)


@either_format
def adaptive_max(view: LayerView) -> TfjsLayers:
    """Map AdaptiveMaxPooling: where windows differ, the values of each are laid side by side, and pooled then."""
    return _adaptive(view, "MaxPooling", _laid_out_matrix, "MaxPooling")


def _adaptive(
    view: LayerView, class_name: str, matrix: Callable[[Sequence[range], int], Array], then: str | None
) -> TfjsLayers:
    view.ignore("output_size", "data_format")
    *given, channels = view.sample()
    *made, _ = view.made()
    sizes = [size for size in given if size is not None]
    if len(sizes) != len(given):
        return view.refuse("It pools data of unknown size to a given one.", FIX_SIZE)
    windows = [_windows(size, int(count or 1)) for size, count in zip(sizes, made, strict=True)]
    steps = [_step(axis) for axis in windows]
    rank = len(sizes)
    if rank < 3 and all(step is not None for step in steps):
        config = {"pool_size": [len(axis[0]) for axis in windows], "strides": steps, "padding": "valid"}
        return tfjs(f"{class_name}{rank}D", config)
    laid_out = along_axes(
        rank + 1, {axis: matrix(one, size) for axis, (one, size) in enumerate(zip(windows, sizes, strict=True), 1)}
    )
    if then is None:
        return laid_out
    sides = [max(map(len, axis)) for axis in windows]
    pools = [laid_out]
    wide = [side * len(axis) for side, axis in zip(sides, windows, strict=True)]
    for axis, (side, size) in enumerate(zip(sides, [len(one) for one in windows], strict=True)):
        before, after = product(*wide[:axis]), product(*wide[axis + 1 :], channels)
        pool = tfjs(f"{then}2D", {"pool_size": [1, side], "strides": [1, side], "padding": "valid"})
        pools += [view.reshaped(before, wide[axis], after), pool]
        wide[axis] = size
    return chain(*pools, view.reshaped(*made, channels))


def _windows(size: int, count: int) -> list[range]:
    """Return where each of ``count`` windows begins and ends, as PyTorch's adaptive pooling lays them."""
    return [range(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def _step(windows: Sequence[range]) -> int | None:
    """Return the step from window to window if all are alike, and the whole axis is used as "valid" pooling would."""
    steps = {second.start - first.start for first, second in itertools.pairwise(windows)} or {len(windows[0])}
    alike = len(steps) == 1 and len({len(window) for window in windows}) == 1
    return (steps.pop() or None) if alike else None


def _mean_matrix(windows: Sequence[range], size: int) -> Array:
    matrix = np.zeros((size, len(windows)), np.float32)
    for column, window in enumerate(windows):
        matrix[window.start : window.stop, column] = 1 / len(window)
    return matrix


def _laid_out_matrix(windows: Sequence[range], size: int) -> Array:
    """Pick the values of each window, the last one again and again until all are as long as the longest."""
    longest = max(map(len, windows))
    picked = [min(window.start + i, window.stop - 1) for window in windows for i in range(longest)]
    return np.eye(size, dtype=np.float32)[:, picked]


LAYERS: Mapping[str, LayerMapping] = {
    **{f"AdaptiveAveragePooling{rank}D": adaptive_average for rank in (1, 2, 3)},
    **{f"AdaptiveMaxPooling{rank}D": adaptive_max for rank in (1, 2, 3)},
    **{name: whole(name) for name in ("GlobalAveragePooling1D", "GlobalAveragePooling2D")},
    **{name: whole(name) for name in ("GlobalMaxPooling1D", "GlobalMaxPooling2D")},
    **{name: whole_3d(name) for name in ("GlobalAveragePooling3D", "GlobalMaxPooling3D")},
    **{f"{kind}Pooling1D": window_1d(f"{kind}Pooling1D") for kind in ("Average", "Max")},
    **{f"{kind}Pooling2D": window_2d(f"{kind}Pooling2D") for kind in ("Average", "Max")},
    **{f"{kind}Pooling3D": window_3d(f"{kind}Pooling3D") for kind in ("Average", "Max")},
}
