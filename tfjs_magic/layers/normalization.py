"""Normalisation."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np

from tfjs_magic.artifacts import Dims
from tfjs_magic.layers.mapping import FIX_SIZE, LayerMapping, LayerView
from tfjs_magic.layers.spatial import product
from tfjs_magic.layers.tfjs_layer import TfjsLayers, chain, merge, permuted, permuted_back, rescaled, tfjs

#: tfjs's batchNormalization throws for any other.
_BATCH_NORM_RANKS = frozenset({2, 3, 4})
#: Far below any sum of squares, and above what float32 takes for zero.
_TINY = 1e-30


def batch_normalization(view: LayerView) -> TfjsLayers:
    """Map BatchNormalization; gamma, beta, moving mean and variance all (C,).

    tfjs has it for ranks 2 to 4, and right only along the last axis.
    """
    axis = _single(view.value("axis"))
    view.off("renorm", why="TF.js has no batch renormalization")
    view.ignore("renorm_clipping", "renorm_momentum", "synchronized")
    config = {"axis": -1} | view.keep("momentum", "epsilon", "center", "scale")
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    config |= view.parameters(*names)
    weights = view.weights(*names)
    return _along_last(view, axis, tfjs("BatchNormalization", config, weights))


def _along_last(view: LayerView, axis: int, layer: TfjsLayers) -> TfjsLayers:
    """Let a layer for the last axis of ranks 2 to 4 work on any axis of any rank."""
    shape = view.sample()
    rank = len(shape) + 1
    axis %= rank
    if axis == rank - 1 and rank in _BATCH_NORM_RANKS:
        return layer
    if rank in _BATCH_NORM_RANKS:
        moved = [*(other for other in range(1, rank) if other != axis), axis]
        return chain(permuted(moved), layer, permuted_back(moved))
    before, size, after = product(*shape[: axis - 1]), shape[axis - 1], product(*shape[axis:])
    if axis == rank - 1:
        return chain(view.reshaped(before, size), layer, view.reshaped(*shape))
    swap = tfjs("Permute", {"dims": [1, 3, 2]})
    return chain(view.reshaped(before, size, after), swap, layer, swap, view.reshaped(*shape))


def layer_normalization(view: LayerView) -> TfjsLayers:
    """Map LayerNormalization; gamma and beta have the shape of the normalised axes.

    tfjs has it for ranks 2 to 4; of others, the axes are moved last and made one.
    """
    view.off("rms_scaling", why="TF.js has no RMS scaling")
    axes = _axes(view)
    config = view.keep("axis", "epsilon", "center", "scale") | view.parameters("gamma", "beta")
    weights = view.weights("gamma", "beta")
    if len(view.sample()) + 1 in _BATCH_NORM_RANKS:
        return tfjs("LayerNormalization", config, weights)
    if len(axes) > 1:
        weights = {name: view.array(weight).reshape(-1) for name, weight in weights.items()}
    return _axes_last(view, axes, tfjs("LayerNormalization", config | {"axis": -1}, weights))


def group_normalization(view: LayerView) -> TfjsLayers:
    """Map GroupNormalization to LayerNormalization of (values, groups, C / groups) along the first and last axis.

    Gamma and beta (C,) follow as the kernel and bias of a depthwise convolution of one value.
    """
    axis, shape = _single(view.value("axis")), view.sample()
    if axis not in {-1, len(shape)}:
        order = [*(other for other in range(1, len(shape) + 1) if other != axis % (len(shape) + 1)), axis]
        return chain(permuted(order), _grouped(view, tuple(shape[one - 1] for one in order)), permuted_back(order))
    return _grouped(view, shape)


def _grouped(view: LayerView, shape: Dims) -> TfjsLayers:
    """Normalise groups of the last axis of a sample of that shape."""
    *spatial, channels = shape
    values = product(*spatial)
    if values is None or channels is None:
        return view.refuse("It normalises data of unknown size.", FIX_SIZE)
    groups = channels if view.value("groups") == -1 else view.value("groups")
    options = {"axis": [1, 3], "epsilon": view.value("epsilon"), "center": False, "scale": False}
    normal = chain(view.reshaped(values, groups, channels // groups), tfjs("LayerNormalization", options))
    gamma, beta = view.parameters("gamma"), view.parameters("beta")
    scale, center = view.value("scale"), view.value("center")
    if not scale and not center:
        return chain(normal, view.reshaped(*shape))
    kernel = np.ones(channels, np.float32) if not scale else view.array(view.layer.gamma)
    config = {
        "kernel_size": [1, 1],
        "depth_multiplier": 1,
        "use_bias": center,
        **{f"depthwise{key.removeprefix('gamma')}": value for key, value in gamma.items()},
        **{f"bias{key.removeprefix('beta')}": value for key, value in beta.items()},
    }
    weights = {"depthwise_kernel": kernel.reshape(1, 1, channels, 1)} | view.weights(bias="beta")
    affine = tfjs("DepthwiseConv2D", config, weights)
    if len(shape) == 3:
        return chain(normal, view.reshaped(*shape), affine)
    return chain(normal, view.reshaped(values, 1, channels), affine, view.reshaped(*shape))


def rms_normalization(view: LayerView) -> TfjsLayers:
    """Map RMSNormalization to LayerNormalization of x beside −x: their mean is 0, their variance the mean square."""
    axes = _axes(view)
    view.ignore("axis")
    scale = np.asarray(view.array(view.layer.scale))
    return _over_mean_square(view, axes, float(view.value("epsilon")), scale, trainable=True)


def unit_normalization(view: LayerView) -> TfjsLayers:
    """Map UnitNormalization, x / √Σx², likewise: the mean square is Σx² / n."""
    axes, shape = _axes(view), view.sample()
    view.ignore("axis")
    if 0 in axes:
        return view.refuse("It normalises over the batch, which no layer of TF.js does.")
    count = product(*(shape[axis - 1] for axis in axes))
    if count is None:
        return view.refuse("It normalises data of unknown size.", FIX_SIZE)
    sizes = [shape[axis - 1] or 1 for axis in axes]
    return _over_mean_square(view, axes, _TINY, np.full(sizes, count**-0.5, np.float32), trainable=False)


def _over_mean_square(
    view: LayerView, axes: Sequence[int], epsilon: float, scale: np.ndarray, *, trainable: bool
) -> TfjsLayers:
    """Return x · scale / √(mean of x² + epsilon), the mean over axes of one sample, counted from 1.

    (values, 2, n) holds x and −x, of which the first is kept.
    """
    shape = view.sample()
    count = product(*(shape[axis - 1] for axis in axes))
    if count is None or None in shape:
        return view.refuse("It normalises data of unknown size.", FIX_SIZE)
    both = merge("Concatenate", 0, rescaled(-1.0), config={"axis": 2})
    gamma = np.broadcast_to(scale.reshape(1, -1), (2, count)).astype(np.float32)
    options = {"axis": [2, 3], "epsilon": epsilon, "center": False, "scale": True, "trainable": False}
    if trainable:
        view.note("The scale is not trainable in TF.js")
    normal = tfjs("LayerNormalization", options, {"gamma": gamma})
    first = tfjs("Cropping2D", {"cropping": [[0, 0], [0, 1]], "data_format": "channels_last"})
    return _axes_last(view, axes, chain(both, normal, first), 1)


def _axes_last(view: LayerView, axes: Sequence[int], layers: TfjsLayers, *between: int) -> TfjsLayers:
    """Let layers for (values, *between, n) work on data whose axes, counted from 1, are moved last and made one."""
    shape = view.sample()
    rest = [axis for axis in range(1, len(shape) + 1) if axis not in axes]
    order = [*rest, *axes]
    values, count = (product(*(shape[axis - 1] for axis in some)) for some in (rest, axes))
    flat = chain(permuted(order), view.reshaped(values, *between, count))
    return chain(flat, layers, view.reshaped(*(shape[axis - 1] for axis in order)), permuted_back(order))


def normalization(view: LayerView) -> TfjsLayers:
    """Map Normalization, (x − mean) / max(σ, ε), to two Rescalings, so that a large mean loses no digits."""
    view.takes_integers()
    view.ignore("axis", "mean", "variance")
    epsilon = sys.modules["keras"].config.epsilon()
    # Not variables once they are given instead of adapted.
    mean, variance = (np.asarray(view.array(value), np.float64) for value in (view.layer.mean, view.layer.variance))
    sigma = np.maximum(np.sqrt(variance), epsilon)
    mean, sigma = mean[0], sigma[0]  # the batch axis
    for own in ("adapt_mean", "adapt_variance", "count"):
        if (variable := getattr(view.layer, own, None)) is not None:
            view.taken.add(id(variable))
    if view.value("invert"):
        return rescaled(sigma.tolist(), mean.tolist())
    return chain(rescaled(1.0, (-mean).tolist()), rescaled((1 / sigma).tolist()))


def spectral_normalization(view: LayerView) -> TfjsLayers:
    """Map SpectralNormalization to the layer that it wraps: the kernel changes only in training."""
    view.ignore("layer", "power_iterations")
    view.note("TF.js has no SpectralNormalization, so training there would go without it")
    view.taken |= {id(variable) for variable in view.layer.weights}
    return view.wrapped(view.layer.layer, view.calls)


def _single(axis: int | list[int]) -> int:
    return axis[0] if isinstance(axis, list) and len(axis) == 1 else axis  # type: ignore[return-value]


def _axes(view: LayerView) -> list[int]:
    """Return the axes of one sample, counted from 1."""
    axis = view.layer.axis
    rank = len(view.sample()) + 1
    return sorted(one % rank for one in (axis if isinstance(axis, list | tuple) else [axis]))


LAYERS: Mapping[str, LayerMapping] = {
    "BatchNormalization": batch_normalization,
    "GroupNormalization": group_normalization,
    "LayerNormalization": layer_normalization,
    "Normalization": normalization,
    "RMSNormalization": rms_normalization,
    "SpectralNormalization": spectral_normalization,
    "UnitNormalization": unit_normalization,
}
