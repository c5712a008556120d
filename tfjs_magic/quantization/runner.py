"""A converted model as TensorFlow runs it with other weights: they are inputs, nothing is converted again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array, Artifacts
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.graph.branches import is_held_back
from tfjs_magic.graph.ir import Graph
from tfjs_magic.graph.linear import biased_linear
from tfjs_magic.graph.refs import node_of
from tfjs_magic.weights.pack import unpack_groups

#: Weight name → array; input name → array: the outputs, one array each, in the model's order.
_Run = Callable[[Mapping[str, Array], Mapping[str, Array]], list[Array]]


@dataclasses.dataclass(frozen=True)
class Runner:
    """A function of weights that have changed, by name, and of the inputs, by name; gives the outputs in their order.

    Attributes:
        biases: Name of a kernel → name of the bias that is added to what it computes, and to nothing else. Empty for a
            layers model.
        means: Of each kernel of ``biases``, in that order, the mean of what its op computes, (channels,), before the
            bias; of the same arguments.
    """

    run: _Run
    biases: Mapping[str, str] = dataclasses.field(default_factory=dict)
    means: _Run = lambda *_: []

    def __call__(self, changed: Mapping[str, Array], inputs: Mapping[str, Array]) -> list[Array]:
        """Run the model."""
        return self.run(changed, inputs)


def runner(model: Artifacts) -> Runner:
    """Return the model as a function of its float32 weights and its inputs.

    Raises:
        UnsupportedModelError: It uses lookup tables, or TensorFlow cannot run it.
    """
    if model.format == "layers-model":
        return _layers_runner(model)
    if model.header.get("modelInitializer"):
        raise UnsupportedModelError(
            f"{model.report.source} uses lookup tables, with which its weights cannot be tried out. Name the weights "
            "to quantize: quantize={'uint8': [...]}."
        )
    return _graph_runner(model)


def _layers_runner(model: Artifacts) -> Runner:
    import keras  # noqa: PLC0415

    from tfjs_magic.layers.to_keras import keras_model  # noqa: PLC0415
    from tfjs_magic.layers.topology import fill_weights  # noqa: PLC0415

    weights = {entry.name: entry.data for entry in unpack_groups(model.groups)}
    rebuilt = keras_model(model.topology, weights)
    keeping = [layer for layer in rebuilt._flatten_layers() if getattr(layer, "stateful", False)]  # noqa: SLF001 - no public way sees the layers inside of others

    def run(changed: Mapping[str, Array], inputs: Mapping[str, Array]) -> list[Array]:
        fill_weights(rebuilt, {**weights, **changed})
        for layer in keeping:
            layer.reset_state()
        given = [inputs[info.name] for info in model.inputs]
        outputs = rebuilt(given if len(given) > 1 else given[0], training=False)
        flat = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        return [keras.ops.convert_to_numpy(output) for output in flat]

    return Runner(run)


def _graph_runner(model: Artifacts) -> Runner:
    import tensorflow as tf  # noqa: PLC0415
    from google.protobuf import json_format  # noqa: PLC0415

    from tfjs_magic.graph.frames import enter_constants  # noqa: PLC0415
    from tfjs_magic.graph.topology import graph_topology  # noqa: PLC0415
    from tfjs_magic.graph.unfuse import spread_kernels, unfuse  # noqa: PLC0415
    from tfjs_magic.sources.tfjs_graph import graph_of  # noqa: PLC0415

    entries = [*unpack_groups(model.groups)]
    graph = graph_of(model, model.outputs, entries)
    unfuse(graph)
    added = _biases(graph)
    spread_kernels(graph)
    enter_constants(graph)
    topology = graph_topology(graph)
    for row in topology["node"]:
        row["attr"].pop("value", None)
    graph_def = json_format.ParseDict(topology, tf.compat.v1.GraphDef())
    weights: dict[str, Array] = {}
    for row in graph_def.node:
        value = graph[row.name].value
        if value is not None and value.dtype == np.float32:
            weights[row.name] = value
            row.op = "Placeholder"
            row.attr["shape"].shape.CopyFrom(tf.TensorShape(value.shape).as_proto())
        elif value is not None:
            row.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))

    def imported() -> list[Any]:
        tf.graph_util.import_graph_def(graph_def, name="")
        ops = [tf.compat.v1.get_default_graph().get_tensor_by_name(f"{node}:0") for node, _ in added.values()]
        return [tf.reduce_mean(tf.reshape(op, (-1, tf.shape(op)[-1])), 0) for op in ops]

    wrapped = tf.compat.v1.wrap_function(imported, [])
    tensor = wrapped.graph.as_graph_element
    feeds = [tensor(f"{name}:0") for name in (*graph.inputs.values(), *weights)]
    specs = [tf.TensorSpec(feed.shape, feed.dtype) for feed in feeds]

    def function(fetches: list[Any]) -> _Run:
        pruned = wrapped.prune(feeds, fetches)
        # Called as it is, it first writes all arguments into an error message that nobody sees (TensorFlow 2.21).
        called = tf.function(lambda *given: pruned(*given), input_signature=specs, autograph=False)  # noqa: PLW0108

        def run(changed: Mapping[str, Array], inputs: Mapping[str, Array]) -> list[Array]:
            given = [tf.constant(inputs[name], spec.dtype) for name, spec in zip(graph.inputs, specs, strict=False)]
            values = [tf.constant(changed[name]) if name in changed else constants[name] for name in weights]
            return [np.asarray(output) for output in called(*given, *values)]

        return run

    constants = {name: tf.constant(value) for name, value in weights.items()}
    outputs = [tensor(ref if ":" in ref else f"{ref}:0") for ref in graph.outputs.values()]
    biases = {name: bias for name, (_, bias) in added.items()}
    return Runner(function(outputs), biases, function(wrapped.outputs))


def _biases(graph: Graph) -> dict[str, tuple[str, str]]:
    """Return kernel → the node of its op and the bias that is added to that, each used there alone.

    Not in a branch or a loop, where the op computes nothing, or something else in each round.
    """
    found = {}
    for node in graph:
        match = biased_linear(graph, node)
        if match is None or is_held_back(graph, node.ref()):
            continue
        op, bias = match
        alone = [node_of(op.weight_ref), op.node.name, node_of(bias)]
        single = all(graph.only_consumer(name) is not None for name in alone)
        value = graph.constant(bias)
        if single and value is not None and value.dtype == np.float32 and value.shape == (op.channels,):
            found[str(node_of(op.weight_ref))] = (str(op.node.name), str(node_of(bias)))
    return found
