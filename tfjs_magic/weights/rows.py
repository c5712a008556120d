"""What quantization costs each weight, for the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tfjs_magic.artifacts import Array, ManifestGroup, WeightEntry, WeightRow
from tfjs_magic.errors import quoted_list
from tfjs_magic.weights.pack import unpack_weights
from tfjs_magic.weights.quantize import by_channel

#: Half of a kernel's channels are off by more than this share of themselves: what they compute is mostly noise.
_WORTHLESS = 0.1


def weight_rows(
    group: ManifestGroup, entries: Sequence[WeightEntry], adds: Mapping[str, float] | None = None
) -> tuple[WeightRow, ...]:
    """Return a row per weight; none where nothing is quantized.

    Args:
        group: The packed weights.
        entries: What was packed, in the same order.
        adds: Name → the error that the weight alone adds to the outputs, where it was measured.
    """
    if not any(spec.quantization for spec in group.specs):
        return ()
    rows = []
    for spec, part, want, have in zip(group.specs, group.parts, entries, unpack_weights(group), strict=True):
        dtype = spec.dtype if spec.quantization is None else spec.quantization.dtype
        error, channel_error = (0.0, 0.0) if spec.quantization is None else _errors(want.data, have.data)
        rows.append(WeightRow(spec.name, dtype, part.nbytes, error, channel_error, (adds or {}).get(spec.name)))
    return tuple(rows)


def worthless_note(rows: Iterable[WeightRow]) -> tuple[str, ...]:
    """Name the kernels whose codes say little of them."""
    names = [row.name for row in rows if row.channel_error > _WORTHLESS]
    if not names:
        return ()
    whose = f"{quoted_list(names, limit=3)}, half of the channels are off by more than {_WORTHLESS:.0%}"
    return (f"Too coarse: in {whose}: their weights differ too much in size. Give them two bytes or none.",)


def _errors(want: Array, have: Array) -> tuple[float, float]:
    """Return the relative error of a weight, and the median over its channels of theirs: of roots of squared sums."""
    exact = by_channel(want).astype(np.float64)
    squares = np.square(by_channel(have) - exact).sum(0)
    sizes = np.square(exact).sum(0)
    total = float(sizes.sum())
    used = sizes > 0
    return (
        float(np.sqrt(squares.sum() / total)) if total else 0.0,
        float(np.sqrt(np.median(squares[used] / sizes[used]))) if used.any() else 0.0,
    )
