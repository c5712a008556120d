"""Dense, Embedding, Masking, Activation, Identity, Rescaling and what only matters in training (the dropout family)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tfjs_magic.layers.mapping import LayerView
from tfjs_magic.layers.tfjs_layer import TfjsLayer, TfjsLayers


def dense(view: LayerView) -> TfjsLayers:
    """Map Dense; kernel (C_in, units). With LoRA the kernel is the merged one."""
    view.ignore("lora_rank", "lora_alpha")
    config = view.keep("units", "use_bias") | view.activation() | view.parameter("kernel") | view.parameter("bias")
    view.drop_activity_regularizer()
    return (TfjsLayer("Dense", config, view.weights("kernel", "bias")),)


def embedding(view: LayerView) -> TfjsLayers:
    """Map Embedding; embeddings (input_dim, output_dim). With LoRA they are the merged ones."""
    view.takes_integers()
    view.ignore("lora_rank", "lora_alpha", "input_length")
    config = view.keep("input_dim", "output_dim", "mask_zero") | view.parameter("embeddings")
    view.drop_activity_regularizer()
    return (TfjsLayer("Embedding", config, view.weights("embeddings")),)


def masking(view: LayerView) -> TfjsLayers:
    """Map Masking."""
    return (TfjsLayer("Masking", view.keep("mask_value")),)


def activation(view: LayerView) -> TfjsLayers:
    """Map Activation."""
    return (TfjsLayer("Activation", view.activation()),)


def identity(view: LayerView) -> TfjsLayers:
    """Map Identity to a linear Activation: tfjs finds its initializer of that name instead of a layer."""
    view.takes_integers()
    return (TfjsLayer("Activation", {"activation": "linear"}),)


def activity_regularization(view: LayerView) -> TfjsLayers:
    """Map ActivityRegularization, which changes only the loss, to a linear Activation."""
    view.ignore("l1", "l2")
    view.note("Activity regularizers are left out (they matter only for training)")
    return (TfjsLayer("Activation", {"activation": "linear"}),)


def rescaling(view: LayerView) -> TfjsLayers:
    """Map Rescaling: y = x · scale + offset; both may be lists along the last axis."""
    view.takes_integers()
    return (TfjsLayer("Rescaling", view.keep("scale", "offset")),)


def in_training_only(class_name: str, *options: str) -> Callable[[LayerView], TfjsLayers]:
    """Map a layer that does nothing at inference and has the same class in tfjs."""

    def mapping(view: LayerView) -> TfjsLayers:
        view.ignore("seed", "noise_shape", "data_format")
        return (TfjsLayer(class_name, view.keep(*options)),)

    return mapping


def lost_in_training(view: LayerView) -> TfjsLayers:
    """Map a layer that does nothing at inference and is missing in tfjs to a linear Activation."""
    view.ignore("rate", "seed", "data_format")
    view.note(f"TF.js has no {type(view.layer).__name__}, so training there would go without it")
    return (TfjsLayer("Activation", {"activation": "linear"}),)


LAYERS: Mapping[str, Callable[[LayerView], TfjsLayers]] = {
    "Dense": dense,
    "Embedding": embedding,
    "Masking": masking,
    "Activation": activation,
    "Identity": identity,
    "ActivityRegularization": activity_regularization,
    "Rescaling": rescaling,
    "Dropout": in_training_only("Dropout", "rate"),
    "AlphaDropout": in_training_only("AlphaDropout", "rate"),
    "GaussianDropout": in_training_only("GaussianDropout", "rate"),
    "GaussianNoise": in_training_only("GaussianNoise", "stddev"),
    "SpatialDropout1D": in_training_only("SpatialDropout1D", "rate"),
    "SpatialDropout2D": lost_in_training,
    "SpatialDropout3D": lost_in_training,
}
