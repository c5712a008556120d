"""Keras 3 models, in memory and from ``.keras`` / ``.h5`` files."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tfjs_magic.artifacts import Array, Dims, LayerListener, Reference
from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.layers.functional import boundary_shape, input_names, is_stateful, output_names, tensors_of
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.any_cpu import by_xla, on_any_cpu
from tfjs_magic.sources.layer_calls import LayerTrace, layer_calls
from tfjs_magic.sources.source import FunctionSource, KerasSource
from tfjs_magic.sources.tensors import change_detector, check_names, wanted_shape

#: What TensorFlow takes as the name of an op; anything else cannot be traced.
_OP_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")


def keras_source(model: Any, options: ConvertOptions) -> KerasSource:
    """Take a model in memory.

    Raises:
        UnsupportedModelError: It is not built, or subclassed and never called, so that its inputs are unknown.
    """
    if not model.built:
        raise UnsupportedModelError(
            f"The Keras model '{model.name}' has no known inputs: it is not built. Call it on an example, or start it "
            "with keras.Input(shape), then convert it again."
        )
    if not getattr(model, "inputs", None):
        return _subclassed_source(model, options)
    reference = Reference(
        _caller(model, on_any_cpu),
        change_detector(model.variables, _view),
        lambda inputs, told: _run_layers(model, inputs, told),
        _caller(model, by_xla) if keras.backend.backend() == "tensorflow" else None,
    )
    description = f"Keras model '{model.name}'"
    return KerasSource(model, reference, description, lambda: _function_source(model, options, description))


def _subclassed_source(model: Any, options: ConvertOptions) -> KerasSource:
    """Take a model whose layers are wired by Python code; Keras remembers only what shapes it was called with."""
    description = f"Keras model '{model.name}'"
    specs, structure = _remembered_inputs(model, options)

    def to_function() -> FunctionSource:
        _check_backend(description, options)
        import tensorflow as tf  # noqa: PLC0415 - not needed for layers models

        from tfjs_magic.sources.inside import starting_inside  # noqa: PLC0415
        from tfjs_magic.sources.traced import traced_source  # noqa: PLC0415

        _check_traceable(model, options)
        variables = len(model.variables)
        tensor_specs = {name: tf.TensorSpec(shape, dtype) for name, (shape, dtype) in specs.items()}
        whole = dataclasses.replace(traced_source(run, tensor_specs, description=description), layers=called.layers)
        source = starting_inside(whole, options.inputs)
        if len(model.variables) != variables:
            raise UnsupportedModelError(
                f"{description} made new weights while it was traced: it was never called. Call it on an example, "
                "then convert it again.",
                stage="trace",
            )
        return source

    def run(tensors: Sequence[Any]) -> Any:
        from tfjs_magic.sources.time_distributed import time_folded  # noqa: PLC0415 - needs TensorFlow

        args, keywords = structure(tensors)
        training = {"training": False} if "training" in _call_parameters(model) else {}
        with time_folded(model), called.watching(model):
            return model(*args, **keywords, **training)

    def call(inputs: Mapping[str, Array]) -> dict[str, Array]:
        return traced().reference(inputs)

    def run_layers(inputs: Mapping[str, Array], told: LayerListener) -> None:
        tensors = [keras.ops.convert_to_tensor(inputs[name], dtype=dtype) for name, (_, dtype) in specs.items()]
        with layer_calls(model, lambda label, _, tensor: told(label, keras.ops.convert_to_numpy(tensor))):
            run(tensors)

    called = LayerTrace()
    traced = functools.cache(to_function)
    reference = Reference(call, change_detector(model.variables, _view), run_layers)
    return KerasSource(model, reference, description, traced)


_Specs = dict[str, tuple[tuple[int | None, ...], Any]]


def _remembered_inputs(model: Any, options: ConvertOptions) -> tuple[_Specs, Callable[[Sequence[Any]], Any]]:
    """Return the inputs' shapes and dtypes, and how flat tensors become the arguments of ``call``.

    The user's wishes win. The batch, remembered from the example, is free again; the dtype is not remembered.
    """
    wanted = {
        name: (tuple(None if n in (None, -1) else int(n) for n in getattr(spec, "shape", spec)), _dtype(spec))
        for name, spec in (options.inputs or {}).items()
    }
    parameters = _call_parameters(model)
    remembered = list((getattr(model, "_build_shapes_dict", None) or {}).values())
    shapes = remembered[0] if len(remembered) == 1 else None
    leaves = dict(_shape_leaves(parameters[0] if parameters else "input", (), shapes))
    if wanted and set(wanted) <= set(leaves):
        return {name: wanted.get(name, spec) for name, spec in leaves.items()}, _as_first_argument(shapes)
    if wanted and set(wanted) <= set(parameters):
        return wanted, lambda tensors: ((), dict(zip(wanted, tensors, strict=True)))
    if wanted and not leaves:
        return wanted, lambda tensors: ((dict(zip(wanted, tensors, strict=True)),), {})
    if set(wanted) & {*leaves, *parameters}:
        check_names(f"Keras model '{model.name}'", leaves, wanted)
    if not leaves:
        raise UnsupportedModelError(
            f"The Keras model '{model.name}' is subclassed and Keras remembers no input shapes of it. Pass "
            "inputs={name: tf.TensorSpec(shape, dtype)}, or call it on an example first."
        )
    if extra := _further_arguments(model):
        raise UnsupportedModelError(
            f"The Keras model '{model.name}' is subclassed and its call also takes {quoted_list(extra)}, of which "
            "Keras remembers no shapes. Pass inputs={name: tf.TensorSpec(shape, dtype)} with each that is an input."
        )
    return leaves, _as_first_argument(shapes)


def _further_arguments(model: Any) -> list[str]:
    """Return the arguments after the first that may be tensors; Keras's own are none."""
    rows = list(inspect.signature(model.call).parameters.values())[1:]
    named = [row for row in rows if row.kind not in (row.VAR_POSITIONAL, row.VAR_KEYWORD)]
    return [row.name for row in named if row.default in (row.empty, None) and row.name not in {"training", "mask"}]


