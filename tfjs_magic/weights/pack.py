"""Weight entries ⇄ manifest group: specs, and their bytes end to end.

Source: tfjs-core ``src/io/io_utils.ts`` (``decodeWeights``), 4.22. Strings: 32-bit little-endian length, then bytes.
"""

from __future__ import annotations

import collections
import itertools
import struct
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tfjs_magic.artifacts import Array, ManifestGroup, Quantization, WeightEntry, WeightSpec
from tfjs_magic.errors import WeightError, quoted_list
from tfjs_magic.options import DEFAULT_SHARD_SIZE_BYTES, QuantizationDtype
from tfjs_magic.weights.dtypes import to_stored
from tfjs_magic.weights.quantize import dequantize, is_named, quantization_of, quantize, unmatched_patterns, wider


def pack_weights(
    entries: Sequence[WeightEntry],
    *,
    patterns: Mapping[QuantizationDtype, tuple[str, ...]] | None = None,
    shard_size_bytes: int = DEFAULT_SHARD_SIZE_BYTES,
    official: bool = False,
) -> ManifestGroup:
    """Make the one manifest group of a model. Arrays that are stored as they are are not copied.

    What was decoded from codes keeps them, unless a pattern asks for another dtype. Of the kernels that "*" makes
    uint8, those that gain most from two bytes a value get them: see :func:`~tfjs_magic.weights.quantize.wider`.

    Args:
        entries: The weights.
        patterns: Dtype → name patterns.
        shard_size_bytes: Length of the weight files.
        official: Take the official converter's dtypes and codes, bit for bit.

    Raises:
        WeightError: A dtype or value that TF.js cannot store, a duplicate name, patterns that conflict or match
            nothing.
    """
    counts = collections.Counter(entry.name for entry in entries)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise WeightError(f"Several weights are called {quoted_list(twice)}; TensorFlow.js finds weights by name.")
    if unmatched := unmatched_patterns(counts, patterns or {}):
        raise WeightError(
            f"The patterns {quoted_list(unmatched)} match no weight; expected names such as "
            f"{quoted_list(counts, limit=4)}."
        )
    arrays = [to_stored(entry.name, entry.data) for entry in entries]
    targets = [
        quantization_of(entry.name, data, patterns or {}, official=official)
        for entry, data in zip(entries, arrays, strict=True)
    ]
    if not official:
        targets = _wider_targets(entries, arrays, targets, patterns or {})
    packed = [_pack(*row, official=official) for row in zip(entries, arrays, targets, strict=True)]
    return ManifestGroup(tuple(spec for spec, _ in packed), tuple(part for _, part in packed), shard_size_bytes)


def split_by_layer(groups: Sequence[ManifestGroup]) -> tuple[ManifestGroup, ...]:
    """Return one group per layer: what stands before the first slash of a weight's name."""
    layers: dict[str, list[tuple[WeightSpec, memoryview]]] = {}
    for group in groups:
        for spec, part in zip(group.specs, group.parts, strict=True):
            layers.setdefault(spec.name.partition("/")[0], []).append((spec, part))
    return tuple(
        ManifestGroup(tuple(spec for spec, _ in rows), tuple(part for _, part in rows), groups[0].shard_size_bytes, i)
        for i, rows in enumerate(layers.values(), start=1)
    )


def unpack_weights(group: ManifestGroup) -> Iterator[WeightEntry]:
    """Yield the group's weights as TF.js will hold them; views of the group's bytes where nothing is decoded."""
    for spec, part in zip(group.specs, group.parts, strict=True):
        codes = None if spec.quantization is None else (part, spec.quantization)
        yield WeightEntry(spec.name, _unpack(spec, part), codes)


def unpack_groups(groups: Sequence[ManifestGroup]) -> Iterator[WeightEntry]:
    """Yield the weights of all groups, likewise."""
    return itertools.chain.from_iterable(map(unpack_weights, groups))


def stand_ins(groups: Sequence[ManifestGroup]) -> Iterator[WeightEntry]:
    """Yield the weights with zeros for quantized floats, which then take no memory: for those who look at shapes."""
    for group in groups:
        for spec, part in zip(group.specs, group.parts, strict=True):
            if spec.quantization is not None and spec.dtype == "float32":
                yield WeightEntry(spec.name, np.broadcast_to(np.float32(0), spec.shape))
            else:
                yield WeightEntry(spec.name, _unpack(spec, part))


def _wider_targets(
    entries: Sequence[WeightEntry],
    arrays: Sequence[Array],
    targets: Sequence[QuantizationDtype | None],
    patterns: Mapping[QuantizationDtype, tuple[str, ...]],
) -> list[QuantizationDtype | None]:
    taken_by_star = {
        entry.name: data
        for entry, data, target in zip(entries, arrays, targets, strict=True)
        if target == "uint8" and data.ndim > 1 and entry.codes is None and not is_named(entry.name, patterns["uint8"])
    }
    widened = wider(taken_by_star)
    return ["uint16" if entry.name in widened else target for entry, target in zip(entries, targets, strict=True)]


def _pack(
    entry: WeightEntry, data: Array, target: QuantizationDtype | None, *, official: bool
) -> tuple[WeightSpec, memoryview]:
    if data.dtype == object:
        return WeightSpec(entry.name, data.shape, "string"), memoryview(_pack_strings(data))
    dtype = data.dtype.name
    quantization: Quantization | None = None
    if entry.codes is not None and target in {None, entry.codes[1].dtype}:
        part, quantization = entry.codes
        return WeightSpec(entry.name, data.shape, dtype, quantization), part
    if target is not None:
        data, quantization = quantize(entry.name, data, target, official=official)
    contiguous = np.ascontiguousarray(data)
    return WeightSpec(entry.name, data.shape, dtype, quantization), contiguous.reshape(-1).view(np.uint8).data


def _pack_strings(data: Array) -> bytes:
    return b"".join(struct.pack("<I", len(item)) + item for item in data.ravel().tolist())


def _unpack(spec: WeightSpec, part: memoryview) -> Array:
    if spec.dtype == "string":
        return _unpack_strings(part).reshape(spec.shape)
    dtype = spec.quantization.dtype if spec.quantization else spec.dtype
    stored = np.frombuffer(part, dtype).reshape(spec.shape)
    return stored if spec.quantization is None else dequantize(stored, spec.quantization, spec.dtype)


def _unpack_strings(part: memoryview) -> Array:
    items, offset = [], 0
    while offset < part.nbytes:
        (length,) = struct.unpack_from("<I", part, offset)
        items.append(bytes(part[offset + 4 : offset + 4 + length]))
        offset += 4 + length
    strings = np.empty(len(items), dtype=object)
    strings[:] = items
    return strings
