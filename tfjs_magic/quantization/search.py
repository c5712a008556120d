"""The smallest download whose measured loss stays within the bound.

Every kernel is one of uint8, two bytes (float16 or uint16, whichever is closer to it) and float32. First each is
rounded to uint8 alone: what it adds to the outputs' error, per byte that it saves, is its place in the order. Errors of
different weights add up almost as if they did not know each other, so the dearest are raised first, and bisection over
the order finds how many must be; at the end each that was raised is tried one level lower. Every candidate is measured
by running the real graph on the samples, so that the order decides how small the result is, never whether it is right.
For N kernels that is about 2 N + log N passes over the samples, and 2 N more where a kernel has a bias (in a graph
model): it takes up by how much the codes shift the mean of each channel, where the outputs then have less error.

Source of that: Nagel and others, Data-Free Quantization (ICCV 2019), section 4.2, with means that are measured.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Mapping

import numpy as np

from tfjs_magic.artifacts import Array, Artifacts, ManifestGroup, Quantization, WeightEntry, WeightRow
from tfjs_magic.errors import ConversionError, WeightError
from tfjs_magic.options import AutoQuantize, Progress
from tfjs_magic.quantization.loss import Outputs, bound_text, check_outputs, measure, meets, noise
from tfjs_magic.quantization.runner import Runner, runner
from tfjs_magic.quantization.samples import Part, split_samples
from tfjs_magic.tables import size_text
from tfjs_magic.weights.pack import pack_weights, unpack_groups
from tfjs_magic.weights.quantize import LARGEST_CODED, dequantize, quantize, squared_error, wider
from tfjs_magic.weights.rows import weight_rows

#: How often the search is repeated with half of the margin, where the samples that were held back miss the bound.
_TIGHTER = 4
_TELL_EVERY_S = 1.0

#: Kernel → 0 for uint8, 1 for two bytes, 2 for float32.
Levels = Mapping[str, int]
_FLOAT32 = 2


@dataclasses.dataclass(frozen=True)
class Found:
    """What was found, and how it was proven.

    Attributes:
        group: The weights, packed.
        rows: One per weight.
        note: The numbers, in a sentence.
    """

    group: ManifestGroup
    rows: tuple[WeightRow, ...]
    note: str


def search(model: Artifacts, auto: AutoQuantize, *, shard_size_bytes: int, step: Progress) -> Found:
    """Find the dtype of every kernel.

    Args:
        model: In float32.
        auto: The bound, and the samples.
        shard_size_bytes: Length of the weight files.
        step: Told about once a second what is measured, and how long that will take.

    Raises:
        OptionError: The samples or the labels do not fit the model.
        ConversionError: Nothing that is smaller stays within the bound.
        UnsupportedModelError: The model cannot be run with other weights.
    """
    entries = [*unpack_groups(model.groups)]
    kernels = {entry.name: _Kernel(entry) for entry in entries if _may_be_rounded(entry)}
    if not kernels:
        kept = sum(entry.codes is not None for entry in entries)
        why = f"{kept} of its weights have their codes already" if kept else "it has no float32 kernel that is finite"
        raise ConversionError(f"Nothing of {model.report.source} can be quantized: {why}.", stage="weights")
    parts = split_samples(model, auto.samples, auto.labels, auto.held_back)
    run = runner(model)
    calibration, confirmation = (None if part is None else _Trial(run, auto, kernels, part) for part in parts)
    assert calibration is not None
    for trial in filter(None, (calibration, confirmation)):
        if not meets(auto, trial.exact):
            raise ConversionError(
                f"In float32 the model has {_named(auto, trial.exact)} on {trial.examples} samples: no quantization "
                f"can meet {bound_text(auto)}.",
                stage="weights",
            )
    biases = {entry.name: entry.data for entry in entries if entry.codes is None}
    adds = _adds(kernels, biases, calibration, step)
    if confirmation is not None:
        confirmation.biases = calibration.biases
    levels = _search(kernels, adds, calibration, confirmation, step)
    shifted = calibration.rounded(levels)
    coded = [_with_codes(entry, kernels, levels, shifted) for entry in entries]
    group = pack_weights(coded, shard_size_bytes=shard_size_bytes)
    proof = [f"{_named(auto, calibration.value(levels))} on {calibration.examples} samples"]
    if confirmation is not None:
        proof.append(f"{_named(auto, confirmation.value(levels))} on {confirmation.examples} that were held back")
    if calibration.examples > 1 and all((output == output[:1]).all() for output in calibration.expected):
        proof.append("all samples give the same outputs, so that they prove little")
    shifts = len(shifted.keys() - kernels.keys())
    if shifts:
        proof.append(f"{shifts} {'bias takes' if shifts == 1 else 'biases take'} up a shift of the mean")
    sizes = f"{size_text(group.nbytes)} instead of {size_text(model.nbytes)}"
    note = (
        f"Quantized to {sizes}, as far as {bound_text(auto)} allows: {', '.join(proof)}; "
        f"{calibration.passes} passes over the samples."
    )
    return Found(group, weight_rows(group, entries, adds), note)


class _Kernel:
    """A weight with its codes per level."""

    def __init__(self, entry: WeightEntry) -> None:
        self.data = entry.data
        self._codes = [quantize(entry.name, entry.data, "uint8"), _two_bytes(entry)]

    def decoded(self, level: int) -> Array:
        return dequantize(*self._codes[level])

    def codes(self, level: int) -> tuple[memoryview, Quantization]:
        stored, quantization = self._codes[level]
        return np.ascontiguousarray(stored).reshape(-1).view(np.uint8).data, quantization


def _two_bytes(entry: WeightEntry) -> tuple[Array, Quantization]:
    """Return the codes of the dtype of two bytes that is closer."""
    found = quantize(entry.name, entry.data, "uint16")
    try:
        other = quantize(entry.name, entry.data, "float16")
    except WeightError:  # beyond its range
        return found
    return min(found, other, key=lambda codes: squared_error(entry.data, dequantize(*codes)))


def _may_be_rounded(entry: WeightEntry) -> bool:
    """Kernels, not biases and statistics; not what has its codes; nothing that is infinite, or almost, or no number."""
    data = entry.data
    return (
        data.dtype == np.float32
        and data.ndim > 1
        and data.size > 0
        and entry.codes is None
        and bool((np.abs(data) <= LARGEST_CODED).all())
    )


class _Trial:
    """Runs the model with rounded kernels on some samples."""

    def __init__(self, run: Runner, auto: AutoQuantize, kernels: Mapping[str, _Kernel], part: Part) -> None:
        self.auto, self.run, self.examples = auto, run, part.examples
        self._kernels, self._part = kernels, part
        self.passes = 0
        #: Kernel → its bias, with what its codes as uint8 add to the mean of each channel taken away.
        self.biases: dict[str, tuple[str, Array]] = {}
        self.expected = self.outputs({})
        check_outputs(auto, self.expected, part.labels)
        self.exact = self.value({})

    def outputs(self, levels: Levels) -> Outputs:
        """Return what the model computes with the kernels at these levels; those that are not named are float32."""
        self.passes += 1
        return self._part.outputs(self.run, self.rounded(levels))

    def rounded(self, levels: Levels) -> dict[str, Array]:
        """Return what differs from float32: kernels as they are decoded, and the biases of those that are uint8."""
        kernels = {name: self._kernels[name].decoded(level) for name, level in levels.items() if level < _FLOAT32}
        return kernels | dict(self.biases[name] for name in kernels if name in self.biases and not levels[name])

    def means(self, levels: Levels) -> dict[str, Array]:
        """Return for each kernel with a bias the mean of what its op computes, per channel, before the bias."""
        self.passes += bool(self.run.biases)
        return self._part.means(self.run, self.rounded(levels))

    def value(self, levels: Levels) -> float:
        return measure(self.auto, self.expected, self.outputs(levels), self._part.labels)

    def meets(self, levels: Levels, margin: float) -> bool:
        return meets(self.auto, self.value(levels), exact=self.exact, margin=margin)

    def noise(self, levels: Levels) -> float:
        return noise(self.expected, self.outputs(levels))


def _adds(
    kernels: Mapping[str, _Kernel], biases: Mapping[str, Array], trial: _Trial, step: Progress
) -> dict[str, float]:
    """Return what each kernel adds to the outputs' error if it alone is uint8, its bias corrected where that helps.

    Args:
        kernels: What is rounded.
        biases: Weights that may take up a shift.
        trial: Runs the model; has the corrected biases afterwards.
        step: Told about the progress.
    """
    adds, start, told = {}, time.monotonic(), time.monotonic()
    corrected = {name: bias for name, bias in trial.run.biases.items() if name in kernels and bias in biases}
    means = trial.means({})
    for done, name in enumerate(kernels, start=1):
        adds[name] = trial.noise({name: 0})
        if name in corrected:
            with np.errstate(invalid="ignore"):  # means beyond float32's range
                shift = means[name] - trial.means({name: 0})[name]
            trial.biases[name] = (corrected[name], (biases[corrected[name]] + shift).astype(np.float32))
            if (noise := trial.noise({name: 0})) < adds[name]:
                adds[name] = noise
            else:
                del trial.biases[name]
        if (now := time.monotonic()) > told + _TELL_EVERY_S:
            left = (now - start) / done * (2 * len(kernels) - done)
            step(f"quantize: {done} of {len(kernels)} kernels tried, about {math.ceil(left)} s left")
            told = now
    return adds


def _search(
    kernels: Mapping[str, _Kernel],
    adds: Mapping[str, float],
    calibration: _Trial,
    confirmation: _Trial | None,
    step: Progress,
) -> Levels:
    auto, trials = calibration.auto, [trial for trial in (calibration, confirmation) if trial is not None]
    found: Levels | None = None
    for tightened in range(_TIGHTER + 1):
        step("quantize: search" if not tightened else "quantize: search, tighter")
        levels = _smallest(kernels, adds, functools.partial(calibration.meets, margin=0.5**tightened))
        if all(level == _FLOAT32 for level in levels.values()):
            break
        if confirmation is None or confirmation.meets(levels, 1.0):
            found = levels
            break
    two_bytes = dict.fromkeys(kernels, 1)
    for levels in (_plain(kernels), two_bytes):  # which no sample has chosen
        smaller = found is None or _nbytes(kernels, levels) < _nbytes(kernels, found)
        if smaller and all(trial.meets(levels, 1.0) for trial in trials):
            return levels
    if found is not None:
        return found
    values = [trial.value(two_bytes) for trial in trials]
    nearest = next((value for value in values if not meets(auto, value)), values[-1])
    raise ConversionError(
        f"No quantization meets {bound_text(auto)}: with two bytes for every kernel it is {_named(auto, nearest)}. "
        "Loosen the bound, or leave quantize out.",
        stage="weights",
    )


def _plain(kernels: Mapping[str, _Kernel]) -> Levels:
    """Return what ``quantize="uint8"`` would take."""
    wide = wider({name: kernel.data for name, kernel in kernels.items()})
    return {name: int(name in wide) for name in kernels}


def _smallest(
    kernels: Mapping[str, _Kernel], adds: Mapping[str, float], meets_bound: Callable[[Levels], bool]
) -> Levels:
    """Raise as few as bisection finds enough, or what plain uint8 would, then lower again what need not be raised."""
    dearest_first = sorted(kernels, key=lambda name: adds[name] / kernels[name].data.size, reverse=True)

    def raised(count: int, low: int) -> dict[str, int]:
        return {name: low + (place < count) for place, name in enumerate(dearest_first)}

    low = 0 if meets_bound(raised(len(kernels), 0)) else 1
    count = _least(lambda count: meets_bound(raised(count, low)), len(kernels))
    levels = raised(count, low)
    if _nbytes(kernels, plain := _plain(kernels)) < _nbytes(kernels, levels) and meets_bound(plain):
        levels = {**plain}
    for name in sorted(filter(levels.get, kernels), key=lambda name: kernels[name].data.size, reverse=True):
        if meets_bound(lower := {**levels, name: levels[name] - 1}):
            levels = lower
    return levels


def _nbytes(kernels: Mapping[str, _Kernel], levels: Levels) -> int:
    return sum(kernels[name].data.size << level for name, level in levels.items())


def _least(holds: Callable[[int], bool], most: int) -> int:
    """Return the least count for which it holds, if it holds from one count on and at ``most``."""
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _with_codes(
    entry: WeightEntry, kernels: Mapping[str, _Kernel], levels: Levels, rounded: Mapping[str, Array]
) -> WeightEntry:
    level = levels.get(entry.name, _FLOAT32)
    if level < _FLOAT32:
        return dataclasses.replace(entry, data=rounded[entry.name], codes=kernels[entry.name].codes(level))
    return dataclasses.replace(entry, data=rounded[entry.name]) if entry.name in rounded else entry


def _named(auto: AutoQuantize, value: float) -> str:
    words = {
        "max_error": "a largest error of",
        "min_cosine": "a cosine of",
        "min_top1": "a top-1 agreement of",
        "min_top5": "a top-5 agreement of",
        "min_accuracy": "an accuracy of",
        "min_metric": "a metric of",
    }
    return f"{words[auto.bound]} {value:{'.10g' if auto.bound == 'min_cosine' else '.4g'}}"
