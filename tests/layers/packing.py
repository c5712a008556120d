"""From a layers topology to a model that TF.js can load, without the rest of the pipeline."""

from __future__ import annotations

from typing import Any

from tfjs_magic.artifacts import ConversionReport, model_header
from tfjs_magic.layers.topology import LayersTopology, Refused, layers_topology
from tfjs_magic.model import TfjsModel
from tfjs_magic.options import DEFAULT_SHARD_SIZE_BYTES
from tfjs_magic.weights.pack import pack_weights


def converted(model: Any) -> LayersTopology:
    """Convert a model that must not be refused."""
    result = layers_topology(model)
    assert not isinstance(result, Refused), result.refusals
    return result


def packed(result: LayersTopology) -> TfjsModel:
    """Pack a topology and its weights."""
    group = pack_weights(result.weights, patterns={}, shard_size_bytes=DEFAULT_SHARD_SIZE_BYTES)
    return TfjsModel(
        format="layers-model",
        inputs=list(result.inputs),
        outputs=list(result.outputs),
        topology=result.topology,
        header=model_header(generated_by="keras", training=result.training),
        groups=(group,),
        report=ConversionReport(source="test"),
    )
