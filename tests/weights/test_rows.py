"""What the report says that quantization costs each weight."""

from __future__ import annotations

import numpy as np
import pytest

from tfjs_magic.artifacts import WeightEntry
from tfjs_magic.weights.pack import pack_weights
from tfjs_magic.weights.rows import weight_rows, worthless_note


def _entries(spread: float) -> list[WeightEntry]:
    generator = np.random.default_rng(0)
    sizes = 10.0 ** np.linspace(-spread, 0, 30)
    kernel = generator.normal(size=(50, 30)) * sizes
    return [
        WeightEntry("a/kernel", kernel.astype(np.float32)),
        WeightEntry("a/bias", generator.normal(size=30).astype(np.float32)),
    ]


def test_each_weight_has_its_bytes_and_its_error() -> None:
    entries = _entries(0)
    group = pack_weights(entries, patterns={"uint8": ("a/kernel",)})
    kernel, bias = weight_rows(group, entries, {"a/kernel": 0.5})
    assert (kernel.name, kernel.dtype, kernel.nbytes, kernel.adds) == ("a/kernel", "uint8", 1500, 0.5)
    assert (bias.dtype, bias.nbytes, bias.error, bias.adds) == ("float32", 120, 0.0, None)
    step = (entries[0].data.max() - entries[0].data.min()) / 255
    expected = step / np.sqrt(12) / np.sqrt(np.mean(np.square(entries[0].data)))
    assert kernel.error == pytest.approx(expected, rel=0.2)
    assert kernel.channel_error == pytest.approx(expected, rel=0.3)
    assert worthless_note([kernel, bias]) == ()


def test_kernels_that_are_mostly_noise_are_named() -> None:
    entries = _entries(4)
    rows = weight_rows(pack_weights(entries, patterns={"uint8": ("a/kernel",)}), entries)
    assert rows[0].error < 0.02, "the large channels hide it"
    (note,) = worthless_note(rows)
    assert note.startswith("Too coarse: in 'a/kernel', half of the channels are off by more than 10%")


def test_what_is_not_quantized_has_no_rows() -> None:
    entries = _entries(0)
    assert weight_rows(pack_weights(entries), entries) == ()
