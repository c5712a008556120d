"""Pooling over windows and over everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tfjs_magic.layers.mapping import LayerView, TfjsLayer, TfjsLayers


def window_1d(class_name: str) -> Callable[[LayerView], TfjsLayers]:
    """Map MaxPooling1D or AveragePooling1D; data (batch, length, channels)."""

    def mapping(view: LayerView) -> TfjsLayers:
        view.channels_last()
        return (TfjsLayer(class_name, view.keep("pool_size", "strides", "padding")),)

    return mapping


def window_2d(class_name: str) -> Callable[[LayerView], TfjsLayers]:
    """Map MaxPooling2D or AveragePooling2D."""

    def mapping(view: LayerView) -> TfjsLayers:
        return (TfjsLayer(class_name, view.keep("pool_size", "strides", "padding", "data_format")),)

    return mapping


def whole(class_name: str) -> Callable[[LayerView], TfjsLayers]:
    """Map global pooling; tfjs ignores keepdims, so that is a Reshape of its own."""

    def mapping(view: LayerView) -> TfjsLayers:
        view.channels_last()
        if not view.value("keepdims", default=False):
            return (TfjsLayer(class_name),)
        shape = [-1 if size is None else size for size in view.calls[0].outputs[0][1:]]
        return TfjsLayer(class_name, role="pooled"), TfjsLayer("Reshape", {"target_shape": shape}, inputs=("pooled",))

    return mapping


LAYERS: Mapping[str, Callable[[LayerView], TfjsLayers]] = {
    "AveragePooling1D": window_1d("AveragePooling1D"),
    "AveragePooling2D": window_2d("AveragePooling2D"),
    "GlobalAveragePooling1D": whole("GlobalAveragePooling1D"),
    "GlobalAveragePooling2D": whole("GlobalAveragePooling2D"),
    "GlobalMaxPooling1D": whole("GlobalMaxPooling1D"),
    "GlobalMaxPooling2D": whole("GlobalMaxPooling2D"),
    "MaxPooling1D": window_1d("MaxPooling1D"),
    "MaxPooling2D": window_2d("MaxPooling2D"),
}
