"""Trace TimeDistributed of Keras 3 as what it computes: one call on all steps at once, where that is the same.

Keras traces one call per step; where it cannot see how many there are, it takes as many as the batch has samples.

Given:   TimeDistributed(layer)(x)                      x (batch, time, …)
Result:  reshape(layer(reshape(x, (batch · time, …))), (batch, time, …))    if samples do not influence each other
         stack([layer(x[:, t]) for each t], axis=1)                         else: in a loop, or as Keras has it
Source:  ``keras/src/layers/rnn/time_distributed.py``, 3.12 to 3.15.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from tfjs_magic.layers.keras_objects import is_keras_layer, is_keras_name
from tfjs_magic.layers.registry import MAPPINGS

#: Keras's layers that work on every sample by itself, if their axes do not count the batch.
_PER_SAMPLE = MAPPINGS.keys() | {"GroupedQueryAttention", "InputLayer", "MultiHeadAttention"}
#: Likewise operations, on tensors of one rank and numbers.
_ELEMENTWISE = frozenset(
    {"Absolute", "Add", "Any", "Cast", "Divide", "Maximum", "Minimum", "Multiply", "Negative", "NotEqual", "Relu"}
    | {"Sigmoid", "Softmax", "Square", "Subtract", "Tanh", "TrueDivide"}
)


@contextlib.contextmanager
def time_folded(model: Any) -> Iterator[None]:
    """Let every TimeDistributed of a model compute so while it is traced; where it runs, Keras itself is right."""
    layers = () if tf.executing_eagerly() else model._flatten_layers()  # noqa: SLF001 - there is no public way to the layers inside of layers
    wrappers = [layer for layer in layers if isinstance(layer, keras.layers.TimeDistributed)]
    try:
        for wrapper in wrappers:
            vars(wrapper)["call"] = _call(wrapper)  # past Keras's own setattr, which would make it part of the model
        yield
    finally:
        for wrapper in wrappers:
            vars(wrapper).pop("call", None)


def _call(wrapper: Any) -> Callable[..., Any]:
    layer, as_keras, folds = wrapper.layer, wrapper.call, _is_per_sample(wrapper.layer)

    def call(inputs: Any, training: bool | None = None, mask: Any = None) -> Any:  # noqa: FBT001 - Keras's
        tensors = {"inputs": inputs}
        if mask is not None and layer._call_has_mask_arg:  # noqa: SLF001 - as Keras asks
            tensors["mask"] = mask
        arguments = {"training": training} if layer._call_has_training_arg else {}  # noqa: SLF001

        def step(given: Mapping[str, Any]) -> Any:
            first, *masks = given.values()
            return layer.call(first, **dict(zip(("mask",), masks, strict=False)), **arguments)

        if folds and not training:
            return _split(step({name: _merged(tensor) for name, tensor in tensors.items()}), inputs)
        if inputs.shape[1] is not None:
            return as_keras(inputs, training=training, mask=mask)
        return _swapped(keras.ops.map(step, {name: _swapped(tensor) for name, tensor in tensors.items()}))

    return call


def _merged(tensor: Any) -> Any:
    """Make batch and time one axis."""
    return tf.reshape(tensor, [-1, *_sizes(tensor)[2:]])


def _split(tensor: Any, like: Any) -> Any:
    """Make of the first axis batch and time again, as long as those of ``like``."""
    batch, steps = _sizes(like)[:2]
    return tf.reshape(tensor, [-1 if like.shape[0] is None else batch, steps, *_sizes(tensor)[1:]])


def _swapped(tensor: Any) -> Any:
    """Swap batch and time."""
    return tf.transpose(tensor, [1, 0, *range(2, len(tensor.shape))])


def _sizes(tensor: Any) -> list[Any]:
    """Return the size of each axis, as a tensor where only the run tells it."""
    return [tf.shape(tensor)[axis] if size is None else size for axis, size in enumerate(tensor.shape)]


# ---------------------------------------------------------------------- samples


def _is_per_sample(layer: Any) -> bool:
    """Whether no output of a layer depends on another sample or an earlier call, at inference."""
    name = type(layer).__name__
    if not is_keras_name(type(layer).__module__):
        return False
    if name in {"Functional", "Sequential"}:
        return all(map(_is_per_sample_within, layer.operations if name == "Functional" else layer.layers))
    parts = [getattr(layer, part, None) for part in ("layer", "forward_layer", "backward_layer", "cell")]
    activations = [getattr(layer, part, None) for part in ("activation", "recurrent_activation")]
    return (
        name in _PER_SAMPLE
        and not getattr(layer, "stateful", False)
        and not getattr(layer, "return_state", False)
        and _keeps_batch(layer)
        and all(map(_is_known, activations))
        and all(_is_per_sample(part) for part in (*parts, *getattr(layer, "cells", ())) if part is not None)
    )


def _is_per_sample_within(operation: Any) -> bool:
    """Whether that holds for a layer or an operation, as a model calls it."""
    nodes = operation._inbound_nodes  # noqa: SLF001 - there is no public way to what it is called with
    if is_keras_layer(operation):
        return _is_per_sample(operation) and not any(node.arguments.kwargs.get("training") for node in nodes)
    leaves = [leaf for node in nodes for leaf in keras.tree.flatten(node.arguments.args)]
    ranks = {len(leaf.shape) for leaf in leaves if hasattr(leaf, "shape")}
    return (
        type(operation).__name__ in _ELEMENTWISE
        and is_keras_name(type(operation).__module__)
        and len(ranks) == 1
        and all(isinstance(leaf, keras.KerasTensor | bool | int | float | str) for leaf in leaves)
        and getattr(operation, "axis", -1) is not None
        and _keeps_batch(operation)
    )


def _keeps_batch(operation: Any) -> bool:
    """Whether no axis that is named is the batch; any that is counted from the end could be, but the last."""
    axes = keras.tree.flatten([getattr(operation, name, -1) for name in ("axis", "axes")])
    equation = getattr(operation, "equation", "a,->a").replace(" ", "")
    given, kernel, made = re.split(",|->", equation)
    kept = given[0] == made[:1] and (given[0] == "." or given[0] not in kernel)
    return kept and all(axis == -1 or axis > 0 for axis in axes if axis is not None)


def _is_known(activation: Any) -> bool:
    """Whether an activation is Keras's own."""
    if activation is None or is_keras_layer(activation):
        return activation is None or _is_per_sample(activation)
    return getattr(keras.activations, getattr(activation, "__name__", ""), None) is activation
