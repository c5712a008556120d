"""Does the browser compute what Python computes? Pure numpy."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.bench.state import OutputParity, Parity
from tfjs_magic.errors import quoted_list
from tfjs_magic.options import Backend

#: Largest error that passes, relative to the largest reference value of the output, for float32 weights.
TOLERANCES: Mapping[Backend, float] = {
    # Both compute in float32 or better but sum in another order than TensorFlow: deep networks reach 1e-5.
    "cpu": 1e-4,
    "wasm": 1e-4,
    # GPUs may fuse, reorder and approximate exp, division and square roots: drivers differ by a factor of ten.
    "webgl": 1e-3,
    "webgpu": 1e-3,
}
#: How many times the error, and the precision of float32, the outputs of two samples must differ by: then an error of
#: one percent of what the samples make of the outputs would have been seen.
TELLING_FACTOR = 100
_PRECISION = 2.0**-23
#: What the outputs of two samples should differ by, so that the error of a deep network would be seen.
_TELLING_SPREAD = TELLING_FACTOR * 1e-5
#: A choice: float32 that is rounded in another order reaches 1e-3 in deep networks; ten times that is left to oneDNN.
_ONE_DNN_ERROR = 1e-2
#: JSON has no infinity; an error that no number bounds (NaN, infinity, another shape) is shown as the largest float.
UNBOUNDED = sys.float_info.max

ONE_DNN_NOTE = (
    "TensorFlow's oneDNN kernels round differently and can be the side that is off: "
    "compare again with TF_ENABLE_ONEDNN_OPTS=0 set before the kernel starts."
)

UNEXPLAINED_NOTE = "No rounding explains this error: please report it."
_NOT_ONE_DNN_NOTE = (
    "Python's outputs were computed again by XLA's kernels, without oneDNN, and differ likewise: please report it."
)
_ONE_DNN_WAS_OFF = (
    "TensorFlow's oneDNN kernels are the side that is off: the browser gives what Python gives by XLA's kernels, with "
    "which it was compared."
)


def compare(
    expected: Sequence[Mapping[str, Array]],
    actual: Sequence[Mapping[str, Array]],
    *,
    backend: Backend | None,
    quantized: bool,
    tolerance: float | None,
) -> Parity:
    """Compare the outputs of every feed; the worst feed counts.

    Floats pass within the tolerance, everything else must be equal. A quantized model gets no verdict without the
    user's own ``tolerance``: its error is the price of its size, not a fault. Where the outputs hardly depend on the
    samples, what is equal proves nothing: "inconclusive".

    Args:
        expected: Python's outputs, one mapping per feed.
        actual: The browser's, in the same order and under the same names.
        backend: What really ran; None if unknown, which takes the widest tolerance.
        quantized: Whether any weight is stored quantized.
        tolerance: The user's own bound, instead of the table.
    """
    bound = bound_of(backend, tolerance)
    notes: list[str] = []
    outputs = [
        _compare_output(name, [e[name] for e in expected], [a[name] for a in actual], bound, notes)
        for name in expected[0]
    ]
    status = "passed" if all(output["passed"] for output in outputs) else "failed"
    if quantized and tolerance is None:
        status = "reported"
        notes.append("The weights are quantized: the error is reported, and judged only against your own tolerance.")
    elif status == "failed" and not notes:
        notes += _likely_cause(max(output["max_rel_error"] for output in outputs), quantized=quantized, bound=bound)
    exact = tolerance is None and not quantized
    if status != "failed" and (reason := _untelling(expected, outputs, exact=exact)):
        status = "inconclusive"
        notes.append(f"The samples cannot tell right from wrong: {reason}.")
    elif status != "failed" and (mute := _mute(expected, outputs, exact=exact)):
        notes.append(f"The samples prove little of {quoted_list(mute)}: hardly anything there depends on them.")
    return {"status": status, "note": " ".join(dict.fromkeys(notes)), "outputs": outputs}


def may_be_one_dnn(parity: Parity) -> bool:
    """Whether the verdict puts the error down to oneDNN, so that it is worth computing Python's side without it."""
    return ONE_DNN_NOTE in parity["note"]


def without_one_dnn(parity: Parity, again: Parity) -> Parity:
    """Return the verdict once Python's side was computed again, by XLA's kernels: ``again`` compares with those."""
    if again["status"] == "failed":
        return {**parity, "note": parity["note"].replace(ONE_DNN_NOTE, _NOT_ONE_DNN_NOTE)}
    return {**again, "note": f"{_ONE_DNN_WAS_OFF} {again['note']}".strip()}


