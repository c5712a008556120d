"""Keras 2 models of the package ``tf_keras``, in memory.

They become layers models through the Keras 3 model that computes the same, if there is one; else graph models.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfjs_magic.errors import UnsupportedModelError, quoted_list, reason_of
from tfjs_magic.layers.functional import input_names
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.any_cpu import on_any_cpu
from tfjs_magic.sources.inside import starting_inside
from tfjs_magic.sources.keras import keras_source
from tfjs_magic.sources.keras_config import refuse_untrusted
from tfjs_magic.sources.keras_wiring import check_wiring
from tfjs_magic.sources.source import FunctionSource, KerasSource
from tfjs_magic.sources.tensors import change_detector, dims, unique_names, wanted_shape
from tfjs_magic.sources.tf_keras_cudnn import without_cudnn
from tfjs_magic.sources.traced import traced_source


def tf_keras_source(model: Any, options: ConvertOptions) -> FunctionSource | KerasSource:
    """Take a model whose inputs are known: Sequential or Functional, or subclassed and called on an example.

    Inputs and outputs keep Keras 2's names and order.

    Raises:
        UnsupportedModelError: Its inputs are unknown, or its weights live in a session and it has code of its own.
    """
    model = _out_of_session(model)
    if (twin := without_cudnn(model)) is not model:
        return _watching(model, tf_keras_source(twin, options))
    if options.format == "graph" or options.inputs or options.outputs is not None:
        return _function_source(model, options)
    description = f"Keras 2 model '{model.name}'"
    try:
        twin = _twin(model, _specs(model, description))
        source = keras_source(twin, options)
    except UnsupportedModelError as error:
        function = _function_source(model, options)
        return dataclasses.replace(function, reason=f"{description} cannot become a layers model. {error}")
    changed = change_detector(model.variables, lambda v: np.asarray(v.read_value()))
    return KerasSource(
        twin,
        dataclasses.replace(source.reference, changed=changed),
        description,
        lambda: _function_source(model, options),
    )


def _out_of_session(model: Any) -> Any:
    """Return the model itself, or its copy if it was built in a graph of TensorFlow 1, with the session's weights."""
    try:
        graph = model.weights[0].graph
    except (AttributeError, IndexError, ValueError):  # eager variables have none; there may be no variables
        return model
    if type(model).__name__ not in {"Functional", "Sequential"} or not _is_builtin(model):
        raise UnsupportedModelError(
            f"The weights of the Keras 2 model '{model.name}' live in a session of TensorFlow 1. Build it outside "
            "tf.Graph().as_default(), or save it and convert the file."
        )
    with graph.as_default():
        weights = model.get_weights()
    copy = type(model).from_config(model.get_config())
    copy.set_weights(weights)
    return copy


def keras_2_model(topology: Mapping[str, Any], twin: Any) -> Any | None:
    """Build the Keras 2 model of a layers model; None where Keras 2 reads its configs otherwise, or not at all.

    Args:
        topology: ``modelTopology``, whose configs are those of Keras 2.
        twin: The Keras 3 model of it, whose weights it gets. They are compared on numbers.
    """
    import tf_keras  # noqa: PLC0415 - an extra

    with contextlib.suppress(Exception):  # whatever Keras 2 says of options that it does not have
        config = topology.get("model_config", topology)
        refuse_untrusted("model.json", config, trust=False, package="tf_keras")
        check_wiring("model.json", config)
        model = tf_keras.models.model_from_json(json.dumps(config))
        ours = dict(_leaves(model))
        for name, layer in _leaves(twin):
            values = [variable.numpy() for variable in layer.weights if "seed" not in variable.path]
            ours[name].set_weights(values)
        if _computes_the_same(model, twin, _specs(model, "it")):
            return model
    return None


