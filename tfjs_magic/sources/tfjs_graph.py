"""TF.js model as a source: what may be converted again, and the graph of a graph model.

Source: tfjs-converter ``src/executor/graph_model.ts`` and ``src/operations/operation_mapper.ts``, 4.22.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Artifacts, ManifestGroup, TensorInfo, WeightEntry
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.graph.from_topology import graph_from_topology, refuse_unnamed_inputs
from tfjs_magic.graph.ir import Graph
from tfjs_magic.graph.provenance import note_layers, traced_again
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.source import FixedSource, GraphSource, KerasSource, TfjsSource
from tfjs_magic.sources.tfjs import graph_signature, read_tfjs
from tfjs_magic.weights.pack import stand_ins, unpack_groups, unpack_weights

_TABLES = ("HashTable", "LookupTable", "InitializeTable")
#: float16 keeps 11 bits of a number.
_FLOAT16_STEP = 2.0**-10


def tfjs_file_source(path: Path, options: ConvertOptions) -> TfjsSource | FixedSource | KerasSource:
    """Read a ``model.json``, or the directory that holds one.

    Raises:
        UnsupportedModelError: It is damaged, or an option does not fit it.
    """
    return _source(read_tfjs(path), f"TF.js model '{path.name}'", options)


def tfjs_source(model: Artifacts, options: ConvertOptions) -> TfjsSource | FixedSource | KerasSource:
    """Take a model in memory; its reference stays.

    Raises:
        UnsupportedModelError: An option does not fit it.
    """
    known = model.report.source
    return _source(model, known if known.startswith("TF.js model") else f"TF.js model of {known}", options)


def _source(model: Artifacts, description: str, options: ConvertOptions) -> TfjsSource | FixedSource | KerasSource:
    if model.format == "layers-model" and options.format == "graph":
        from tfjs_magic.layers.to_keras import keras_model  # noqa: PLC0415 - imports Keras
        from tfjs_magic.sources.keras import keras_source  # noqa: PLC0415

        rebuilt = keras_model(model.topology, {entry.name: entry.data for entry in unpack_groups(model.groups)})
        return dataclasses.replace(keras_source(rebuilt, options), description=description, groups=model.groups)
    if options.signature is not None:
        raise UnsupportedModelError(f"{description} has one signature without a name; leave signature='…' out.")
    if options.inputs:
        raise UnsupportedModelError(
            f"The inputs of {description} cannot be fixed any more; give inputs=… where its source is converted."
        )
    if model.format == "graph-model" and options.format == "layers":
        raise UnsupportedModelError(
            f"{description} cannot become a layers model: it holds a graph, not Keras layers. Use format='graph', or "
            "convert the Keras model that it was made from.",
            stage="layers",
        )
    if (fixed := _why_fixed(model, description)) is None:
        return TfjsSource(model, description, functools.partial(_read_graph, model, description))
    if model.format == "graph-model":
        graphs_of(model)  # refuses what is damaged
    if options.outputs is not None:
        raise UnsupportedModelError(f"{fixed} So it keeps all of its outputs; leave outputs=… out.")
    return FixedSource(model, description, fixed)


def _why_fixed(model: Artifacts, description: str) -> str | None:
    """Say why the topology must stay as it is, if it must."""
    if model.format == "layers-model":
        return f"{description} is a layers model."
    if (model.topology.get("library") or {}).get("function"):
        return f"{description} calls functions, so its graph stays as it was written."
    resources = any(row["op"].startswith(_TABLES) for row in model.topology["node"])
    if resources or model.header.get("modelInitializer") or model.header.get("initializerSignature"):
        return f"{description} uses lookup tables, so its graph stays as it was written."
    return None


def graph_of(model: Artifacts, outputs: Sequence[TensorInfo], weights: Iterable[WeightEntry]) -> Graph:
    """Return the graph of a graph model.

    Args:
        model: Of format "graph-model"; the functions that it calls are left out.
        outputs: Those that the result has.
        weights: One per constant.

    Raises:
        UnsupportedModelError: Its topology is damaged.
    """
    input_rows, output_rows = graph_signature(model.topology, model.header)
    return graph_from_topology(
        model.topology,
        {entry.name: entry.data for entry in weights},
        inputs={name: _ref(name, row) for name, row in input_rows.items()},
        outputs={info.name: _ref(info.name, output_rows[info.name]) for info in outputs},
    )


def graphs_of(model: Artifacts) -> list[Graph]:
    """Return the graph of a graph model and of each function that it calls, without the values of quantized weights.

    Raises:
        UnsupportedModelError: The topology is damaged.
    """
    weights = [*stand_ins(model.groups)]
    functions = (model.topology.get("library") or {}).get("function") or ()
    return [graph_of(model, model.outputs, weights), *(_function_graph(function, weights) for function in functions)]


def _function_graph(function: Mapping[str, Any], weights: Iterable[WeightEntry]) -> Graph:
    """Read a ``FunctionDef``, whose refs name an output before its number: "node:output:0"."""
    arguments = [
        {"name": row["name"], "op": "Placeholder", "attr": {"dtype": {"type": row.get("type", "DT_FLOAT")}}}
        for row in function["signature"].get("inputArg") or ()
    ]
    nodes = [
        {**row, "input": [re.sub(r":\w+:", ":", ref) for ref in row.get("input") or ()]}
        for row in function.get("nodeDef") or ()
    ]
    return graph_from_topology(
        {"node": [*arguments, *nodes]},
        {entry.name: entry.data for entry in weights},
        inputs={row["name"]: row["name"] for row in arguments},
        outputs={name: re.sub(r":\w+:", ":", ref) for name, ref in (function.get("ret") or {}).items()},
    )


def _read_graph(model: Artifacts, description: str, kept: Sequence[int]) -> GraphSource:
    outputs = tuple(model.outputs[i] for i in kept)
    weights = [*unpack_groups(model.groups)]
    graph = graph_of(model, outputs, weights)
    refuse_unnamed_inputs(graph)
    layers = traced_again(model.layers)
    note_layers(graph, layers)
    metadata = dict(model.header.get("userDefinedMetadata") or {})
    metadata.pop("signature", None)  # TF.js would take it for the one that is written
    keys = metadata.pop("structuredOutputKeys", None)
    if keys is not None and len(keys) != len(model.outputs):
        raise UnsupportedModelError(
            f"{description} names {len(keys)} structuredOutputKeys for {len(model.outputs)} outputs; expected one "
            "each. Correct them in model.json."
        )
    return GraphSource(
        graph=graph,
        inputs=tuple(model.inputs),
        outputs=outputs,
        description=description,
        reference=model.reference,
        generated_by=str(model.header.get("generatedBy") or "unknown"),
        metadata=metadata,
        structured_keys=None if keys is None else tuple(keys[i] for i in kept),
        weights=[entry for entry in weights if entry.codes is not None],
        groups=model.groups,
        layers=layers,
    )


def _ref(name: str, row: Mapping[str, Any]) -> str:
    ref = row.get("name")
    if not isinstance(ref, str):
        raise UnsupportedModelError(f"'{name}' in the signature of model.json names no tensor; expected 'name'.")
    return ref


def decoded_notes(groups: Sequence[ManifestGroup], packed: ManifestGroup) -> Iterator[str]:
    """Say which weights keep their codes, and how coarse those of the others were.

    Args:
        groups: With quantized weights.
        packed: What was made of them.
    """
    kept = set(map(id, packed.parts))
    steps: dict[str, list[float]] = {}
    codes: collections.Counter[str] = collections.Counter()
    for group in groups:
        for spec, part, entry in zip(group.specs, group.parts, unpack_weights(group), strict=True):
            if spec.quantization is None or not entry.data.size:
                continue
            if id(part) in kept:
                codes[spec.quantization.dtype] += 1
                continue
            scale = spec.quantization.scale
            step = float(np.abs(entry.data).max()) * _FLOAT16_STEP if scale is None else scale
            steps.setdefault(spec.quantization.dtype, []).append(step)
    for dtype, count in sorted(codes.items()):
        yield f"{count} weights keep the {dtype} codes that they had."
    for dtype, found in sorted(steps.items()):
        coarse = f"in steps of up to {max(found):.2g}"
        yield f"{len(found)} weights had been quantized to {dtype} {coarse}; they were decoded first."
