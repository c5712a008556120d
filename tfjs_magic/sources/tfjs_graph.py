"""TF.js model as a source: what may be converted again, and the graph of a graph model.

Source: tfjs-converter ``src/executor/graph_model.ts`` and ``src/operations/operation_mapper.ts``, 4.22.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfjs_magic.artifacts import ManifestGroup, TfjsModel, WeightEntry
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.graph.from_topology import graph_from_topology
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.kinds import GraphSource, KerasSource, TfjsSource
from tfjs_magic.sources.tfjs import graph_signature, load
from tfjs_magic.weights.pack import unpack_weights

_TABLES = ("HashTable", "LookupTable", "InitializeTable")
#: float16 keeps 11 bits of a number.
_FLOAT16_HALF_STEP = 2.0**-11


def tfjs_file_source(path: Path, options: ConvertOptions) -> TfjsSource | KerasSource:
    """Read a ``model.json``, or the directory that holds one.

    Raises:
        UnsupportedModelError: It is damaged, or an option does not fit it.
    """
    return _source(load(path), f"TF.js model '{path.name}'", options)


def tfjs_source(model: TfjsModel, options: ConvertOptions) -> TfjsSource | KerasSource:
    """Take a model in memory; its reference stays.

    Raises:
        UnsupportedModelError: An option does not fit it.
    """
    known = model.report.source
    return _source(model, known if known.startswith("TF.js model") else f"TF.js model of {known}", options)


def _source(model: TfjsModel, description: str, options: ConvertOptions) -> TfjsSource | KerasSource:
    if model.format == "layers-model" and options.format == "graph":
        from tfjs_magic.sources.keras import keras_source  # noqa: PLC0415 - imports TensorFlow

        return dataclasses.replace(keras_source(model.to_keras(), options), description=description)
    unchanged = _unchanged(model, description)
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
    if unchanged is not None and options.outputs is not None:
        raise UnsupportedModelError(f"{unchanged} So it keeps all of its outputs; leave outputs=… out.")
    return TfjsSource(model, description, unchanged)


def _unchanged(model: TfjsModel, description: str) -> str | None:
    """Say why the topology must stay as it is, if it must."""
    if model.format == "layers-model":
        return f"{description} is a layers model."
    document = model.model_json
    topology = document["modelTopology"]
    if (topology.get("library") or {}).get("function"):
        return f"{description} calls functions, so its graph stays as it was written."
    resources = any(row["op"].startswith(_TABLES) for row in topology["node"])
    if resources or document.get("modelInitializer") or document.get("initializerSignature"):
        return f"{description} uses lookup tables, so its graph stays as it was written."
    return None


def graph_of_tfjs(source: TfjsSource, kept: Sequence[int]) -> GraphSource:
    """Read the graph of a graph model.

    Args:
        source: What ``unchanged`` is None of.
        kept: Positions of the outputs that the result has.

    Raises:
        UnsupportedModelError: Its topology is damaged.
    """
    model, document = source.model, source.model.model_json
    inputs, outputs = graph_signature(document)
    outputs_kept = tuple(model.outputs[i] for i in kept)
    graph = graph_from_topology(
        document["modelTopology"],
        {entry.name: entry.data for entry in unpacked(model)},
        inputs={name: _ref(name, row) for name, row in inputs.items()},
        outputs={info.name: _ref(info.name, outputs[info.name]) for info in outputs_kept},
    )
    metadata = dict(document.get("userDefinedMetadata") or {})
    metadata.pop("signature", None)  # TF.js would take it for the one that is written
    keys = metadata.pop("structuredOutputKeys", None)
    if keys is not None and len(keys) != len(model.outputs):
        raise UnsupportedModelError(
            f"{source.description} names {len(keys)} structuredOutputKeys for {len(model.outputs)} outputs; expected "
            "one each. Correct them in model.json."
        )
    return GraphSource(
        graph=graph,
        inputs=tuple(model.inputs),
        outputs=outputs_kept,
        description=source.description,
        reference=model.reference,
        generated_by=str(document.get("generatedBy") or "unknown"),
        metadata=metadata,
        structured_keys=None if keys is None else tuple(keys[i] for i in kept),
        notes=tuple(decoded_notes(model.groups)),
    )


def _ref(name: str, row: Mapping[str, Any]) -> str:
    ref = row.get("name")
    if not isinstance(ref, str):
        raise UnsupportedModelError(f"'{name}' in the signature of model.json names no tensor; expected 'name'.")
    return ref


def unpacked(model: TfjsModel) -> list[WeightEntry]:
    """Return the weights of all groups as TF.js decodes them; views where nothing is decoded."""
    return [entry for group in model.groups for entry in unpack_weights(group)]


def executed(model: TfjsModel) -> dict[str, int]:
    """Count the layers per class, or the executed nodes per op type; nested models and functions are not entered."""
    topology = model.model_json["modelTopology"]
    if model.format == "graph-model":
        kinds = [row["op"] for row in topology["node"] if row["op"] not in {"Const", "Placeholder"}]
    else:
        config = topology.get("model_config", topology)["config"]
        rows = config if isinstance(config, list) else config["layers"]
        kinds = [row["class_name"] for row in rows if row["class_name"] != "InputLayer"]
    return dict(sorted(collections.Counter(kinds).items()))


def decoded_notes(groups: Sequence[ManifestGroup]) -> Iterator[str]:
    """Say how far the weights that were quantized may be from what they were before: half a step."""
    errors: dict[str, list[float]] = {}
    for group in groups:
        for spec, entry in zip(group.specs, unpack_weights(group), strict=True):
            if spec.quantization is None or not entry.data.size:
                continue
            scale = spec.quantization.scale
            error = float(np.abs(entry.data).max()) * _FLOAT16_HALF_STEP if scale is None else scale / 2
            errors.setdefault(spec.quantization.dtype, []).append(error)
    for dtype, found in sorted(errors.items()):
        yield (
            f"{len(found)} weights had been quantized to {dtype}, which put them up to {max(found):.2g} off; they were "
            "decoded first."
        )
