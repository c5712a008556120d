"""What every source becomes: a Keras model, which may still go either way, a function, or a TF.js model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from tfjs_magic.artifacts import Reference, TensorInfo, TfjsModel
from tfjs_magic.graph.ir import Graph


@dataclasses.dataclass(frozen=True, eq=False)
class FunctionSource:
    """A concrete function, and what its tensors are called in public.

    Attributes:
        function: A ``tf.types.experimental.ConcreteFunction``.
        placeholders: Names of the placeholders of ``inputs``, in their order.
        results: Tensor refs of ``outputs``, in their order.
        description: For the report: "SavedModel 'my_model', signature 'serving_default'".
        reason: Why it is a graph model, where that is not plain, as sentences.
        dict_output: Whether the source returns a dict, so that TF.js's ``predict`` should too.
    """

    function: Any
    inputs: tuple[TensorInfo, ...]
    placeholders: tuple[str, ...]
    outputs: tuple[TensorInfo, ...]
    results: tuple[str, ...]
    reference: Reference
    description: str
    dict_output: bool = False
    reason: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class KerasSource:
    """A built Keras 3 model in memory.

    Attributes:
        to_function: Trace it; only called when a graph is wanted.
    """

    model: Any
    reference: Reference
    description: str
    to_function: Callable[[], FunctionSource]


@dataclasses.dataclass(frozen=True, eq=False)
class TfjsSource:
    """A TF.js model that is converted again.

    Attributes:
        unchanged: Why only its weights are packed again, as a sentence; None if its graph is optimised too.
    """

    model: TfjsModel
    description: str
    unchanged: str | None


Source = KerasSource | FunctionSource | TfjsSource


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
