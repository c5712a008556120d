"""Convolutions.

What tfjs ignores or refuses is written into kernel and data: zeros between the values of a dilated kernel, zeros where
a group does not look, zeros around the data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array, Dims
from tfjs_magic.layers.activation_functions import with_activation
from tfjs_magic.layers.keras_objects import plain
from tfjs_magic.layers.mapping import FIX_SIZE, LayerMapping, LayerView, either_format
from tfjs_magic.layers.spatial import NONE, Pair, cropped, padded, product, same_pads
from tfjs_magic.layers.tfjs_layer import TfjsLayers, chain, tfjs

Config = dict[str, Any]
#: Makes a convolution, given its activation as tfjs reads it.
_ConvMapping = Callable[[LayerView, Config], TfjsLayers]

_FROZEN = "The kernel has zeros written between its values, so the layer is not trainable in TF.js"


def conv1d(view: LayerView, activation: Config) -> TfjsLayers:
    """Map Conv1D; kernel (L, C_in, filters), data (batch, length, channels)."""
    return (as_image(one_channel_each) if _is_depthwise(view) else either_format(conv))(view, activation)


def conv2d(view: LayerView, activation: Config) -> TfjsLayers:
    """Map Conv2D; kernel (H, W, C_in, filters). tfjs transposes channels_first by itself."""
    if _is_depthwise(view):
        return either_format(one_channel_each)(view, activation)
    return (conv if _is_direct(view) else either_format(conv))(view, activation)


def conv(view: LayerView, activation: Config) -> TfjsLayers:
    """Map a convolution of any rank; Conv3D has a kernel (D, H, W, C_in, filters)."""
    view.ignore("lora_rank", "lora_alpha", "groups")
    shape, pads = view.sample(), _written_out(view)
    config = view.keep("filters", "kernel_size", "strides", "dilation_rate", "data_format", "use_bias")
    config |= {"padding": view.value("padding") if pads is None else "valid"}
    config |= activation | view.parameters("kernel", "bias")
    weights = view.weights("kernel", "bias")
    if (groups := view.value("groups", 1)) > 1:
        weights["kernel"] = _ungrouped(view.array(weights["kernel"]), groups)
        config["trainable"] = False
        view.note(f"The groups become one kernel with zeros, {groups} times as large and not trainable in TF.js")
    return chain(_pads(view, shape, pads), tfjs(type(view.layer).__name__, config, weights))


def depthwise_conv2d(view: LayerView, activation: Config) -> TfjsLayers:
    """Map DepthwiseConv2D; tfjs transposes channels_first by itself."""
    return (depthwise if _is_direct(view) else either_format(depthwise))(view, activation)


def depthwise(view: LayerView, activation: Config) -> TfjsLayers:
    """Map a depthwise convolution; kernel (H, W, C_in, depth_multiplier), called depthwise_kernel in tfjs."""
    return _depthwise_of(view, activation, view.layer.kernel, "depthwise", view.value("depth_multiplier"))


def _depthwise_of(view: LayerView, activation: Config, kernel: Any, prefix: str, multiplier: int) -> TfjsLayers:
    """Return a DepthwiseConv2D; a kernel of one spatial axis gets a second one of 1."""
    shape, pads = view.sample(), _written_out(view)
    config = view.keep("use_bias") | activation | view.parameters("bias")
    config |= _named(view.parameters(prefix), prefix, "depthwise")
    config |= {"depth_multiplier": multiplier, "data_format": view.value("data_format"), "dilation_rate": [1, 1]}
    config |= {"padding": view.value("padding") if pads is None else "valid"}
    config |= {"kernel_size": _two(_windows(view)), "strides": _two(view.value("strides"))}
    if max(rates := view.value("dilation_rate")) > 1:
        kernel = _spread(view, kernel, rates)
        config["trainable"] = False
    weights = view.weights("bias") | {"depthwise_kernel": _image_kernel(view, kernel, len(rates))}
    return chain(_pads(view, shape, pads, as_image=True), tfjs("DepthwiseConv2D", config, weights))


def separable(view: LayerView, activation: Config) -> TfjsLayers:
    """Map a separable convolution; kernels (H, W, C_in, multiplier) and (1, 1, C_in · multiplier, filters)."""
    shape, pads = view.sample(), _written_out(view)
    config = view.keep("filters", "depth_multiplier", "data_format", "use_bias") | activation
    config |= view.parameters("depthwise", "pointwise", "bias")
    rates, strides = view.value("dilation_rate"), view.value("strides")
    names = ("depthwise_kernel", "pointwise_kernel")
    weights = {name: _image_kernel(view, getattr(view.layer, name), len(rates)) for name in names}
    config |= {"kernel_size": _two(view.value("kernel_size")), "strides": _two(strides), "dilation_rate": _two(rates)}
    config |= {"padding": view.value("padding") if pads is None else "valid"}
    if max(rates) > 1 and max(strides) > 1:
        weights[names[0]] = _spread(view, weights[names[0]], config["dilation_rate"])
        config |= {"trainable": False, "dilation_rate": [1, 1], "kernel_size": _two(_windows(view))}
    weights |= view.weights("bias")
    return chain(_pads(view, shape, pads, as_image=True), tfjs("SeparableConv2D", config, weights))


def conv2d_transpose(view: LayerView, activation: Config) -> TfjsLayers:
    """Map Conv2DTranspose; tfjs transposes channels_first by itself."""
    return (transposed if _is_plain_transposed(view) else either_format(transposed))(view, activation)


def transposed(view: LayerView, activation: Config) -> TfjsLayers:
    """Map a transposed convolution; kernel (H, W, filters, C_in).

    Its size is tfjs's where that is Keras's, else that of "valid" padding with the surplus cut off. tfjs: length ·
    stride, for "valid" padding plus max(kernel − stride, 0).
    """
    view.ignore("output_padding", "padding")
    kernel, rates = view.layer.kernel, view.value("dilation_rate")
    config = view.keep("filters", "data_format", "use_bias") | activation
    config |= view.parameters("kernel", "bias")
    config |= {"strides": _two(view.value("strides")), "dilation_rate": [1, 1]}
    windows, cuts = _windows(view), [NONE] * len(rates)
    if max(rates) > 1:
        kernel = _spread(view, kernel, rates)
        config["trainable"] = False
    if _is_plain_transposed(view):
        config["padding"] = view.value("padding")
    else:
        config["padding"] = "valid"
        windows, cuts = _output_cuts(view, windows)
        missing = [(0, new - old) for new, old in zip(windows, kernel.shape, strict=False)]
        if any(pad != NONE for pad in missing):
            kernel = np.pad(view.array(kernel), [*missing, NONE, NONE])
            config["trainable"] = False
            view.note(_FROZEN)
    config["kernel_size"] = _two(windows)
    weights = view.weights("bias") | {"kernel": _image_kernel(view, kernel, len(rates))}
    rows = [*cuts, NONE][:2]
    cut: TfjsLayers = ()
    if rows != [NONE, NONE]:
        cut = tfjs("Cropping2D", {"cropping": [list(one) for one in rows], "data_format": "channels_last"})
    return chain(tfjs("Conv2DTranspose", config, weights), cut)


@either_format
def conv3d_transpose(view: LayerView, activation: Config) -> TfjsLayers:
    """Map Conv3DTranspose, which wasm computes wrongly, to Conv3D of data spread with zeros, the kernel turned round.

    Kernel (D, H, W, filters, C_in), for Conv3D (D, H, W, C_in, filters).
    """
    view.ignore("output_padding", "padding", "strides")
    *given, channels = view.sample()
    kernel, rates = view.layer.kernel, view.value("dilation_rate")
    config = view.keep("filters", "data_format", "use_bias") | activation
    config |= view.parameters("kernel", "bias") | {"padding": "valid", "kernel_size": _windows(view)}
    if max(rates) > 1:
        kernel = _spread(view, kernel, rates)
        config["trainable"] = False
    turned = view.array(kernel)[::-1, ::-1, ::-1].swapaxes(-1, -2)
    sizes, parts, ends = list(given), [], []
    for axis, (stride, window) in enumerate(zip(view.value("strides"), _windows(view), strict=True)):
        size, wanted = given[axis], view.made()[axis]
        if size is None or wanted is None:
            return view.refuse("It works on data of unknown size.", FIX_SIZE)
        if stride > 1:
            row = view.reshaped(product(*sizes[: axis + 1]), 1, product(*sizes[axis + 1 :], channels))
            parts += [row, tfjs("ZeroPadding2D", {"padding": [[0, 0], [0, stride - 1]]})]
            sizes[axis] = size * stride
        before = window - 1 - max((size - 1) * stride + window - wanted, 0) // 2
        ends.append((before, wanted + window - 1 - before - size * stride))
    cuts = [(0, max(-after, 0)) for _, after in ends]
    shape = (*sizes, channels)
    left = tuple(size and size - cut for size, (_, cut) in zip(sizes, cuts, strict=True))
    conv = tfjs("Conv3D", config, {"kernel": turned} | view.weights("bias"))
    whole = view.reshaped(*shape) if parts else ()
    pads = padded(view, (*left, channels), [(before, max(after, 0)) for before, after in ends])
    return chain(*parts, whole, cropped(view, shape, cuts), pads, conv)


def _is_plain_transposed(view: LayerView) -> bool:
    """Tell whether tfjs computes Keras's output size."""
    given = plain(view.layer.output_padding)
    kernel, strides = view.value("kernel_size"), view.value("strides")
    if max(view.value("dilation_rate")) > 1:
        return False
    if given is None:
        return True
    extras = given if isinstance(given, list) else [given] * len(kernel)
    same = view.value("padding") == "same"
    return all(
        side - (2 * (side // 2) if same else 0) + extra - stride == (0 if same else max(side - stride, 0))
        for side, stride, extra in zip(kernel, strides, extras, strict=True)
    )


def _output_cuts(view: LayerView, windows: Sequence[int]) -> tuple[list[int], list[Pair]]:
    """Return the kernel sizes, and what to cut off what "valid" padding gives, for Keras's output size."""
    sizes, cuts = [], []
    given, made = view.sample()[:-1], view.made()[:-1]
    for size, wanted, window, stride in zip(given, made, windows, view.value("strides"), strict=True):
        if size is None or wanted is None:
            view.refuse("It computes another size than TF.js's, and from data of unknown size.", FIX_SIZE)
            return list(windows), [NONE] * len(windows)
        full = (size - 1) * stride + window
        before = max(full - wanted, 0) // 2
        sizes.append(max(window, window + wanted - full))
        cuts.append((before, (size - 1) * stride + max(sizes[-1], stride) - before - wanted))
    return sizes, cuts


# ---------------------------------------------------------------------- data


def as_image(mapping: _ConvMapping) -> _ConvMapping:
    """Let a mapping for images stand for one for sequences, which become images of width 1."""

    def mapped(view: LayerView, activation: Config) -> TfjsLayers:
        length, channels = view.sample()
        return chain(view.reshaped(length, 1, channels), mapping(view, activation), view.reshaped(*view.made()))

    return either_format(mapped)


def _written_out(view: LayerView) -> list[Pair] | None:
    """Return the zeros around the data where tfjs cannot add them: causal ones, and "same" beyond the kernel.

    "same" with strides beyond the window underflows on wasm (but for kernels of one value), in 3-D everywhere.
    """
    windows, strides = _windows(view), view.value("strides")
    if view.value("padding") == "causal":
        return [(windows[0] - 1, 0)]
    beyond = any(stride > window for stride, window in zip(strides, windows, strict=True))
    if view.value("padding") != "same" or not beyond or (max(windows) == 1 and len(windows) < 3):
        return None
    sizes = view.sample()[1:] if view.value("data_format") == "channels_first" else view.sample()[:-1]
    if None in sizes:
        view.refuse(
            f"It has strides={strides} longer than the kernel with padding='same', on data of unknown size; "
            "TF.js computes that wrongly.",
            FIX_SIZE,
        )
        return None
    return [same_pads(size or 0, window, stride) for size, window, stride in zip(sizes, windows, strides, strict=True)]


def _pads(view: LayerView, shape: Dims, pads: list[Pair] | None, *, as_image: bool = False) -> TfjsLayers:
    if not pads:
        return ()
    if as_image and len(pads) == 1:
        shape, pads = (shape[0], 1, shape[1]), [*pads, NONE]
    return padded(view, shape, pads)


def _checked(mapping: _ConvMapping) -> LayerMapping:
    """Refuse channels_first data as wide as it has channels: Keras's TensorFlow backend adds the bias to the width."""

    def mapped(view: LayerView) -> TfjsLayers:
        made = view.made()
        if view.value("data_format") == "channels_first" and view.value("use_bias") and made[0] == made[-1]:
            view.refuse(
                "It gives channels_first data as wide as it has channels, where Keras adds the bias along the width.",
                "Use channels_last, or convert the model with format='graph'.",
            )
        return with_activation(mapping)(view)

    return mapped


def _is_direct(view: LayerView) -> bool:
    """Tell whether tfjs can take channels_first as it is: no zeros are added around the data."""
    return _written_out(view) is None


# ---------------------------------------------------------------------- kernels


def _is_depthwise(view: LayerView) -> bool:
    """Tell whether each group is one channel."""
    return bool(view.value("groups", 1) > 1) and tuple(view.layer.kernel.shape)[-2] == 1


def one_channel_each(view: LayerView, activation: Config) -> TfjsLayers:
    """Map a convolution whose groups are single channels; kernel (…, 1, filters) as (…, groups, filters / groups)."""
    groups, filters = view.value("groups"), view.value("filters")
    view.ignore("lora_rank", "lora_alpha")
    kernel = view.array(view.layer.kernel)
    kernel = kernel.reshape(*kernel.shape[:-2], groups, filters // groups)
    return _depthwise_of(view, activation, kernel, "kernel", filters // groups)


def _windows(view: LayerView) -> list[int]:
    """Return how far the kernel reaches along each axis, dilation included."""
    sides, rates = view.value("kernel_size"), view.value("dilation_rate")
    return [(side - 1) * rate + 1 for side, rate in zip(sides, rates, strict=True)]


def _spread(view: LayerView, kernel: Any, rates: Sequence[int]) -> Array:
    """Write zeros between the values of a dilated kernel; its spatial axes come first."""
    view.note(_FROZEN)
    given = view.array(kernel)
    spatial = [(side - 1) * rate + 1 for side, rate in zip(given.shape, rates, strict=False)]
    spread = np.zeros((*spatial, *given.shape[len(rates) :]), given.dtype)
    spread[tuple(slice(None, None, rate) for rate in rates)] = given
    return spread


def _ungrouped(kernel: Array, groups: int) -> Array:
    """Write a grouped kernel (…, C_in / groups, filters) as one over all channels (…, C_in, filters)."""
    *spatial, inputs, filters = kernel.shape
    whole = np.zeros((*spatial, inputs * groups, filters), kernel.dtype)
    each = filters // groups
    for group in range(groups):
        rows, columns = slice(group * inputs, (group + 1) * inputs), slice(group * each, (group + 1) * each)
        whole[..., rows, columns] = kernel[..., columns]
    return whole


def _image_kernel(view: LayerView, kernel: Any, rank: int) -> Any:
    """Add a second axis of 1 to a kernel of one spatial axis; others stay what they are."""
    return np.expand_dims(view.array(kernel), 1) if rank == 1 else kernel


def _two(values: Sequence[int]) -> list[int]:
    """Return an option of one spatial axis for two."""
    return [*values, 1][:2]


def _named(config: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    return {f"{new}{key.removeprefix(old)}": value for key, value in config.items()}


LAYERS: Mapping[str, LayerMapping] = {
    "Conv1D": _checked(conv1d),
    "Conv1DTranspose": _checked(as_image(transposed)),
    "Conv2D": _checked(conv2d),
    "Conv2DTranspose": _checked(conv2d_transpose),
    "Conv3D": _checked(either_format(conv)),
    "Conv3DTranspose": _checked(conv3d_transpose),
    "DepthwiseConv1D": _checked(as_image(depthwise)),
    "DepthwiseConv2D": _checked(depthwise_conv2d),
    "SeparableConv1D": _checked(as_image(separable)),
    "SeparableConv2D": _checked(either_format(separable)),
}