def _leaves(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and layer of a model, and of the models in it."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _leaves(layer)
        else:
            yield layer.name, layer


def _watching(model: Any, source: FunctionSource | KerasSource) -> FunctionSource | KerasSource:
    """Let a source notice when ``model``, of which it holds a copy, is trained."""
    changed = change_detector(model.variables, lambda v: np.asarray(v.read_value()))
    reference = dataclasses.replace(source.reference, changed=changed)
    if isinstance(source, FunctionSource):
        return dataclasses.replace(source, reference=reference)
    traced = source.to_function
    return dataclasses.replace(
        source, reference=reference, to_function=lambda: dataclasses.replace(traced(), reference=reference)
    )


def _twin(model: Any, specs: dict[str, Any]) -> Any:
    """Return the Keras 3 model that computes the same, which is tried on numbers."""
    from tfjs_magic.layers.to_keras import keras3_model  # noqa: PLC0415 - imports Keras

    if type(model).__name__ not in {"Functional", "Sequential"} or not _is_builtin(model):
        raise UnsupportedModelError("It is a subclassed model: its layers are wired by Python code.")
    if own := sorted({type(one).__name__ for one in model._flatten_layers() if not _is_builtin(one)}):  # noqa: SLF001
        raise UnsupportedModelError(f"Its classes {quoted_list(own)} are your own, and TF.js has only Keras's layers.")
    try:
        twin = keras3_model(model)
    except UnsupportedModelError:
        raise
    except Exception as error:  # whatever Keras says of options that it does not have any more
        raise UnsupportedModelError(f"Keras 3 does not build it: {reason_of(error)}.") from error
    try:
        alike = _computes_the_same(model, twin, specs)
    except Exception as error:  # sizes that a model does not take, values that it does not know
        raise UnsupportedModelError(f"It could not be tried on numbers: {reason_of(error)}.") from error
    if not alike:
        raise UnsupportedModelError("Keras 3 computes something else with the same layers.")
    return twin


#: Numbers in two examples: a shape in a file may say anything.
_MOST_TRIED = 2**24


def _computes_the_same(model: Any, twin: Any, specs: dict[str, Any]) -> bool:
    """Run both on two examples; an unknown side gets 32.

    Raises:
        ValueError: The examples are too large to be tried.
    """
    rng = np.random.default_rng(0)
    shapes = {
        name: (sides[0] or 2, *(side or 32 for side in sides[1:]))
        for name, sides in ((name, dims(spec) or ()) for name, spec in specs.items())
    }
    if (count := sum(map(math.prod, shapes.values()))) > _MOST_TRIED:
        msg = f"one example has {count} numbers"
        raise ValueError(msg)
    drawn = [rng.uniform(0, 2, shapes[name]).astype(spec.dtype.as_numpy_dtype) for name, spec in specs.items()]
    structure = _input_structure(model)
    given = drawn[0] if structure is None else tf.nest.pack_sequence_as(structure, drawn)
    expected = tf.nest.flatten(on_any_cpu(model)(given, training=False))
    by_name = dict(zip(specs, drawn, strict=True))
    ordered = [by_name[name] for name in input_names(twin)]
    got = tf.nest.flatten(on_any_cpu(twin)(ordered if len(ordered) > 1 else ordered[0], training=False))
    pairs = [(np.asarray(one), np.asarray(other)) for one, other in zip(expected, got, strict=True)]
    return all(one.shape == other.shape and _alike(one, other) for one, other in pairs)


def _is_builtin(layer: Any) -> bool:
    return type(layer).__module__.partition(".")[0] == "tf_keras"


def _alike(one: Any, other: Any) -> bool:
    scale = max(float(np.abs(one).max(initial=0)), 1e-6)
    return bool(np.allclose(one, other, rtol=0, atol=1e-4 * scale, equal_nan=True))


def _function_source(model: Any, options: ConvertOptions) -> FunctionSource:
    description = f"Keras 2 model '{model.name}'"
    specs = _specs(model, description)
    specs = {
        name: tf.TensorSpec(wanted_shape(name, dims(spec), options.inputs), spec.dtype) for name, spec in specs.items()
    }

    def run(tensors: Sequence[Any]) -> Any:
        structure = _input_structure(model)
        given = tf.nest.pack_sequence_as(structure, list(tensors)) if structure is not None else tensors[0]
        return tf.nest.flatten(model(given, training=False))

    names = unique_names(list(model.output_names)) if getattr(model, "output_names", None) else None
    source = traced_source(run, specs, description=description, output_names=names, dict_output=False)
    return starting_inside(source, options.inputs)


def _input_structure(model: Any) -> Any:
    """Return the inputs as the model was built with them, None where it takes one tensor."""
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