def as_foretold(parity: Parity, lacking: Sequence[str], *, backend: Backend | None) -> Parity:
    """Return a failed verdict with what the conversion said of the backend: ``lacking`` fails or is wrong there."""
    if parity["status"] != "failed" or not lacking:
        return parity
    named = f"The conversion said it: {backend} lacks or miscomputes {', '.join(lacking)}."
    return {**parity, "note": f"{named} {parity['note'].replace(UNEXPLAINED_NOTE, '')}".strip()}


def compare_tensor(want: Array, have: Array, bound: float) -> OutputParity:
    """Compare one tensor of one feed, of the same shape on both sides."""
    return _compare_output("", [want], [have], bound, [])


def worst_feed(expected: Sequence[Mapping[str, Array]], actual: Sequence[Mapping[str, Array]]) -> int:
    """Return the number of the feed with the largest error, relative to the largest value of an output."""
    errors = [
        max(_compare_output(name, [want[name]], [have[name]], 0.0, [])["max_rel_error"] for name in want)
        for want, have in zip(expected, actual, strict=True)
    ]
    return errors.index(max(errors))


def tells(expected: Sequence[Mapping[str, Array]]) -> bool:
    """Whether these outputs, Python's of several feeds, would show an error: they differ, within and between feeds."""
    if _flatness([array for feed in expected for array in feed.values()]):
        return False
    return len(expected) < 2 or any(_spread(expected, name) >= _TELLING_SPREAD for name in expected[0])


def bound_of(backend: Backend | None, tolerance: float | None) -> float:
    """Return the largest error that passes on a backend; an unknown one gets the widest."""
    return tolerance if tolerance is not None else TOLERANCES[backend or "webgl"]


def _likely_cause(error: float, *, quantized: bool, bound: float) -> list[str]:
    if quantized:
        missed = f"The weights are quantized, and their error of {error:.1e} exceeds your tolerance of {bound:g}."
        return [missed, "float16 and uint16 are closer; so is leaving the weights out that matter most."]
    rounding = error <= _ONE_DNN_ERROR and os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1") != "0"
    return [ONE_DNN_NOTE if rounding else UNEXPLAINED_NOTE]


def _compare_output(
    name: str, expected: Sequence[Array], actual: Sequence[Array], bound: float, notes: list[str]
) -> OutputParity:
    for want, have in zip(expected, actual, strict=True):
        if np.shape(want) != np.shape(have):
            notes.append(f"Output '{name}' has shape {np.shape(have)} in the browser; Python gives {np.shape(want)}.")
            return _row(name, UNBOUNDED, UNBOUNDED, bound=bound, passed=False)
    if expected[0].dtype.kind not in "fc":
        unequal = sum(int(np.sum(_text(want) != _text(have))) for want, have in zip(expected, actual, strict=True))
        if unequal:
            notes.append(
                f"Output '{name}' differs in {unequal} values; it is {expected[0].dtype}, which must be equal."
            )
        error = _largest_difference(expected, actual) if unequal else 0.0
        return _row(name, error, error, bound=0.0, passed=not unequal)
    want = np.concatenate([np.ravel(_wide(array)) for array in expected])
    have = np.concatenate([np.ravel(_wide(array)) for array in actual])
    absolute, relative = _errors(want, have)
    if absolute == UNBOUNDED:
        notes.append(f"Output '{name}' is NaN or infinite in places where Python's is not, or the reverse.")
    row = _row(name, absolute, relative, bound=bound, passed=relative <= bound)
    row["cosine"] = _cosine(want, have)
    row["top1_agreement"] = _top1_agreement(expected, actual)
    return row


def _row(name: str, absolute: float, relative: float, *, bound: float, passed: bool) -> OutputParity:
    return {
        "output": name,
        "max_abs_error": absolute,
        "max_rel_error": relative,
        "cosine": None,
        "top1_agreement": None,
        "tolerance": bound,
        "passed": passed,
    }


def _wide(array: Array) -> Array:
    return np.asarray(array, np.complex128 if array.dtype.kind == "c" else np.float64)


def _text(array: Array) -> Array:
    if array.dtype.kind not in "OSU":
        return array
    texts = [text.decode(errors="replace") if isinstance(text, bytes) else str(text) for text in array.flat]
    return np.array(texts, object).reshape(array.shape)


