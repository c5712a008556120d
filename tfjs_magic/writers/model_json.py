"""``model.json`` as a dict, with every key that the official converter writes.

Source: tfjs-core ``src/io/types.ts`` (``ModelJSON``), 4.22.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfjs_magic._version import __version__
from tfjs_magic.artifacts import ManifestGroup, ModelFormat


def model_json(
    model_format: ModelFormat,
    *,
    topology: Mapping[str, Any],
    groups: Sequence[ManifestGroup],
    generated_by: str,
    signature: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    initializer: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Assemble ``model.json``.

    Args:
        model_format: The ``format`` key.
        topology: ``modelTopology``.
        groups: What ``weightsManifest`` lists.
        generated_by: What the source came from: "keras v3.15.1" or "2.21.0" for a graph.
        signature: For a graph model: {"inputs": …, "outputs": …} as JSON of a ``SignatureDef``.
        metadata: ``userDefinedMetadata``.
        training: ``trainingConfig`` of a layers model: loss, metrics and optimizer.
        initializer: ``modelInitializer``: a topology that TF.js runs before the first inference.
    """
    document: dict[str, Any] = {
        "format": model_format,
        "generatedBy": generated_by,
        "convertedBy": f"tfjs_magic v{__version__}",
    }
    if signature is not None:
        document["signature"] = dict(signature)
    if metadata:
        document["userDefinedMetadata"] = dict(metadata)
    document["modelTopology"] = topology
    if initializer is not None:
        document["modelInitializer"] = initializer
    if training is not None:
        document["trainingConfig"] = dict(training)
    document["weightsManifest"] = [group.to_json() for group in groups]
    return document
