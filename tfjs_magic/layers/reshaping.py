"""Layers that move, repeat, pad or cut values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tfjs_magic.layers.mapping import LayerView, TfjsLayer, TfjsLayers


def rearranging(class_name: str, *options: str) -> Callable[[LayerView], TfjsLayers]:
    """Map a layer that only moves or repeats values, of any dtype, and reads the same options in tfjs."""

    def mapping(view: LayerView) -> TfjsLayers:
        view.takes_integers()
        return (TfjsLayer(class_name, view.keep(*options)),)

    return mapping


def reshape(view: LayerView) -> TfjsLayers:
    """Map Reshape. tfjs does not work out an open dimension while it loads, so it gets the size that Keras knows."""
    view.takes_integers()
    target = view.value("target_shape")
    shapes = {call.outputs[0][1:] for call in view.calls}
    if len(shapes) == 1:
        target = list(shapes.pop())
    return (TfjsLayer("Reshape", {"target_shape": [-1 if size is None else size for size in target]}),)


def flatten(view: LayerView) -> TfjsLayers:
    """Map Flatten; tfjs fails to load one of unknown size, so that becomes a Reshape."""
    view.takes_integers()
    config = view.keep("data_format")
    if not any(None in call.inputs[0][1:] for call in view.calls):
        return (TfjsLayer("Flatten", config),)
    view.channels_last("TF.js cannot flatten an unknown size that way")
    return (TfjsLayer("Reshape", {"target_shape": [-1]}),)


def zero_padding2d(view: LayerView) -> TfjsLayers:
    """Map ZeroPadding2D; padding ((top, bottom), (left, right))."""
    return (TfjsLayer("ZeroPadding2D", view.keep("padding", "data_format")),)


def cropping2d(view: LayerView) -> TfjsLayers:
    """Map Cropping2D; cropping ((top, bottom), (left, right))."""
    view.channels_last()
    if any(None in call.inputs[0][1:3] for call in view.calls):
        view.refuse(
            "It cuts an image of unknown size; TF.js then takes the size for 0.", "Give the Input a fixed size."
        )
    return (TfjsLayer("Cropping2D", view.keep("cropping", "data_format")),)


def up_sampling2d(view: LayerView) -> TfjsLayers:
    """Map UpSampling2D."""
    view.only("interpolation", "nearest", why="TF.js places the samples differently (no half-pixel centres)")
    return (TfjsLayer("UpSampling2D", view.keep("size", "data_format", "interpolation")),)


LAYERS: Mapping[str, Callable[[LayerView], TfjsLayers]] = {
    "Reshape": reshape,
    "Flatten": flatten,
    "Permute": rearranging("Permute", "dims"),
    "RepeatVector": rearranging("RepeatVector", "n"),
    "ZeroPadding2D": zero_padding2d,
    "Cropping2D": cropping2d,
    "UpSampling2D": up_sampling2d,
}