def _largest_difference(expected: Sequence[Array], actual: Sequence[Array]) -> float:
    """Largest difference of integers; 1 for booleans and text, where only "another" exists."""
    if expected[0].dtype.kind not in "iu":
        return 1.0
    return max(float(np.max(np.abs(_wide(w) - _wide(h)), initial=0)) for w, h in zip(expected, actual, strict=True))


def _errors(want: Array, have: Array) -> tuple[float, float]:
    """Largest absolute error, and that relative to the largest finite reference value (to 1 if all are 0)."""
    finite = np.isfinite(want)
    same_gaps = np.array_equal(finite, np.isfinite(have)) and np.array_equal(
        want[~finite], have[~finite], equal_nan=True
    )
    if not same_gaps:
        return UNBOUNDED, UNBOUNDED
    absolute = float(np.max(np.abs(want[finite] - have[finite]), initial=0))
    largest = float(np.max(np.abs(want[finite]), initial=0))
    return absolute, absolute / largest if largest else absolute


def _cosine(want: Array, have: Array) -> float | None:
    finite = np.isfinite(want) & np.isfinite(have)
    a, b = want[finite], have[finite]
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.real(np.vdot(a, b))) / norms if norms else None


def _top1_agreement(expected: Sequence[Array], actual: Sequence[Array]) -> float | None:
    """Share of rows whose largest value stands at the same place; None where rows have fewer than two values."""
    if not expected[0].ndim or expected[0].shape[-1] < 2 or expected[0].dtype.kind == "c":
        return None
    equal = [np.argmax(w, -1) == np.argmax(h, -1) for w, h in zip(expected, actual, strict=True)]
    flat = np.concatenate([np.ravel(rows) for rows in equal])
    return float(np.mean(flat)) if flat.size else None


def _untelling(expected: Sequence[Mapping[str, Array]], outputs: Sequence[OutputParity], *, exact: bool) -> str:
    """Why a pass would prove nothing, "" if it proves something; ``exact``: whether no error is meant to be there."""
    if reason := _flatness([array for feed in expected for array in feed.values()]):
        return reason
    if empty := [name for name in expected[0] if not _has_numbers([feed[name] for feed in expected])]:
        return f"no value of {quoted_list(empty)} is finite"
    if len(_mute(expected, outputs, exact=exact)) < len(outputs):
        return ""
    largest = max(_spread(expected, row["output"]) for row in outputs)
    return (
        f"their outputs differ by {largest:.1e} of the largest value, less than {TELLING_FACTOR} times the error or "
        "the precision of float32; pass samples that matter (samples=, --samples)"
    )


def _mute(expected: Sequence[Mapping[str, Array]], outputs: Sequence[OutputParity], *, exact: bool) -> list[str]:
    """Return the outputs that differ less between the feeds than an error would be seen in."""
    if len(expected) < 2:
        return []
    noise = {row["output"]: max(row["max_rel_error"] if exact else 0, _PRECISION) for row in outputs}
    return [name for name, least in noise.items() if _spread(expected, name) < TELLING_FACTOR * least]


def _has_numbers(arrays: Sequence[Array]) -> bool:
    return any(array.dtype.kind not in "fc" or not array.size or np.any(np.isfinite(array)) for array in arrays)


def _flatness(arrays: Sequence[Array]) -> str:
    if not any(array.dtype.kind not in "fc" or np.any(np.isfinite(array)) for array in arrays):
        return "no value of any output is finite"
    return "every value of every output is equal" if all(map(_constant, arrays)) else ""


def _constant(array: Any) -> bool:
    return array.size > 1 and bool(np.all(array.flat[0] == array))


def _spread(expected: Sequence[Mapping[str, Array]], name: str) -> float:
    """How far the feeds' references differ, relative to their largest value; infinite where all differ in shape."""
    alike: dict[tuple[int, ...], list[Array]] = {}
    for feed in expected:
        alike.setdefault(feed[name].shape, []).append(feed[name])
    return max((_spread_of(arrays) for arrays in alike.values() if len(arrays) > 1), default=float("inf"))


def _spread_of(arrays: Sequence[Array]) -> float:
    if arrays[0].dtype.kind not in "fc":
        return float("inf") if any(not np.array_equal(arrays[0], other) for other in arrays[1:]) else 0.0
    stacked = np.stack([_wide(array) for array in arrays])
    finite = stacked[:, np.all(np.isfinite(stacked), axis=0)]
    largest = float(np.max(np.abs(finite), initial=0))
    return float(np.max(np.abs(finite - finite[0]), initial=0)) / largest if largest else 0.0
