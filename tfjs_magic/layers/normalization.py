"""Normalisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tfjs_magic.layers.mapping import LayerView, TfjsLayer, TfjsLayers

#: tfjs's batchNormalization throws for any other.
_BATCH_NORM_RANKS = frozenset({2, 3, 4})


def batch_normalization(view: LayerView) -> TfjsLayers:
    """Map BatchNormalization; gamma, beta, moving mean and variance all (C,)."""
    ranks = {len(call.inputs[0]) for call in view.calls}
    axis = view.value("axis")
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if any(axis not in (-1, rank - 1) for rank in ranks):
        view.refuse(f"It has axis={axis}, but TF.js computes wrong numbers for any but the last axis.")
    if other := ranks - _BATCH_NORM_RANKS:
        view.refuse(f"It is called on a tensor of rank {max(other)}; TF.js has it for ranks 2, 3 and 4.")
    view.off("renorm", why="TF.js has no batch renormalization")
    view.ignore("renorm_clipping", "renorm_momentum", "synchronized")
    config = {"axis": -1} | view.keep("momentum", "epsilon", "center", "scale")
    config |= view.parameter("gamma") | view.parameter("beta")
    for statistic in ("moving_mean", "moving_variance"):
        config |= view.parameter(statistic)
    weights = view.weights("gamma", "beta", "moving_mean", "moving_variance")
    return (TfjsLayer("BatchNormalization", config, weights),)


def layer_normalization(view: LayerView) -> TfjsLayers:
    """Map LayerNormalization; gamma and beta have the shape of the normalised axes."""
    view.off("rms_scaling", why="TF.js has no RMS scaling")
    config = view.keep("axis", "epsilon", "center", "scale") | view.parameter("gamma") | view.parameter("beta")
    return (TfjsLayer("LayerNormalization", config, view.weights("gamma", "beta")),)


LAYERS: Mapping[str, Callable[[LayerView], TfjsLayers]] = {
    "BatchNormalization": batch_normalization,
    "LayerNormalization": layer_normalization,
}
