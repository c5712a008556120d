"""Dense, Embedding, Masking, Activation, Identity, Rescaling and what only matters in training (the dropout family)."""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from typing import Any

from tfjs_magic.layers.activation_functions import with_activation
from tfjs_magic.layers.mapping import LayerMapping, LayerView
from tfjs_magic.layers.spatial import product
from tfjs_magic.layers.tfjs_layer import UNCHANGED, TfjsLayers, chain, permuted, rescaled, tfjs


@with_activation
def dense(view: LayerView, activation: dict[str, Any]) -> TfjsLayers:
    """Map Dense; kernel (C_in, units). With LoRA the kernel is the merged one."""
    view.ignore("lora_rank", "lora_alpha")
    config = view.keep("units", "use_bias") | activation | view.parameters("kernel", "bias")
    return tfjs("Dense", config, view.weights("kernel", "bias"))


@with_activation
def einsum_dense(view: LayerView, activation: dict[str, Any]) -> TfjsLayers:
    """Map EinsumDense where it is a Dense between moved dimensions.

    The dimensions that the kernel sums over go last and become one, the new ones come out as one and are split.
    """
    view.ignore("output_shape", "lora_rank", "lora_alpha", "gptq_unpacked_column_size")
    given, kernel, made = _labels(view)
    if len(given) != len(view.sample()) + 1:
        return view.refuse(f"Its equation '{view.value('equation')}' is for data of another rank.")
    summed = [label for label in kernel if label in given]
    new = [label for label in kernel if label not in given]
    kept = [label for label in given[1:] if label not in summed]
    odd = set(summed) & set(made) or set(made) != {given[0], *kept, *new} or given[0] in summed
    if odd or any(len(set(labels)) < len(labels) for labels in (given, kernel, made)):
        return view.refuse(f"Its equation is '{view.value('equation')}', which is no Dense with moved dimensions.")
    if "..." in view.value("equation") and len(kept) > 1:  # Keras 3.12 computes otherwise than 3.15
        return view.refuse(
            "The ellipsis of its equation stands for several dimensions, which versions of Keras line up differently.",
            "Write the dimensions out, or convert the model with format='graph'.",
        )
    sizes = dict(zip(given, (None, *view.sample()), strict=True)) | dict(zip(made, (None, *view.made()), strict=True))
    weights = {"kernel": _moved_kernel(view, kernel, [*summed, *new], len(summed))}
    config = view.parameters("kernel", "bias")
    bias_axes = view.value("bias_axes") or ""
    in_dense = bool(bias_axes) and set(bias_axes) == set(new)
    if in_dense:
        bias = view.array(view.layer.bias)
        labels = made[-bias.ndim :]  # the others of these are of size 1
        weights["bias"] = bias.transpose(sorted(range(bias.ndim), key=lambda i: _place(labels[i], new))).reshape(-1)
    config |= {"units": product(*(sizes[label] for label in new)), "use_bias": in_dense}
    order = [given.index(label) for label in [*kept, *summed]]
    merged = () if len(summed) == 1 else view.reshaped(*(sizes[x] for x in kept), product(*(sizes[x] for x in summed)))
    split = () if len(new) == 1 else view.reshaped(*(sizes[label] for label in [*kept, *new]))
    back = permuted([[*kept, *new].index(label) + 1 for label in made[1:]])
    offset: TfjsLayers = ()
    if bias_axes and not in_dense:
        view.note("The bias is not trainable in TF.js")
        offset = rescaled(1.0, view.array(view.layer.bias).tolist())
    if not (split or back or offset):
        return chain(permuted(order), merged, tfjs("Dense", config | activation, weights))
    last = () if activation == {"activation": "linear"} else tfjs("Activation", activation)
    dense = tfjs("Dense", config | {"activation": "linear"}, weights)
    return chain(permuted(order), merged, dense, split, back, offset, last)


def _labels(view: LayerView) -> list[str]:
    """Return the labels of input, kernel and output; those of an ellipsis are capitals, or what is not in use."""
    left, made = view.value("equation").replace(" ", "").split("->")
    given, kernel = left.split(",")
    hidden = len(view.sample()) + 1 - len(given.replace("...", ""))
    free = [label for label in string.ascii_letters[::-1] if label not in left + made][:hidden]
    return [labels.replace("...", "".join(free)) for labels in (given, kernel, made)]


def _moved_kernel(view: LayerView, labels: str, order: Sequence[str], summed: int) -> Any:
    """Return the kernel as (summed, new); itself if it is that already."""
    variable = view.layer.kernel
    shape = tuple(variable.shape)
    if list(labels) == list(order) and len(shape) == 2 and summed == 1:
        return variable
    moved = view.array(variable).transpose([labels.index(label) for label in order])
    return moved.reshape(math.prod(moved.shape[:summed]), -1)


def _place(label: str, order: Sequence[str]) -> int:
    return order.index(label) if label in order else len(order)


def embedding(view: LayerView) -> TfjsLayers:
    """Map Embedding; embeddings (input_dim, output_dim). With LoRA they are the merged ones."""
    view.takes_integers()
    view.ignore("lora_rank", "lora_alpha", "input_length")
    config = view.keep("input_dim", "output_dim", "mask_zero") | view.parameters("embeddings")
    return tfjs("Embedding", config, view.weights("embeddings"))


def reversible_embedding(view: LayerView) -> TfjsLayers:
    """Map ReversibleEmbedding called forwards; only tokens go in, so its reverse weights are not needed."""
    view.ignore("tie_weights", "reverse_dtype", "logit_soft_cap", "mask_zero")
    if view.argument("reverse"):
        view.refuse("It is called with reverse=True, and TF.js has no layer that shares the weights that way.")
    if view.layer.mask_zero:
        view.refuse("It has mask_zero=True, and Keras hands its mask on in another way than TF.js.")
    if (reverse := getattr(view.layer, "reverse_embeddings", None)) is not None:
        view.taken.add(id(reverse))
    return embedding(view)


def masking(view: LayerView) -> TfjsLayers:
    """Map Masking."""
    return tfjs("Masking", view.keep("mask_value"))


def identity(view: LayerView) -> TfjsLayers:
    """Map Identity to a linear Activation: tfjs finds its initializer of that name instead of a layer."""
    view.takes_integers()
    return UNCHANGED


def activity_regularization(view: LayerView) -> TfjsLayers:
    """Map ActivityRegularization, which changes only the loss, to a linear Activation."""
    view.ignore("l1", "l2")
    view.note("Activity regularizers are left out (they matter only for training)")
    return UNCHANGED


def rescaling(view: LayerView) -> TfjsLayers:
    """Map Rescaling: y = x · scale + offset; both may be lists along the last axis."""
    view.takes_integers()
    return tfjs("Rescaling", view.keep("scale", "offset"))


def in_training_only(class_name: str, *options: str) -> LayerMapping:
    """Map a layer that does nothing at inference and has the same class in tfjs."""

    def mapping(view: LayerView) -> TfjsLayers:
        view.ignore("seed", "noise_shape", "data_format")
        return tfjs(class_name, view.keep(*options))

    return mapping


def lost_in_training(view: LayerView) -> TfjsLayers:
    """Map a layer that does nothing at inference and is missing in tfjs to a linear Activation."""
    view.ignore("rate", "seed", "data_format")
    view.note(f"TF.js has no {type(view.layer).__name__}, so training there would go without it")
    return UNCHANGED


LAYERS: Mapping[str, LayerMapping] = {
    "Dense": dense,
    "EinsumDense": einsum_dense,
    "Embedding": embedding,
    "ReversibleEmbedding": reversible_embedding,
    "Masking": masking,
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
