"""What every source becomes: a Keras model, which may still go either way, or a function with named tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from tfjs_magic.artifacts import Reference, TensorInfo


@dataclasses.dataclass(frozen=True, eq=False)
class FunctionSource:
    """A concrete function, and what its tensors are called in public.

    Attributes:
        function: A ``tf.types.experimental.ConcreteFunction``.
        placeholders: Names of the placeholders of ``inputs``, in their order.
        results: Tensor refs of ``outputs``, in their order.
        description: For the report: "SavedModel 'my_model', signature 'serving_default'".
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


Source = KerasSource | FunctionSource
