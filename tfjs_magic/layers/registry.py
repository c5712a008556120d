"""Every Keras layer class that has a tfjs form, by family. To add a layer, copy its nearest neighbour there."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tfjs_magic.layers import (
    activations,
    attention,
    convolutional,
    core,
    merging,
    normalization,
    pooling,
    preprocessing,
    recurrent,
    reshaping,
)
from tfjs_magic.layers.mapping import LayerView
from tfjs_magic.layers.tfjs_layer import TfjsLayers

#: Keras class name → mapping. Only for classes of Keras itself; a user's class of the same name is refused before.
MAPPINGS: Mapping[str, Callable[[LayerView], TfjsLayers]] = {
    **core.LAYERS,
    **convolutional.LAYERS,
    **pooling.LAYERS,
    **normalization.LAYERS,
    **activations.LAYERS,
    **merging.LAYERS,
    **attention.LAYERS,
    **preprocessing.LAYERS,
    **reshaping.LAYERS,
    **recurrent.LAYERS,
}
