"""Layers that move, repeat, pad, cut or resize values."""

from __future__ import annotations

from collections.abc import Mapping

from tfjs_magic.layers.mapping import FIX_SIZE, LayerMapping, LayerView, either_format
from tfjs_magic.layers.spatial import Pair, along_axes, cropped, padded, repeated, resize_matrix
from tfjs_magic.layers.tfjs_layer import TfjsLayers, tfjs


def rearranging(class_name: str, *options: str) -> LayerMapping:
    """Map a layer that only moves or repeats values, of any dtype, and reads the same options in tfjs."""

    def mapping(view: LayerView) -> TfjsLayers:
        view.takes_integers()
        return tfjs(class_name, view.keep(*options))

    return mapping


def reshape(view: LayerView) -> TfjsLayers:
    """Map Reshape. tfjs does not work out an open dimension while it loads, so it gets the size that Keras knows."""
    view.takes_integers()
    target = view.value("target_shape")
    shapes = {call.outputs[0][1:] for call in view.calls}
    if len(shapes) == 1:
        target = list(shapes.pop())
    return tfjs("Reshape", {"target_shape": [-1 if size is None else size for size in target]})


def flatten(view: LayerView) -> TfjsLayers:
    """Map Flatten; tfjs fails to load one of unknown size, or of a vector per sample, so that becomes a Reshape."""
    view.takes_integers()
    config = view.keep("data_format")
    shapes = [call.inputs[0] for call in view.calls]
    if all(len(shape) > 2 and None not in shape[1:] for shape in shapes):
        return tfjs("Flatten", config)
    if any(len(shape) > 2 for shape in shapes):
        view.channels_last("TF.js cannot flatten an unknown size that way")
    return tfjs("Reshape", {"target_shape": [-1]})


def zero_padding2d(view: LayerView) -> TfjsLayers:
    """Map ZeroPadding2D; padding ((top, bottom), (left, right)). tfjs knows both formats."""
    return tfjs("ZeroPadding2D", view.keep("padding", "data_format"))


@either_format
def zero_padding(view: LayerView) -> TfjsLayers:
    """Map ZeroPadding1D and ZeroPadding3D."""
    view.ignore("data_format")
    return padded(view, view.sample(), _pairs(view.value("padding")))


@either_format
def cropping(view: LayerView) -> TfjsLayers:
    """Map Cropping1D, Cropping2D and Cropping3D."""
    view.ignore("data_format")
    cuts = _pairs(view.value("cropping"))
    return cropped(view, view.sample(), cuts)


@either_format
def up_sampling(view: LayerView) -> TfjsLayers:
    """Map UpSampling1D and UpSampling3D; the option of one axis is a number."""
    view.ignore("data_format")
    size = view.value("size")
    return repeated(view, view.sample(), size if isinstance(size, list) else [size])


def up_sampling2d(view: LayerView) -> TfjsLayers:
    """Map UpSampling2D; only "nearest" is right in tfjs, which has no half-pixel centres."""
    interpolation = view.value("interpolation")
    if interpolation == "nearest":
        return tfjs("UpSampling2D", view.keep("size", "data_format", "interpolation"))

    @either_format
    def mapping(view: LayerView) -> TfjsLayers:
        view.ignore("data_format")
        sizes = list(zip(view.sample()[:-1], view.value("size"), strict=True))
        if any(size is None for size, _ in sizes):
            return view.refuse(f"It has interpolation='{interpolation}' on data of unknown size.", FIX_SIZE)
        matrices = [resize_matrix(size or 0, (size or 0) * times, interpolation) for size, times in sizes]
        return along_axes(3, dict(enumerate(matrices, 1)))

    return mapping(view)


def _pairs(option: list[int] | list[list[int]]) -> list[Pair]:
    """Return an option of Keras, which is a pair for one axis and a list of pairs for more, as the latter."""
    return [tuple(pair) for pair in (option if isinstance(option[0], list) else [option])]  # type: ignore[misc]


LAYERS: Mapping[str, LayerMapping] = {
    "Reshape": reshape,
    "Flatten": flatten,
    "Permute": rearranging("Permute", "dims"),
    "RepeatVector": rearranging("RepeatVector", "n"),
    "ZeroPadding1D": zero_padding,
    "ZeroPadding2D": zero_padding2d,
    "ZeroPadding3D": zero_padding,
    "Cropping1D": cropping,
    "Cropping2D": cropping,
    "Cropping3D": cropping,
    "UpSampling1D": up_sampling,
    "UpSampling2D": up_sampling2d,
    "UpSampling3D": up_sampling,
}
