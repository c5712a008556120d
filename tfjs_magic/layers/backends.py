"""What tfjs-layers asks of a backend that computes it wrongly: the report of a layers model says it.

webgpu cannot permute more than two axes of booleans and integers: the shader does not compile, and zeros come out.
Recurrent layers do so with their masks, Permute and Flatten with what they are given. Neither webgl nor webgpu can
reverse five axes, as ConvLSTM2D does that goes backwards.

Source: tfjs-layers 4.22 ``dist/layers/recurrent.js``, ``rnn``; tfjs-backend-webgpu ``dist/transpose_webgpu.js``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tfjs_magic.layers.functional import MappedModel
from tfjs_magic.layers.mapping import INTEGER_DTYPES
from tfjs_magic.layers.masks import masked_readers
from tfjs_magic.options import BACKENDS, Backend


def _permuters_of_integers(root: MappedModel) -> set[str]:
    """Return the tfjs classes that permute more than two axes of integers."""
    return {
        layer.class_name
        for model in root.walk()
        for call in model.graph.calls
        if any(
            dtype in INTEGER_DTYPES and len(shape) > 2
            for dtype, shape in zip(call.shapes.input_dtypes, call.shapes.inputs, strict=True)
        )
        for layer in model.layers.get(id(call.layer), ())
        if layer.class_name == "Permute" or layer.config.get("data_format") == "channels_first"
    }


def _reversers_of_images(root: MappedModel) -> set[str]:
    """Return the tfjs classes that reverse sequences of images."""
    layers = (layer for model in root.walk() for each in model.layers.values() for layer in each)
    return {x.class_name for x in layers if x.class_name == "ConvLSTM2D" and x.config.get("go_backwards")}


def _wrong_on_webgpu(root: MappedModel) -> set[str]:
    return masked_readers(root) | _permuters_of_integers(root) | _reversers_of_images(root)


#: Backend → what finds the tfjs classes that it computes wrongly in a model.
_WRONG: Mapping[Backend, Callable[[MappedModel], set[str]]] = {
    "webgl": _reversers_of_images,
    "webgpu": _wrong_on_webgpu,
}


def wrong_per_backend(root: MappedModel) -> dict[str, tuple[str, ...]]:
    """Return backend → the model's tfjs classes that it computes wrongly, sorted."""
    return {name: tuple(sorted(_WRONG[name](root))) if name in _WRONG else () for name in BACKENDS}
