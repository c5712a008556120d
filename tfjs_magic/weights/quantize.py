"""Quantize float32 weights: float16, or affine uint8 / uint16 per tensor.

    scale = (max − min) / (2ᵇ − 1),  min' = −round(−min / scale) · scale if min ≤ 0 ≤ max, so that 0 is exact
    q = round((clip(x) − min') / scale),  TF.js decodes x ≈ q · scale + min'

The official converter takes min and max from the weight. For uint8 a narrower range can be closer: what it clips it
wins back in finer steps. It is taken where the squared error is really smaller. uint16 has steps to spare.

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
#: What is no larger is decoded to no infinity: the last code may lie half a step beyond the largest value.
LARGEST_CODED = float(np.finfo(np.float32).max) / 2
#: What wider codes for the kernels that gain most may add to the bytes of all.
_WIDER_SHARE = 0.048
#: A value that lies nearer to its code than this share of a step is not rounded the other way.
_NEAR_A_HALF = 0.25
#: What was decoded from codes lies as near to multiples of its step.
_OFF_THE_GRID, _FEW_VALUES = 0.01, 1000
#: Of the codes at the ends, how many it may have left unused.
_UNUSED_CODES = 4
#: Enough values to find the range by; what is found is then measured on all.
_SAMPLED_VALUES = 2**20


def quantization_of(
    name: str, data: Array, patterns: Mapping[QuantizationDtype, tuple[str, ...]], *, official: bool = False
) -> QuantizationDtype | None:
    """Decide how a weight is quantized.

    The bare pattern "*" takes matrices and kernels (rank 2 and up) only: biases and batch-norm statistics are under one
    percent of the bytes, and rounding a variance near zero ruins a model. "**" takes all of
    them, and a pattern that names a weight takes it. Single numbers, like an epsilon or what a pass computes with,
    stay as they are: codes save nothing. The official converter rounds them, too.

    Raises:
        WeightError: Patterns of two dtypes match the weight.
    """
    if data.dtype != np.float32 or not data.size or not (data.ndim or official):
        return None
    named = [dtype for dtype, globs in patterns.items() if is_named(name, globs)]
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


def is_named(name: str, globs: Iterable[str]) -> bool:
    """Whether a pattern other than "*" and "**" matches the weight."""
    return any(glob.strip("*") and _matches(name, glob) for glob in globs)


def unmatched_patterns(names: Iterable[str], patterns: Mapping[QuantizationDtype, tuple[str, ...]]) -> list[str]:
    """Return the patterns that match none of the names, except those that take any."""
    known = list(names)
    globs = {glob for group in patterns.values() for glob in group if glob.strip("*")}
    return sorted(glob for glob in globs if not any(_matches(name, glob) for name in known))


def _matches(name: str, glob: str) -> bool:
    """Match the whole name, or what follows one of its slashes: a graph's weights may bear the model's name first."""
    return fnmatch.fnmatchcase(name, glob) or fnmatch.fnmatchcase(name, f"*/{glob}")


def quantize(name: str, data: Array, dtype: QuantizationDtype, *, official: bool = False) -> tuple[Array, Quantization]:
    """Return the stored array and how to read it.

    Args:
        name: The weight's, for messages.
        data: Of dtype float32, not empty.
        dtype: What is stored.
        official: Take the official converter's codes, bit for bit, where a closer range may exist.

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
    if low == high:
        return np.zeros(data.shape, dtype), Quantization(dtype, scale=1.0, min=low)
    found = _affine(data, dtype, low, high)
    with np.errstate(over="ignore"):
        ends = dequantize(np.array([found[0].min(), found[0].max()]), found[1])
    if not np.isfinite(ends).all():
        raise WeightError(
            f"Weight '{name}' holds values so large that {dtype} makes infinity of them. Keep it out of the {dtype} "
            "patterns.",
            node=name,
        )
    if official:
        return found
    if (before := _as_before(data, dtype, low, high)) is not None:
        return before
    if dtype != "uint8":
        return found
    if (narrower := _narrower_range(data, low, high)) != (low, high):
        found = min(found, _affine(data, dtype, *narrower), key=lambda codes: squared_error(data, dequantize(*codes)))
    return _balanced(data, *found)


def wider(kernels: Mapping[str, Array]) -> set[str]:
    """Return the names of the uint8 kernels to store as uint16: those whose channels drown most in the noise.

    The noise of a channel is step² / 12 for each of its values, its signal their squares. A depthwise kernel has nine
    values per channel and, once batch norm is folded into it, channels of very different size: it gains most, and
    costs next to nothing.

    Args:
        kernels: Name → (…, channels); the depthwise ones (height, width, channels, 1).
    """
    left = _WIDER_SHARE * sum(data.size for data in kernels.values())
    widened = set()
    for name in sorted(kernels, key=lambda name: _noise(kernels[name]) / kernels[name].size, reverse=True):
        if kernels[name].size <= left:
            left -= kernels[name].size
            widened.add(name)
    return widened


