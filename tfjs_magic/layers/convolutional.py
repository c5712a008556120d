"""Convolutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tfjs_magic.layers.mapping import LayerView, TfjsLayer, TfjsLayers, plain

_SHARED_OPTIONS = ("kernel_size", "strides", "padding", "data_format", "use_bias")


def conv1d(view: LayerView) -> TfjsLayers:
    """Map Conv1D; kernel (L, C_in, filters), data (batch, length, channels)."""
    view.channels_last()
    view.only("padding", "valid", "same", why="TF.js has no causal padding")
    return _conv("Conv1D", view)


def conv2d(view: LayerView) -> TfjsLayers:
    """Map Conv2D; kernel (H, W, C_in, filters)."""
    return _conv("Conv2D", view)


def _conv(class_name: str, view: LayerView) -> TfjsLayers:
    view.only("groups", 1, why="TF.js has no grouped convolution")
    _refuse_strides_beyond_kernel(view)
    view.ignore("lora_rank", "lora_alpha")
    config = view.keep("filters", "dilation_rate", *_SHARED_OPTIONS) | view.activation()
    config |= view.parameter("kernel") | view.parameter("bias")
    view.drop_activity_regularizer()
    return (TfjsLayer(class_name, config, view.weights("kernel", "bias")),)


def depthwise_conv2d(view: LayerView) -> TfjsLayers:
    """Map DepthwiseConv2D; kernel (H, W, C_in, depth_multiplier), called depthwise_kernel in tfjs."""
    view.only("dilation_rate", 1, [1, 1], why="TF.js ignores it in a depthwise convolution")
    _refuse_strides_beyond_kernel(view)
    config = view.keep("depth_multiplier", *_SHARED_OPTIONS) | view.activation()
    config |= view.parameter("depthwise") | view.parameter("bias")
    view.drop_activity_regularizer()
    weights = view.weights("bias", depthwise_kernel="kernel")
    return (TfjsLayer("DepthwiseConv2D", config, weights),)


def separable_conv2d(view: LayerView) -> TfjsLayers:
    """Map SeparableConv2D; kernels (H, W, C_in, multiplier) and (1, 1, C_in · multiplier, filters)."""
    view.channels_last("TF.js's bias fails on it")
    _refuse_strides_beyond_kernel(view)
    config = view.keep("filters", "depth_multiplier", "dilation_rate", *_SHARED_OPTIONS) | view.activation()
    config |= view.parameter("depthwise") | view.parameter("pointwise") | view.parameter("bias")
    view.drop_activity_regularizer()
    weights = view.weights("depthwise_kernel", "pointwise_kernel", "bias")
    return (TfjsLayer("SeparableConv2D", config, weights),)


def conv2d_transpose(view: LayerView) -> TfjsLayers:
    """Map Conv2DTranspose; kernel (H, W, filters, C_in)."""
    view.only("dilation_rate", 1, [1, 1], why="TF.js ignores it in a transposed convolution")
    _refuse_other_output_size(view)
    config = view.keep("filters", *_SHARED_OPTIONS) | view.activation()
    config |= view.parameter("kernel") | view.parameter("bias")
    view.drop_activity_regularizer()
    weights = view.weights("kernel", "bias")
    return (TfjsLayer("Conv2DTranspose", config, weights),)


def _refuse_strides_beyond_kernel(view: LayerView) -> None:
    """Refuse "same" padding where a stride leaves data out: on wasm it underflows, but for kernels of one value."""
    kernel = view.value("kernel_size")
    windows = [(side - 1) * rate + 1 for side, rate in zip(kernel, view.value("dilation_rate"), strict=True)]
    beyond = any(stride > side for stride, side in zip(view.value("strides"), windows, strict=True))
    if view.value("padding") == "same" and beyond and max(kernel) > 1:
        view.refuse(
            f"It has strides={view.value('strides')} longer than kernel_size={kernel} with padding='same', which "
            "TF.js's wasm backend computes wrongly."
        )


def _refuse_other_output_size(view: LayerView) -> None:
    """Refuse an output_padding that gives another size than tfjs's only one.

    tfjs: length · stride, for "valid" padding plus max(kernel − stride, 0). Keras with output_padding p:
    (length − 1) · stride + kernel + p, for "same" padding minus 2 · (kernel // 2).
    """
    view.ignore("output_padding")  # read from the layer: Keras 3.3's config lacks it
    if (given := plain(view.layer.output_padding)) is None:
        return
    output_padding = given if isinstance(given, list) else [given] * len(view.value("kernel_size"))
    same = view.value("padding") == "same"
    for kernel, stride, extra in zip(view.value("kernel_size"), view.value("strides"), output_padding, strict=True):
        beyond_stride = kernel - (2 * (kernel // 2) if same else 0) + extra - stride
        if beyond_stride != (0 if same else max(kernel - stride, 0)):
            view.refuse(f"It has output_padding={output_padding}, but TF.js always computes Keras's default size.")
            return


LAYERS: Mapping[str, Callable[[LayerView], TfjsLayers]] = {
    "Conv1D": conv1d,
    "Conv2D": conv2d,
    "Conv2DTranspose": conv2d_transpose,
    "DepthwiseConv2D": depthwise_conv2d,
    "SeparableConv2D": separable_conv2d,
}
