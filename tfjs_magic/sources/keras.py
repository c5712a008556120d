"""Keras 3 models, in memory and from ``.keras`` / ``.h5`` files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfjs_magic.artifacts import Array, Reference, TensorInfo
from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.layers.functional import input_names, output_names
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.kinds import FunctionSource, KerasSource
from tfjs_magic.sources.shapes import check_names, wanted_shape
from tfjs_magic.weights.dtypes import stored_dtype

#: What TensorFlow takes as the name of an op; anything else cannot be traced.
_OP_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")


def keras_file_source(path: Path, options: ConvertOptions) -> KerasSource:
    """Load a whole-model file; nothing with a Lambda or custom code in it unless ``options.trust``.

    Raises:
        UnsupportedModelError: Keras cannot load it; the reason is Keras's own.
    """
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=not options.trust)
    except Exception as error:  # Keras raises whatever the file provokes
        reason = " ".join(str(error).split())[:400]
        hint = "" if options.trust else " A file that you trust may run code of its own with trust=True."
        msg = f"Keras cannot load '{path}': {type(error).__name__}: {reason}.{hint if 'unsafe' in reason else ''}"
        raise UnsupportedModelError(msg) from error
    return keras_source(model, options)


def keras_source(model: Any, options: ConvertOptions) -> KerasSource:
    """Take a model in memory.

    Raises:
        UnsupportedModelError: It is not built, so that its inputs are unknown.
    """
    if not model.built or not getattr(model, "inputs", None):
        raise UnsupportedModelError(
            f"The Keras model '{model.name}' has no known inputs: it is not built. Call it on an example, or start it "
            "with keras.Input(shape), then convert it again."
            if not model.built
            else f"The Keras model '{model.name}' is subclassed, so its inputs are unknown. Wrap it: keras.Model(x, "
            "model(x)) with x = keras.Input(shape)."
        )
    reference = Reference(_caller(model), _change_detector(model))
    description = f"Keras model '{model.name}'"
    return KerasSource(model, reference, description, lambda: _function_source(model, options, reference, description))


def _input_structure(model: Any) -> Any:
    """Give the tensor, list or dict that the model is called with. A Sequential from a file has no ``input``."""
    return model.inputs[0] if isinstance(model, keras.Sequential) else model.input


def _output_structure(model: Any) -> Any:
    return model.outputs[0] if isinstance(model, keras.Sequential) else model.output


def _caller(model: Any) -> Any:
    names, outputs = input_names(model), output_names(model)
    dtypes = [tensor.dtype for tensor in model.inputs]
    structure = _input_structure(model)

    def call(inputs: Mapping[str, Array]) -> dict[str, Array]:
        tensors = [keras.ops.convert_to_tensor(inputs[n], dtype=d) for n, d in zip(names, dtypes, strict=True)]
        result = model(keras.tree.pack_sequence_as(structure, tensors), training=False)
        arrays = [keras.ops.convert_to_numpy(tensor) for tensor in keras.tree.flatten(result)]
        return dict(zip(outputs, arrays, strict=True))

    return call


def _change_detector(model: Any) -> Any:
    """Compare with views of today's weights: a later assignment gives the variable a buffer of its own."""
    taken = [(variable, _view(variable)) for variable in model.variables if not _is_random_state(variable)]

    def changed() -> bool:
        return any(not np.array_equal(array, _view(v), equal_nan=array.dtype.kind == "f") for v, array in taken)

    return changed


def _is_random_state(variable: Any) -> bool:
    return str(variable.name) == "seed_generator_state"


def _view(variable: Any) -> Array:
    read = getattr(variable.value, "read_value", None)
    return np.asarray(read()) if read is not None else np.asarray(keras.ops.convert_to_numpy(variable.value))


def _function_source(model: Any, options: ConvertOptions, reference: Reference, description: str) -> FunctionSource:
    if keras.backend.backend() != "tensorflow":
        raise UnsupportedModelError(
            f"{description} runs on the {keras.backend.backend()} backend; a graph model needs TensorFlow's. Restart "
            "with KERAS_BACKEND=tensorflow, or convert it with format='layers'."
        )
    import tensorflow as tf  # noqa: PLC0415 - not needed for layers models

    names = input_names(model)
    _check_traceable(model)
    check_names(description, names, options.inputs)
    specs = [
        tf.TensorSpec(wanted_shape(name, tuple(tensor.shape), options.inputs), tensor.dtype, name=_op_name(name))
        for name, tensor in zip(names, model.inputs, strict=True)
    ]
    structure = _input_structure(model)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def serving(*tensors: Any) -> Any:
        return keras.tree.flatten(model(keras.tree.pack_sequence_as(structure, tensors), training=False))

    try:
        function = serving.get_concrete_function(*specs)
    except Exception as error:  # Keras raises whatever the layers provoke
        reason = " ".join(str(error).split())[:400]
        msg = f"{description} cannot be traced, Keras itself fails on it: {type(error).__name__}: {reason}"
        raise UnsupportedModelError(msg, stage="trace") from error
    tensors = function.inputs[: len(specs)]
    return FunctionSource(
        function=function,
        inputs=tuple(_info(name, spec) for name, spec in zip(names, specs, strict=True)),
        placeholders=tuple(tensor.op.name for tensor in tensors),
        outputs=tuple(_info(name, tensor) for name, tensor in zip(output_names(model), function.outputs, strict=True)),
        results=tuple(tensor.name.removesuffix(":0") for tensor in function.outputs),
        reference=reference,
        description=description,
        dict_output=isinstance(_output_structure(model), dict),
    )


def _check_traceable(model: Any) -> None:
    """Refuse layer names that TensorFlow cannot use as scopes, before it fails on the first one."""
    layers = {layer.name for layer in model._flatten_layers()}  # noqa: SLF001 - none is public
    if bad := [name for name in layers if not _OP_NAME.fullmatch(name)]:
        raise UnsupportedModelError(
            f"TensorFlow cannot trace layers named {quoted_list(bad)}: names may hold letters, digits and _.\\/>- "
            "only. Rename them, or convert with format='layers'.",
            stage="trace",
        )


def _op_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]", "_", name).lstrip("_") or "input"


def _info(name: str, tensor: Any) -> TensorInfo:
    dtype = "string" if tensor.dtype.name == "string" else stored_dtype(np.dtype(tensor.dtype.as_numpy_dtype))
    shape = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
    return TensorInfo(name, dtype or tensor.dtype.name, shape)
