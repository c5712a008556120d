"""A TF.js model made by hand: one Dense layer, y = x W + b, that every benchmark test can afford."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tfjs_magic.artifacts import (
    Array,
    ConversionReport,
    LayerTensor,
    ManifestGroup,
    Quantization,
    Reference,
    TensorInfo,
    WeightSpec,
)
from tfjs_magic.model import TfjsModel

KERNEL = np.arange(12, dtype=np.float32).reshape(4, 3) / 10
BIAS = np.array([1, 2, 3], np.float32)


def dense(inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Run the model in numpy."""
    return {"y": inputs["x"] @ KERNEL + BIAS}


def tiny_model(
    *,
    call: Callable[[Mapping[str, Array]], dict[str, Array]] | None = dense,
    changed: bool = False,
    quantization: Quantization | None = None,
    name: str = "tiny",
) -> TfjsModel:
    """Return the model; ``call`` None leaves it without a reference."""
    specs = (WeightSpec("kernel", (4, 3), "float32", quantization), WeightSpec("bias", (3,), "float32"))
    parts = (memoryview(KERNEL).cast("B"), memoryview(BIAS).cast("B"))
    group = ManifestGroup(specs=specs, parts=parts, shard_size_bytes=2**22)
    return TfjsModel(
        format="layers-model",
        inputs=[TensorInfo("x", "float32", (None, 4))],
        outputs=[TensorInfo("y", "float32", (None, 3))],
        topology={},
        groups=(group,),
        report=ConversionReport(source=name),
        reference=None if call is None else Reference(call, lambda: changed, _run_layers(call)),
        layers=(LayerTensor("dense", "Dense", "dense_1"),),
    )


def _run_layers(call: Callable[[Mapping[str, Array]], dict[str, Array]]) -> Callable[..., None]:
    """Return what tells the one layer's output."""
    return lambda inputs, told: told("dense", call(inputs)["y"])
