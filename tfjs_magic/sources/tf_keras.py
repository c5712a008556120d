"""Keras 2 models of the package ``tf_keras``, in memory; they become graph models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.function import traced_source, unique_names
from tfjs_magic.sources.kinds import FunctionSource
from tfjs_magic.sources.shapes import check_names, wanted_shape


def tf_keras_source(model: Any, options: ConvertOptions) -> FunctionSource:
    """Take a model whose inputs are known: Sequential or Functional, or subclassed and called on an example.

    Inputs and outputs keep Keras 2's names and order.

    Raises:
        UnsupportedModelError: Its inputs are unknown.
    """
    description = f"Keras 2 model '{model.name}'"
    specs = _specs(model, description)
    check_names(description, list(specs), options.inputs)
    specs = {
        name: tf.TensorSpec(wanted_shape(name, _dims(spec), options.inputs), spec.dtype) for name, spec in specs.items()
    }
    taken = [(variable, np.asarray(variable.read_value())) for variable in model.variables]

    def run(tensors: Sequence[Any]) -> Any:
        structure = _input_structure(model)
        given = tf.nest.pack_sequence_as(structure, list(tensors)) if structure is not None else tensors[0]
        return tf.nest.flatten(model(given, training=False))

    def changed() -> bool:
        return not all(np.array_equal(array, np.asarray(v.read_value()), equal_nan=True) for v, array in taken)

    names = unique_names(list(model.output_names)) if getattr(model, "output_names", None) else None
    return traced_source(run, specs, description=description, changed=changed, output_names=names)


def _input_structure(model: Any) -> Any:
    """Give the inputs as the model was built with them, None where it takes one tensor."""
    structure = getattr(model, "_nested_inputs", None)
    return structure if isinstance(structure, (dict, list, tuple)) else None


def _specs(model: Any, description: str) -> dict[str, Any]:
    inputs = getattr(model, "inputs", None)
    if not inputs or any(tensor.shape.rank is None for tensor in inputs):
        raise UnsupportedModelError(
            f"{description} has no known inputs: it is not built, or was never called. Call it on an example, or start "
            "it with tf_keras.Input(shape), then convert it again."
        )
    names = list(getattr(model, "input_names", None) or [tensor.name for tensor in inputs])
    flat = tf.nest.flatten(getattr(model, "_nested_inputs", inputs))
    if any(not isinstance(spec, tf.TensorSpec) for spec in map(_spec, flat)):
        raise UnsupportedModelError(f"{description} takes ragged or sparse inputs; expected dense tensors.")
    by_id = {id(tensor): name for tensor, name in zip(inputs, names, strict=True)}
    return {by_id.get(id(tensor), name): _spec(tensor) for tensor, name in zip(flat, names, strict=True)}


def _spec(tensor: Any) -> Any:
    return getattr(tensor, "type_spec", None) or tf.TensorSpec(tensor.shape, tensor.dtype)


def _dims(spec: Any) -> tuple[int | None, ...]:
    return tuple(spec.shape.as_list())
