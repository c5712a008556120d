"""Quantize float32 weights: float16, or affine uint8 / uint16 per tensor.

    scale = (max − min) / (2ᵇ − 1),  min' = −round(−min / scale) · scale if min ≤ 0 ≤ max, so that 0 is exact
    q = round((clip(x) − min') / scale),  TF.js decodes x ≈ q · scale + min'

Source: tfjs-converter ``python/tensorflowjs/quantization.py``, tfjs-core ``src/io/io_utils.ts`` (``decodeWeights``).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping

import numpy as np

from tfjs_magic.artifacts import Array, Quantization
from tfjs_magic.errors import WeightError
from tfjs_magic.options import QuantizationDtype

_FLOAT16_MAX = float(np.finfo(np.float16).max)


def quantization_of(
    name: str, data: Array, patterns: Mapping[QuantizationDtype, tuple[str, ...]]
) -> QuantizationDtype | None:
    """Decide how a weight is quantized.

    The bare pattern "*" takes matrices and kernels (rank 2 and up) only: biases and batch-norm statistics are under one
    percent of the bytes, and rounding a variance near zero ruins a model. "**" takes all of
    them, and a pattern that names a weight takes it.

    Raises:
        WeightError: Patterns of two dtypes match the weight.
    """
    if data.dtype != np.float32 or not data.size:
        return None
    named = [
        dtype for dtype, globs in patterns.items() if any(glob.strip("*") and _matches(name, glob) for glob in globs)
    ]
    if len(named) > 1:
        raise WeightError(
            f"Weight '{name}' matches the patterns of {' and '.join(sorted(named))}; expected one dtype. Narrow them.",
            node=name,
        )
    if named:
        return named[0]
    bare = [dtype for dtype, globs in patterns.items() if {"*", "**"} & set(globs)]
    if len(bare) > 1:
        raise WeightError(
            f"Weight '{name}' matches the pattern '*' of {' and '.join(sorted(bare))}; expected one. Name the weights "
            "of one of them.",
            node=name,
        )
    return bare[0] if bare and (data.ndim >= 2 or "**" in patterns[bare[0]]) else None


def unmatched_patterns(names: Iterable[str], patterns: Mapping[QuantizationDtype, tuple[str, ...]]) -> list[str]:
    """Return the patterns that match none of the names, except those that take any."""
    known = list(names)
    globs = {glob for group in patterns.values() for glob in group if glob.strip("*")}
    return sorted(glob for glob in globs if not any(_matches(name, glob) for name in known))


def _matches(name: str, glob: str) -> bool:
    """Match the whole name, or what follows one of its slashes: a graph's weights may bear the model's name first."""
    return fnmatch.fnmatchcase(name, glob) or fnmatch.fnmatchcase(name, f"*/{glob}")


def quantize(name: str, data: Array, dtype: QuantizationDtype) -> tuple[Array, Quantization]:
    """Return the stored array and how to read it.

    Raises:
        WeightError: The values do not fit the dtype, or are not finite.
    """
    if dtype == "float16":
        if not np.abs(data).max() <= _FLOAT16_MAX:
            raise WeightError(
                f"Weight '{name}' holds values not finite or beyond ±{_FLOAT16_MAX:.0f}, float16's range. Keep "
                "it out of the float16 patterns.",
                node=name,
            )
        return data.astype(np.float16), Quantization("float16")
    low, high = float(data.min()), float(data.max())
    if not np.isfinite(low) or not np.isfinite(high):
        raise WeightError(
            f"Weight '{name}' holds values that are not finite; {dtype} cannot. Keep it out of the {dtype} patterns.",
            node=name,
        )
    levels = np.iinfo(dtype).max
    if low == high:
        return np.zeros(data.shape, dtype), Quantization(dtype, scale=1.0, min=low)
    scale = (high - low) / levels
    if low <= 0 <= high:
        low = -round(-low / scale) * scale
    stored = np.round((data.astype(np.float64) - low) / scale).clip(0, levels).astype(dtype)
    return stored, Quantization(dtype, scale=scale, min=low)


def dequantize(stored: Array, quantization: Quantization, dtype: str = "float32") -> Array:
    """Return the values that TF.js computes from the stored ones; for int32 it rounds a half upwards.

    Source: tfjs-core ``src/io/io_utils.ts`` (``decodeWeight``), 4.22.
    """
    if dtype == "int32" and quantization.scale is not None and quantization.min is not None:
        steps = stored.astype(np.float64)
        return np.floor(steps * quantization.scale + quantization.min + 0.5).astype(np.int32)
    if quantization.scale is None or quantization.min is None:
        return stored.astype(np.float32)
    return (stored * quantization.scale + quantization.min).astype(np.float32)