def _noise(kernel: Array) -> float:
    """Return the mean over the channels of noise / signal, at most 1 for each."""
    with np.errstate(all="ignore"):  # values that are not finite are refused where they are stored
        step = (kernel.max() - kernel.min()) / np.iinfo(np.uint8).max
        signal = np.square(by_channel(kernel)).mean(0, dtype=np.float64)
        return float(np.minimum(step**2 / 12 / np.maximum(signal, np.finfo(np.float32).tiny), 1).mean())


def squared_error(data: Array, decoded: Array) -> float:
    """Return the sum of the squared differences."""
    difference = np.ravel(data).astype(np.float64) - np.ravel(decoded)
    return float(np.dot(difference, difference))


def _affine(data: Array, dtype: QuantizationDtype, low: float, high: float) -> tuple[Array, Quantization]:
    levels = np.iinfo(dtype).max
    scale = (high - low) / levels
    if low <= 0 <= high:
        low = -round(-low / scale) * scale
    stored = np.round((data.astype(np.float64) - low) / scale).clip(0, levels).astype(dtype)
    return stored, Quantization(dtype, scale=scale, min=low)


def _as_before(data: Array, dtype: QuantizationDtype, low: float, high: float) -> tuple[Array, Quantization] | None:
    """Return the codes that the values were decoded from, if they were: those that give every bit of them again.

    The step must lie where each value is rounded to what it is; with the nearest codes known, that is one interval.
    """
    few = np.ravel(data)[:_FEW_VALUES].astype(np.float64)
    for levels in range(np.iinfo(dtype).max, np.iinfo(dtype).max - _UNUSED_CODES, -1):
        step = (high - low) / levels
        if np.abs(few / step - np.round(few / step)).max() > _OFF_THE_GRID:
            continue
        steps = np.round(data.astype(np.float64) / step).astype(np.int64)
        values, multiples = np.abs(data[steps != 0]), np.abs(steps[steps != 0])
        with np.errstate(over="ignore"):
            above = (values + np.nextafter(values, np.float32(np.inf)).astype(np.float64)) / 2
        below = (values + np.nextafter(values, np.float32(0)).astype(np.float64)) / 2
        least, most = float((below / multiples).max()), float((above / multiples).min())
        step = step if least < step < most else (least + most) / 2
        stored = (steps - steps.min()).clip(0, np.iinfo(dtype).max).astype(dtype)
        codes = stored, Quantization(dtype, scale=step, min=int(steps.min()) * step)
        if np.array_equal(dequantize(*codes), data):
            return codes
    return None


def _balanced(data: Array, stored: Array, quantization: Quantization) -> tuple[Array, Quantization]:
    """Round some values of each channel the other way, those nearest to a half, so that the errors sum up to nothing.

    What a kernel takes is rarely centred, least of all behind a ReLU: errors that sum up to something then shift the
    whole channel.

    Source: SQuant (Guo and others, ICLR 2022), its flips per channel.
    """
    if data.ndim < 2 or quantization.scale is None or quantization.min is None:
        return stored, quantization
    values, codes = by_channel(data), by_channel(stored).astype(np.int16)
    last = np.iinfo(stored.dtype).max
    for channel in range(codes.shape[1]):
        column = codes[:, channel]
        errors = column - (values[:, channel].astype(np.float64) - quantization.min) / quantization.scale
        errors[np.abs(errors) > 0.5] = 0  # clipped
        step = 1 if (excess := float(errors.sum())) > 0 else -1
        gains = np.where((column - step < 0) | (column - step > last), 0, errors * step)
        flips = min(round(abs(excess)), int(np.count_nonzero(gains > _NEAR_A_HALF)))
        if flips:
            column[np.argpartition(-gains, flips - 1)[:flips]] -= step
    return codes.astype(stored.dtype).reshape(stored.shape), quantization


def by_channel(kernel: Array) -> Array:
    """Return a weight as (values, channels). Those of a depthwise kernel, (height, width, channels, 1), are third."""
    axis = -1 if kernel.ndim < 2 or kernel.shape[-1] > 1 else -2
    return kernel.reshape(-1, kernel.shape[axis] if kernel.ndim else 1)


def _narrower_range(data: Array, low: float, high: float) -> tuple[float, float]:
    """Return the range of least expected squared error: step² / 12 inside, the distance to the border outside."""
    values = np.ravel(data)
    values = np.sort(values[:: max(1, values.size // _SAMPLED_VALUES)].astype(np.float64))
    middle = (low + high) / 2
    shares = np.linspace(1, 0.2, 33)  # 1 first: it wins among equals
    bottoms, tops = middle + (low - middle) * shares, middle + (high - middle) * shares
    below = np.array([np.square(values[values < bottom] - bottom).sum() for bottom in bottoms])
    above = np.array([np.square(values[values > top] - top).sum() for top in tops])
    steps = np.subtract.outer(tops, bottoms) / np.iinfo(np.uint8).max
    errors = values.size * np.square(steps) / 12 + below + above[:, None]
    top, bottom = np.unravel_index(np.argmin(errors), errors.shape)
    return float(bottoms[bottom]), float(tops[top])


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