def _dtype(spec: Any) -> Any:
    return getattr(spec, "dtype", "float32")


def _call_parameters(model: Any) -> list[str]:
    rows = inspect.signature(model.call).parameters.values()
    return [row.name for row in rows if row.kind not in (row.VAR_POSITIONAL, row.VAR_KEYWORD)]


def _is_shape(node: Any) -> bool:
    return isinstance(node, (tuple, list)) and all(n is None or isinstance(n, int) for n in node)


def _shape_leaves(name: str, path: tuple[str, ...], node: Any) -> Iterator[tuple[str, Any]]:
    if node is None:
        return
    if _is_shape(node):
        yield "/".join(path) or name, ((None, *node[1:]) if node else (), "float32")
    elif isinstance(node, Mapping):
        for key in sorted(node):
            yield from _shape_leaves(name, (*path, str(key)), node[key])
    else:
        for i, child in enumerate(node):
            yield from _shape_leaves(name, (*path, str(i)) if path else (f"{name}_{i}",), child)


def _as_first_argument(shapes: Any) -> Callable[[Sequence[Any]], Any]:
    def filled(node: Any, tensors: Iterator[Any]) -> Any:
        if _is_shape(node):
            return next(tensors)
        if isinstance(node, Mapping):
            return {key: filled(node[key], tensors) for key in sorted(node)}
        return [filled(child, tensors) for child in node]

    return lambda tensors: ((filled(shapes, iter(tensors)),), {})


def _input_structure(model: Any) -> Any:
    """Return the tensor, list or dict that the model is called with. A Sequential from a file has no ``input``."""
    return model.inputs[0] if isinstance(model, keras.Sequential) else model.input


def _output_structure(model: Any) -> Any:
    return model.outputs[0] if isinstance(model, keras.Sequential) else model.output


