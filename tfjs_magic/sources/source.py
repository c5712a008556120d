"""What every source becomes: a Keras model, which may still go either way, a function, or a TF.js model."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array, Artifacts, ManifestGroup, Reference, TensorInfo, WeightEntry
from tfjs_magic.graph.ir import Graph
from tfjs_magic.graph.provenance import TracedLayer, note_layers
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.tensors import kept_outputs
from tfjs_magic.weights.pack import unpack_groups

#: Name of a step of the conversion → a context that times it and tells the caller.
Stage = Callable[[str], contextlib.AbstractContextManager[None]]


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A public input or output, and the tensor ref that it has in the graph."""

    info: TensorInfo
    ref: str


@dataclasses.dataclass(frozen=True, eq=False)
class GraphSource:
    """A graph that is not optimised yet: what a traced function and the graph of a TF.js model have in common.

    Attributes:
        graph: Edited by the passes.
        inputs: Described in the order of the signature; ``graph.inputs`` has the same names.
        generated_by: For ``model.json``.
        metadata: ``userDefinedMetadata`` before the caller's own.
        structured_keys: Keys of the dict that TF.js's ``predict`` returns, one per output; None for no dict.
        notes: For the report.
        weights: Those that were decoded from codes; a constant that is still the same array keeps them.
        groups: What they were decoded from.
        may_begin_inside: Whether ``inputs=`` may name a tensor inside it.
        layers: Those of the Keras model that it was traced from.
    """

    graph: Graph
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    description: str
    reference: Reference | None
    generated_by: str
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    structured_keys: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    weights: Sequence[WeightEntry] = ()
    groups: Sequence[ManifestGroup] = ()
    may_begin_inside: bool = False
    layers: Sequence[TracedLayer] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class FunctionSource:
    """A concrete function, and what its tensors are called in public.

    Attributes:
        function: A ``tf.types.experimental.ConcreteFunction``, or a :class:`~tfjs_magic.graph.trace.GraphDefFunction`.
        inputs: Their refs are names of placeholders.
        description: For the report: "SavedModel 'my_model', signature 'serving_default'".
        dict_output: Whether the source returns a dict, so that TF.js's ``predict`` should too.
        reason: Why it is a graph model, where that is not plain, as sentences.
        notes: For the report.
        layers: Those of a Keras model, with their tensors in the function.
    """

    function: Any
    inputs: tuple[Endpoint, ...]
    outputs: tuple[Endpoint, ...]
    reference: Reference
    description: str
    dict_output: bool = False
    reason: str = ""
    notes: tuple[str, ...] = ()
    layers: Sequence[TracedLayer] = ()

    def to_graph(self, options: ConvertOptions, stage: Stage) -> GraphSource:
        """Unroll its loops and take its graph.

        Raises:
            UnsupportedModelError: ``options.outputs`` names what it does not have; or it holds what no graph of TF.js
                can, such as variables that it writes.
        """
        import tensorflow as tf  # noqa: PLC0415 - layers models need none of it

        from tfjs_magic.graph.cudnn import lower_cudnn  # noqa: PLC0415
        from tfjs_magic.graph.trace import graph_def_function, trace  # noqa: PLC0415
        from tfjs_magic.graph.unroll import unroll_loops  # noqa: PLC0415

        kept = kept_outputs(self.description, [end.info.name for end in self.outputs], options.outputs)
        outputs = [self.outputs[i] for i in kept]
        inputs = {end.info.name: end.ref for end in self.inputs}
        with stage("grappler"):
            keep = [end.ref.partition(":")[0] for end in (*self.inputs, *outputs)]
            function = lower_cudnn(graph_def_function(self.function), keep=keep)
            flat, unrolled = unroll_loops(function, keep=keep, mode=options.unroll)
            graph = trace(flat, inputs=inputs, outputs={end.info.name: end.ref for end in outputs})
        note_layers(graph, self.layers)
        return GraphSource(
            graph=graph,
            inputs=tuple(end.info for end in self.inputs),
            outputs=tuple(end.info for end in outputs),
            description=self.description,
            reference=self.reference,
            generated_by=tf.__version__,
            structured_keys=tuple(end.info.name for end in outputs) if self.dict_output else None,
            notes=(*self.notes, *unrolled),
            may_begin_inside=True,
            layers=self.layers,
        )


@dataclasses.dataclass(frozen=True, eq=False)
class KerasSource:
    """A built Keras 3 model in memory.

    Attributes:
        to_function: Trace it; only called when a graph is wanted.
        groups: What its weights were decoded from, if they were.
    """

    model: Any
    reference: Reference
    description: str
    to_function: Callable[[], FunctionSource]
    groups: Sequence[ManifestGroup] = ()

    def to_graph(self, options: ConvertOptions, stage: Stage) -> GraphSource:
        """Trace it and take the graph; raises what :meth:`FunctionSource.to_graph` raises."""
        with stage("trace"):
            function = self.to_function()
        graph = _with_codes(function.to_graph(options, stage), self.groups)
        if graph.reference is None or not graph.layers:
            return graph
        of_keras = self.reference
        reference = dataclasses.replace(graph.reference, run_layers=of_keras.run_layers, by_xla=of_keras.by_xla)
        return dataclasses.replace(graph, reference=reference)


def _with_codes(source: GraphSource, groups: Sequence[ManifestGroup]) -> GraphSource:
    """Let the weights of the graph be the arrays that were decoded: what no pass changes then keeps its codes."""
    decoded = [entry for entry in unpack_groups(groups) if entry.codes is not None]
    by_content = {_content(entry.data): entry.data for entry in decoded}
    for node in source.graph if decoded else ():
        if node.value is not None and (array := by_content.get(_content(node.value))) is not None:
            source.graph.replace_node(node.name, dataclasses.replace(node, value=array))
    return dataclasses.replace(source, weights=decoded, groups=groups)


def _content(array: Array) -> tuple[str, tuple[int, ...], bytes]:
    stored = b"" if array.dtype == object else np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    return str(array.dtype), array.shape, hashlib.sha256(stored).digest()


@dataclasses.dataclass(frozen=True, eq=False)
class TfjsSource:
    """The graph of a TF.js model, which is optimised again.

    Attributes:
        read: Reads it, with the outputs at these positions.
    """

    artifacts: Artifacts
    description: str
    read: Callable[[tuple[int, ...]], GraphSource]
    reason: str = ""

    def to_graph(self, options: ConvertOptions, stage: Stage) -> GraphSource:
        """Read it.

        Raises:
            UnsupportedModelError: Its topology is damaged, or ``options.outputs`` names what it does not have.
        """
        names = [info.name for info in self.artifacts.outputs]
        with stage("graph"):
            return self.read(kept_outputs(self.description, names, options.outputs))


@dataclasses.dataclass(frozen=True, eq=False)
class FixedSource:
    """A TF.js model whose topology stays as it is: only its weights are packed again.

    Attributes:
        reason: Why, as a sentence.
    """

    artifacts: Artifacts
    description: str
    reason: str


Source = KerasSource | FunctionSource | TfjsSource | FixedSource
