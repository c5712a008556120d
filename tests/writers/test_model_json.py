"""``model.json`` has the keys that the official converter writes, in its order."""

from __future__ import annotations

import json
import re

import numpy as np

from tfjs_magic.artifacts import WeightEntry
from tfjs_magic.weights.pack import pack_weights
from tfjs_magic.writers.model_json import model_json


def test_graph_model() -> None:
    group = pack_weights([WeightEntry("w", np.zeros((2, 2), np.float32))], patterns={"uint8": ("*",)})
    document = model_json(
        "graph-model",
        topology={"node": []},
        groups=[group],
        generated_by="2.21.0",
        signature={"inputs": {}, "outputs": {}},
        metadata={"labels": ["a"]},
    )
    assert list(document) == [
        *("format", "generatedBy", "convertedBy", "signature", "userDefinedMetadata"),
        *("modelTopology", "weightsManifest"),
    ]
    assert re.fullmatch(r"tfjs_magic v\d+\.\d+.*", document["convertedBy"])
    assert document["weightsManifest"][0]["weights"] == [
        {
            "name": "w",
            "shape": [2, 2],
            "dtype": "float32",
            "quantization": {"dtype": "uint8", "original_dtype": "float32", "min": 0.0, "scale": 1.0},
        }
    ]
    json.dumps(document, allow_nan=False)


def test_layers_model_has_no_signature() -> None:
    document = model_json("layers-model", topology={}, groups=[], generated_by="keras v3.15.1")
    assert list(document) == ["format", "generatedBy", "convertedBy", "modelTopology", "weightsManifest"]