def _caller(model: Any, computed: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Any:
    names, outputs = input_names(model), output_names(model)
    dtypes = [tensor.dtype for tensor in model.inputs]
    structure = _input_structure(model)

    @computed
    def run(*tensors: Any) -> Any:
        return keras.tree.flatten(model(keras.tree.pack_sequence_as(structure, tensors), training=False))

    def call(inputs: Mapping[str, Array]) -> dict[str, Array]:
        tensors = [keras.ops.convert_to_tensor(inputs[n], dtype=d) for n, d in zip(names, dtypes, strict=True)]
        arrays = [keras.ops.convert_to_numpy(tensor) for tensor in run(*tensors)]
        return dict(zip(outputs, arrays, strict=True))

    return call


def _run_layers(model: Any, inputs: Mapping[str, Array], told: LayerListener) -> None:
    names = input_names(model)
    tensors = [
        keras.ops.convert_to_tensor(inputs[name], dtype=tensor.dtype)
        for name, tensor in zip(names, model.inputs, strict=True)
    ]
    with layer_calls(model, lambda label, _, tensor: told(label, keras.ops.convert_to_numpy(tensor))):
        model(keras.tree.pack_sequence_as(_input_structure(model), tensors), training=False)


def _view(variable: Any) -> Array:
    """Return a view of today's value: a later assignment gives the variable a buffer of its own."""
    read = getattr(variable.value, "read_value", None)
    return np.asarray(read()) if read is not None else np.asarray(keras.ops.convert_to_numpy(variable.value))


def _function_source(model: Any, options: ConvertOptions, description: str) -> FunctionSource:
    _check_backend(description, options)
    import tensorflow as tf  # noqa: PLC0415 - not needed for layers models

    from tfjs_magic.sources.inside import starting_inside  # noqa: PLC0415
    from tfjs_magic.sources.time_distributed import time_folded  # noqa: PLC0415
    from tfjs_magic.sources.traced import traced_source  # noqa: PLC0415

    names, outputs = input_names(model), output_names(model)
    _check_traceable(model, options)
    layers = _named_layers(model, [name for name in options.inputs or () if name not in names])
    traced = keras.Model(_input_structure(model), [*model.outputs, *layers.values()]) if layers else model
    wishes = options.inputs or {}

    def specs(shape_of: Callable[[Any], Dims]) -> dict[str, Any]:
        pairs = zip(names, model.inputs, strict=True)
        return {name: tf.TensorSpec(wanted_shape(name, shape_of(t), wishes), t.dtype) for name, t in pairs}

    def shape_of(tensor: Any) -> Dims:
        wish = wishes.get(tensor._keras_history[0].name)  # noqa: SLF001 - as input_names does
        any_batch = wish is not None and not is_stateful(model)
        return (None, *tensor.shape[1:]) if any_batch else boundary_shape(model, tensor)

    structure = _input_structure(model)

    called = LayerTrace()

    def run(tensors: Sequence[Any]) -> Any:
        with time_folded(model), called.watching(model):
            return keras.tree.flatten(traced(keras.tree.pack_sequence_as(structure, list(tensors)), training=False))

    trace = functools.partial(
        traced_source,
        run,
        description=description,
        output_names=[*outputs, *layers],
        dict_output=isinstance(_output_structure(model), dict),
        remedy="Keras itself fails on it: mend the layer that it names.",
    )
    wanted = specs(shape_of)
    try:
        source = trace(wanted)
    except UnsupportedModelError:
        if wishes or wanted == (own := specs(lambda tensor: tuple(tensor.shape))):
            raise
        source = trace(own)  # a layer asks for the number of examples
    whole = dataclasses.replace(source, outputs=source.outputs[: len(outputs)], layers=called.layers)
    tensors = source.function.outputs[len(outputs) :]  # behind an identity of ours and one of TensorFlow's
    refs = {name: tensor.op.inputs[0].op.inputs[0].name for name, tensor in zip(layers, tensors, strict=True)}
    return starting_inside(whole, options.inputs, refs)


def _named_layers(model: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return the output tensors of the layers with these names; other names are left to the graph.

    Raises:
        UnsupportedModelError: A layer is called several times, or gives several tensors.
    """
    found: dict[str, Any] = {}
    for layer in model.layers:
        tensors = tensors_of(model, layer) if layer.name in names else []
        if len(tensors) > 1:
            raise UnsupportedModelError(
                f"inputs names the layer '{layer.name}' of Keras model '{model.name}', which does not give one tensor: "
                "it is called several times, or gives several. Name a layer behind it."
            )
        found |= dict(zip([layer.name], tensors, strict=False))
    return found


def _check_backend(description: str, options: ConvertOptions) -> None:
    if keras.backend.backend() != "tensorflow":
        raise UnsupportedModelError(
            f"{description} runs on the {keras.backend.backend()} backend; a graph model needs TensorFlow's. Save it "
            f"as a .keras file and convert that with KERAS_BACKEND=tensorflow{_or_layers(options)}."
        )


def _or_layers(options: ConvertOptions) -> str:
    """Return the advice to try layers, where that was not tried and may help."""
    asked = options.format == "graph" and not options.inputs and options.outputs is None
    return ", or convert it with format='layers'" if asked else ""


def _check_traceable(model: Any, options: ConvertOptions) -> None:
    """Refuse layer names that TensorFlow cannot use as scopes, before it fails on the first one."""
    layers = {layer.name for layer in model._flatten_layers()}  # noqa: SLF001 - none is public
    if bad := [name for name in layers if not _OP_NAME.fullmatch(name)]:
        raise UnsupportedModelError(
            f"TensorFlow cannot trace layers named {quoted_list(bad)}: names may hold letters, digits and _.\\/>- "
            f"only. Rename them{_or_layers(options)}.",
            stage="trace",
        )
    packed = [layer.name for layer in model._flatten_layers() if getattr(layer, "quantization_mode", "") == "int4"]  # noqa: SLF001 - as above
    if packed:
        raise UnsupportedModelError(
            f"Keras quantized the layers {quoted_list(packed)} to int4, and TF.js cannot take apart the bytes that "
            "hold two numbers each. Convert the model before model.quantize(), with quantize='uint8'.",
            stage="trace",
        )
