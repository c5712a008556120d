"""Python functions as converted graphs, without the way over a SavedModel: quick enough for hundreds of cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tests.graph_text import tfjs_model
from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Graph
from tfjs_magic.graph.trace import trace
from tfjs_magic.model import TfjsModel
from tfjs_magic.ops.check import check_ops
from tfjs_magic.passes import PIPELINE, run_passes


def traced(function: Callable[..., Any], *specs: tf.TensorSpec, concrete: Any = None) -> Graph:
    """Trace a function; its inputs are called as the specs, its outputs "0", "1" … or by the keys of its dict."""
    concrete = concrete or tf.function(function, autograph=False).get_concrete_function(*specs)
    structure = concrete.structured_outputs
    names = sorted(structure) if isinstance(structure, dict) else [f"out{i}" for i in range(len(concrete.outputs))]
    return trace(
        concrete,
        inputs={spec.name: tensor.op.name for spec, tensor in zip(specs, concrete.inputs, strict=False)},
        outputs={name: tensor.name.removesuffix(":0") for name, tensor in zip(names, concrete.outputs, strict=True)},
    )


def converted(function: Callable[..., Any], *specs: tf.TensorSpec) -> TfjsModel:
    """Trace a function, run every pass and the op check, and assemble the model."""
    graph = traced(function, *specs)
    for step in PIPELINE.values():
        run_passes(graph, step)
    check_ops(graph)
    return tfjs_model(graph)


def python_outputs(function: Callable[..., Any], feed: Mapping[str, Array], *specs: tf.TensorSpec) -> dict[str, Array]:
    """Run the function as TensorFlow does, under the names of :func:`traced`."""
    result = tf.function(function, autograph=False)(*(tf.constant(feed[spec.name], spec.dtype) for spec in specs))
    if isinstance(result, dict):
        return {name: result[name].numpy() for name in sorted(result)}
    flat = tf.nest.flatten(result)
    return {f"out{i}": np.asarray(tensor) for i, tensor in enumerate(flat)}
