"""SavedModel directories: one signature becomes one graph model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfjs_magic.artifacts import Array, Reference, TensorInfo
from tfjs_magic.errors import UnsupportedModelError, quoted_list, reason_of
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.kinds import FunctionSource
from tfjs_magic.sources.saved_model_v1 import meta_graph_v1, saved_model_v1_source
from tfjs_magic.sources.shapes import check_names, wanted_shape
from tfjs_magic.weights.dtypes import stored_dtype

_DEFAULT_SIGNATURE = "serving_default"


def saved_model_source(path: Path, options: ConvertOptions) -> FunctionSource:
    """Load a SavedModel and take one of its signatures.

    Raises:
        UnsupportedModelError: TensorFlow cannot load it, or it has no such signature.
    """
    if (meta_graph := meta_graph_v1(path, options)) is not None:
        return saved_model_v1_source(path, meta_graph, options)
    try:
        loaded = tf.saved_model.load(str(path), tags=list(options.tags))
    except Exception as error:  # TensorFlow raises whatever the files provoke
        reason = reason_of(error)
        raise UnsupportedModelError(f"TensorFlow cannot load the SavedModel '{path}': {reason}.") from error
    name, function = _signature(path, loaded.signatures, options.signature)
    description = f"SavedModel '{path.name}', signature '{name}'"
    _, keywords = function.structured_input_signature
    input_names = list(keywords)
    output_names = sorted(function.structured_outputs)  # the order in which TensorFlow flattens a dict
    check_names(description, input_names, options.inputs)
    if options.inputs:
        function = _with_shapes(function, keywords, options.inputs)
        placeholders = {n: t.op.name for n, t in zip(input_names, function.inputs[: len(keywords)], strict=True)}
        keywords = dict(zip(input_names, function.inputs[: len(keywords)], strict=True))
    else:
        placeholders = _placeholders(path, function.inputs[: len(keywords)])
    variables = [(v, np.asarray(v.read_value())) for v in function.graph.variables]

    def call(inputs: Mapping[str, Array]) -> dict[str, Array]:
        tensors = {n: tf.convert_to_tensor(inputs[n], keywords[n].dtype) for n in input_names}
        results = loaded.signatures[name](**tensors)  # through `loaded`, which keeps the variables alive
        return {n: results[n].numpy() for n in output_names}

    def changed() -> bool:
        return not all(np.array_equal(array, np.asarray(v.read_value())) for v, array in variables)

    return FunctionSource(
        function=function,
        inputs=tuple(_info(n, keywords[n]) for n in input_names),
        placeholders=tuple(placeholders[n] for n in input_names),
        outputs=tuple(_info(n, tensor) for n, tensor in zip(output_names, function.outputs, strict=True)),
        results=tuple(tensor.name.removesuffix(":0") for tensor in function.outputs),
        reference=Reference(call, changed),
        description=description,
        dict_output=len(output_names) > 1,
    )


def _signature(path: Path, signatures: Mapping[str, Any], wanted: str | None) -> tuple[str, Any]:
    if wanted is None:
        wanted = (
            _DEFAULT_SIGNATURE if _DEFAULT_SIGNATURE in signatures or len(signatures) != 1 else next(iter(signatures))
        )
    if wanted not in signatures:
        found = f"it has {quoted_list(signatures)}" if signatures else "it has none"
        raise UnsupportedModelError(
            f"The SavedModel '{path}' has no signature '{wanted}'; {found}. Name one with signature=."
        )
    return wanted, signatures[wanted]


def _with_shapes(function: Any, keywords: Mapping[str, Any], wanted: Mapping[str, Any]) -> Any:
    """Trace the signature again with the shapes that the user wants."""
    specs = []
    for name, spec in keywords.items():
        shape = None if spec.shape.rank is None else tuple(spec.shape.as_list())
        specs.append(tf.TensorSpec(wanted_shape(name, shape, wanted), spec.dtype))

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def fixed(*tensors: Any) -> Any:
        return function(**dict(zip(keywords, tensors, strict=True)))

    return fixed.get_concrete_function(*specs)


def _placeholders(path: Path, tensors: Any) -> dict[str, str]:
    """Return the signature's input name → placeholder: TensorFlow 2 keeps the name as an attribute."""
    attribute = "_user_specified_name"
    if any(attribute not in tensor.op.node_def.attr for tensor in tensors):
        raise UnsupportedModelError(
            f"The SavedModel '{path}' was written by TensorFlow 1, which is not converted yet; expected one that "
            "TensorFlow 2 wrote. Load it and export it again with tf.saved_model.save."
        )
    return {tensor.op.get_attr(attribute).decode(): tensor.op.name for tensor in tensors}


def _info(name: str, tensor: Any) -> TensorInfo:
    dtype = "string" if tensor.dtype == tf.string else stored_dtype(np.dtype(tensor.dtype.as_numpy_dtype))
    shape = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
    return TensorInfo(name, dtype or tensor.dtype.name, shape)
