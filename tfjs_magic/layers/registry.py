"""Every layer class and operation of Keras that has a tfjs form, by family. To add one, copy its neighbour there."""

from __future__ import annotations

from collections.abc import Mapping

from tfjs_magic.layers import (
    activations,
    attention,
    convolutional,
    core,
    merging,
    multi_head_attention,
    normalization,
    operations,
    pooling,
    preprocessing,
    recurrent,
    reshaping,
)
from tfjs_magic.layers.mapping import LayerMapping

#: Keras class name → mapping. Only for classes of Keras itself; a user's class of the same name is refused before.
MAPPINGS: Mapping[str, LayerMapping] = {
    **core.LAYERS,
    **convolutional.LAYERS,
    **pooling.LAYERS,
    **normalization.LAYERS,
    **activations.LAYERS,
    **merging.LAYERS,
    **attention.LAYERS,
    **multi_head_attention.LAYERS,
    **preprocessing.LAYERS,
    **reshaping.LAYERS,
    **recurrent.LAYERS,
}
#: Class name → the axes of its data, with the batch, where Keras takes others, too, and the mapping does not.
RANKS: Mapping[str, int] = {
    **{f"Adaptive{kind}Pooling{axes}D": axes + 2 for kind in ("Average", "Max") for axes in (1, 2, 3)},
    "AdditiveAttention": 3,
    "Attention": 3,
    "CenterCrop": 4,
    "MultiHeadAttention": 3,
    "Resizing": 4,
}
#: Likewise the classes of operations; one may have a layer's name.
OPERATION_MAPPINGS: Mapping[str, LayerMapping] = {
    **operations.OPERATIONS,
    **activations.OPERATIONS,
    **merging.OPERATIONS,
}
