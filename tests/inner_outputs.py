"""Ask a converted model in Node for the outputs of its layers: a copy of it that has them as outputs of its own."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.conformance.node import TfjsNode
from tfjs_magic.artifacts import Array, LayerTensor, TensorInfo
from tfjs_magic.model import TfjsModel
from tfjs_magic.options import Backend


def held_layers(model: TfjsModel) -> dict[str, LayerTensor]:
    """Return the layers whose output the model still has, by label."""
    return {layer.label: layer for layer in model.layers if layer.tensor}


def expected_layers(model: TfjsModel, feed: Mapping[str, Array]) -> dict[str, Array]:
    """Return Python's output of every layer."""
    assert model.reference is not None
    assert model.reference.run_layers is not None
    found: dict[str, Array] = {}
    model.reference.run_layers(feed, found.__setitem__)
    return found


def spoiled(model: TfjsModel, weight: str) -> TfjsModel:
    """Return the model with one wrong weight."""
    (group,) = model.groups
    index = next(i for i, spec in enumerate(group.specs) if weight in spec.name)
    parts = [*group.parts]
    parts[index] = memoryview(np.frombuffer(parts[index], np.float32) * np.float32(1.5)).cast("B")
    return dataclasses.replace(model, groups=(dataclasses.replace(group, parts=tuple(parts)),))


def actual_layers(
    node: TfjsNode, model: TfjsModel, feed: Mapping[str, Array], backend: Backend = "cpu"
) -> dict[str, Array]:
    """Return TF.js's output of every layer that the model has; of a layers model without models inside it."""
    held = {label: layer for label, layer in held_layers(model).items() if not layer.tensor.endswith(":before")}
    infos = [TensorInfo(label, "float32", None) for label in held]
    if model.format == "graph-model":
        rows = {label: _signature_row(layer.tensor) for label, layer in held.items()}
        signature = {"inputs": model.header["signature"]["inputs"], "outputs": rows}
        exposed = dataclasses.replace(model, outputs=infos, header={**model.header, "signature": signature})
    else:
        topology = copy.deepcopy(dict(model.topology))
        config = topology["model_config"]
        if config["class_name"] == "Sequential":
            topology["model_config"] = _functional(config)
        topology["model_config"]["config"]["output_layers"] = [[layer.tensor, 0, 0] for layer in held.values()]
        exposed = dataclasses.replace(model, outputs=infos, topology=topology)
    return dict(node.run(exposed, feed, backend))


def _signature_row(ref: str) -> dict[str, Any]:
    return {"name": ref if ":" in ref else f"{ref}:0", "dtype": "DT_FLOAT", "tensorShape": {"unknownRank": True}}


def _functional(config: Mapping[str, Any]) -> dict[str, Any]:
    layers = config["config"]["layers"]
    names = [layer["config"]["name"] for layer in layers]
    entries = [
        {**layer, "name": name, "inbound_nodes": [[[before, 0, 0, {}]]] if before else []}
        for layer, name, before in zip(layers, names, [None, *names], strict=False)
    ]
    return {
        "class_name": "Functional",
        "config": {"name": config["config"]["name"], "layers": entries, "input_layers": [[names[0], 0, 0]]},
    }
