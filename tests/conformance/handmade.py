"""Models written by hand, for tests of what comes after the converter."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array, ConversionReport, ManifestGroup, ModelFormat, TensorInfo, WeightSpec
from tfjs_magic.model import TfjsModel

GRAPH_DTYPES = {
    "float32": "DT_FLOAT",
    "int32": "DT_INT32",
    "bool": "DT_BOOL",
    "string": "DT_STRING",
    "complex64": "DT_COMPLEX64",
}


def handmade_model(
    model_format: ModelFormat,
    topology: Mapping[str, Any],
    weights: Mapping[str, Array],
    inputs: Sequence[TensorInfo],
    outputs: Sequence[TensorInfo],
    **header: Any,
) -> TfjsModel:
    """Make a model, with more keys of model.json; its shards have 16 bytes, so that they cut through tensors."""
    group = ManifestGroup(
        specs=tuple(WeightSpec(name, array.shape, array.dtype.name) for name, array in weights.items()),
        parts=tuple(memoryview(np.ascontiguousarray(array)).cast("B") for array in weights.values()),
        shard_size_bytes=16,
    )
    return TfjsModel(
        format=model_format,
        inputs=inputs,
        outputs=outputs,
        topology=topology,
        header=header,
        groups=(group,),
        report=ConversionReport(source="hand-made"),
    )


def node(name: str, op: str, *inputs: str, dtype: str = "float32", **attrs: Any) -> dict[str, Any]:
    """Make a graph node; ``attrs`` are Python values: str, bool, int, float, or a list of str or int."""
    type_attr = "dtype" if op in {"Placeholder", "Const"} else "T"
    attr = {type_attr: {"type": GRAPH_DTYPES[dtype]}} | {key: _attr(value) for key, value in attrs.items()}
    return {"name": name, "op": op, "input": list(inputs), "attr": attr}


def graph_model(
    nodes: Sequence[Mapping[str, Any]], weights: Mapping[str, Array] | None = None, **outputs: str
) -> TfjsModel:
    """Make a graph model: its inputs are the Placeholders, its outputs the nodes named in ``outputs``, with dtypes."""
    dtypes = {form: dtype for dtype, form in GRAPH_DTYPES.items()}
    inputs = {n["name"]: dtypes[n["attr"]["dtype"]["type"]] for n in nodes if n["op"] == "Placeholder"}
    return handmade_model(
        "graph-model",
        {"node": list(nodes), "library": {}, "versions": {}},
        weights or {},
        [TensorInfo(name, dtype, None) for name, dtype in inputs.items()],
        [TensorInfo(name, dtype, None) for name, dtype in outputs.items()],
        signature={"inputs": _signature(inputs), "outputs": _signature(outputs)},
    )


def _signature(tensors: Mapping[str, str]) -> dict[str, Any]:
    return {name: {"name": f"{name}:0", "dtype": GRAPH_DTYPES[dtype]} for name, dtype in tensors.items()}


def _attr(value: Any) -> dict[str, Any]:
    """Return a protobuf attribute as JSON: bytes as base64, int64 as a string."""
    if isinstance(value, list):
        items = [_attr(item) for item in value]
        return {"list": {kind: [item[kind] for item in items] for kind in items[0]}}
    if isinstance(value, bool):
        return {"b": value}
    if isinstance(value, int):
        return {"i": str(value)}
    if isinstance(value, float):
        return {"f": value}
    if value in GRAPH_DTYPES.values():
        return {"type": value}
    return {"s": base64.b64encode(value.encode()).decode()}
