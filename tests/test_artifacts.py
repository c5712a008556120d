"""``model.json`` has the keys that the official converter writes."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from tfjs_magic.artifacts import Artifacts, ConversionReport, ManifestGroup, ModelFormat, WeightEntry, model_header
from tfjs_magic.weights.pack import pack_weights


def _document(kind: ModelFormat, topology: dict[str, Any], header: dict[str, Any], *groups: ManifestGroup) -> Any:
    report = ConversionReport(source="test")
    artifacts = Artifacts(
        format=kind, inputs=(), outputs=(), topology=topology, header=header, groups=groups, report=report
    )
    return artifacts.model_json


def test_graph_model() -> None:
    group = pack_weights([WeightEntry("w", np.zeros((2, 2), np.float32))], patterns={"uint8": ("*",)})
    header = model_header(generated_by="2.21.0", signature={"inputs": {}, "outputs": {}}, metadata={"labels": ["a"]})
    document = _document("graph-model", {"node": []}, header, group)
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
    document = _document("layers-model", {}, model_header(generated_by="keras v3.15.1"))
    assert list(document) == ["format", "generatedBy", "convertedBy", "modelTopology", "weightsManifest"]


@pytest.mark.parametrize("name", ["plain", "it's", "a'b\"c", "two\nlines"])
def test_a_name_may_hold_quotes(name: str) -> None:
    assert ConversionReport(source=f"SavedModel '{name}', signature 'f'").name == name
