"""SavedModel directories: one signature becomes one graph model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfjs_magic.errors import UnsupportedModelError, reason_of
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.function import module_source, whole_function_source
from tfjs_magic.sources.graph_check import refuse_touching
from tfjs_magic.sources.inside import starting_inside
from tfjs_magic.sources.keras_file import keras_2_saved_model_source
from tfjs_magic.sources.paths import holds_layers, saved_model_in
from tfjs_magic.sources.saved_model_check import check_before_load, read_meta_graphs
from tfjs_magic.sources.source import FunctionSource, KerasSource
from tfjs_magic.sources.tensors import chosen_signature
from tfjs_magic.sources.v1.saved_model import meta_graph_v1, saved_model_v1_source


def saved_model_source(directory: Path, options: ConvertOptions) -> FunctionSource | KerasSource:
    """Load a SavedModel, or the newest of its version folders, and take one of its signatures, or of its functions.

    One that Keras 2 wrote gives its layers where a layers model is wanted.

    Raises:
        UnsupportedModelError: TensorFlow cannot load it, or it has no such signature.
    """
    path = saved_model_in(directory) or directory
    meta_graphs = read_meta_graphs(path)
    if (meta_graph := meta_graph_v1(path, meta_graphs, options)) is not None:
        return saved_model_v1_source(path, meta_graph, options)
    check_before_load(path, meta_graphs[0], trust=options.trust)
    if options.format == "layers" and holds_layers(path):
        source = keras_2_saved_model_source(path, options)
    else:
        source = _loaded(path, options)
    if isinstance(source, FunctionSource):
        refuse_touching(source.function.graph.as_graph_def(), source.description, trust=options.trust)
    return source


def _loaded(path: Path, options: ConvertOptions) -> FunctionSource:
    try:
        loaded = tf.saved_model.load(str(path), tags=list(options.tags))
    except Exception as error:  # TensorFlow raises whatever the files provoke
        reason = reason_of(error)
        raise UnsupportedModelError(f"TensorFlow cannot load the SavedModel '{path}': {reason}.") from error
    if not loaded.signatures or (options.signature is not None and options.signature not in loaded.signatures):
        return module_source(loaded, options, f"SavedModel '{path.name}'")
    name = chosen_signature(f"The SavedModel '{path}'", loaded.signatures, options.signature)
    description = f"SavedModel '{path.name}', signature '{name}'"
    function = loaded.signatures[name]
    source = whole_function_source(function, options, description, owner=loaded)
    if not any(end.info.name in (options.inputs or {}) for end in source.inputs):
        source = _with_own_graph(source, function)
    return starting_inside(source, options.inputs)


def _with_own_graph(source: FunctionSource, function: Any) -> FunctionSource:
    """Take the signature's graph as it is, so that its nodes keep their names; they say what its inputs are."""
    attribute = "_user_specified_name"
    placeholders = {
        tensor.op.get_attr(attribute).decode(): tensor.op.name
        for tensor in function.inputs[: len(source.inputs)]
        if attribute in tensor.op.node_def.attr
    }
    if placeholders.keys() != {end.info.name for end in source.inputs}:
        return source
    tensors = zip(source.outputs, function.outputs, strict=True)
    return dataclasses.replace(
        source,
        function=function,
        inputs=tuple(dataclasses.replace(end, ref=placeholders[end.info.name]) for end in source.inputs),
        outputs=tuple(dataclasses.replace(end, ref=tensor.name.removesuffix(":0")) for end, tensor in tensors),
    )
