"""What a bound of :class:`~tfjs_magic.options.AutoQuantize` measures. Pure numpy.

Outputs are lists: one array per output of the model, its first axis the examples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.errors import OptionError, reason_of
from tfjs_magic.options import AutoQuantize

Outputs = Sequence[Array]

#: (examples, classes)
_RANK_OF_CLASSES, _FEWEST_CLASSES = 2, 2
#: The cosine of a vector with itself may miss 1 by that, and a share of examples its bound.
_ROUNDING = 1e-12


def bound_text(auto: AutoQuantize) -> str:
    """Return the bound as it is written: "max_error=0.01"."""
    return f"{auto.bound}={getattr(auto, auto.bound):g}"


def check_outputs(auto: AutoQuantize, outputs: Outputs, labels: Any) -> None:
    """Refuse a bound that these outputs cannot miss, or cannot have.

    Raises:
        OptionError: They are texts; or the bound counts classes, and an output has no more than one, or no more than
            five for ``min_top5``, or the labels are no numbers of classes.
    """
    if auto.bound != "min_metric" and any(output.dtype.kind not in "fiub" for output in outputs):
        kinds = ", ".join(str(output.dtype) for output in outputs)
        raise OptionError(
            f"{bound_text(auto)} compares numbers, but the outputs are {kinds}. Use metric and min_metric."
        )
    if (fewest := {"min_top1": 2, "min_top5": 6, "min_accuracy": 2}.get(auto.bound)) is None:
        return
    for number, output in enumerate(outputs[: 1 if auto.bound == "min_accuracy" else None]):
        if output.ndim < _RANK_OF_CLASSES or output.shape[-1] < fewest:
            raise OptionError(
                f"{bound_text(auto)} compares classes along the last axis, but output {number} has shape "
                f"{output.shape}; expected at least {fewest} there. Use max_error, or metric and min_metric."
            )
    if auto.bound == "min_accuracy" and class_numbers(labels, outputs[0]) is None:
        raise OptionError(no_classes_text(labels, outputs[0]))


def no_classes_text(labels: Any, output: Array) -> str:
    """Say why :func:`class_numbers` makes nothing of the labels."""
    if not _has_classes(output):
        return f"labels are numbers of classes, but output 0 has shape {output.shape}. Use metric and min_metric."
    array = np.asarray(labels)
    values = f", {float(array.min()):g} to {float(array.max()):g}" if array.dtype.kind in "iufb" else ""
    return (
        f"labels are {array.dtype} of shape {array.shape[1:]} for each example{values}; expected the number of a "
        f"class, 0 to {output.shape[-1] - 1}, of shape {output.shape[1:-1]}. Of one-hot rows take labels.argmax(-1)."
    )


def class_numbers(labels: Any, output: Array) -> Array | None:
    """Return the labels in the shape of the output without its classes; None if they are something else."""
    array, shape = np.asarray(labels), output.shape[:-1]
    if not _has_classes(output) or array.dtype.kind not in "iufb" or array.shape not in {shape, (*shape, 1)}:
        return None
    return array.reshape(shape) if np.isin(array, np.arange(output.shape[-1])).all() else None


def _has_classes(output: Array) -> bool:
    return output.ndim >= _RANK_OF_CLASSES and output.shape[-1] >= _FEWEST_CLASSES


def measure(auto: AutoQuantize, expected: Outputs, actual: Outputs, labels: Any) -> float:
    """Return the value that the bound is about: an error, or a share, or what the user's metric says.

    Args:
        auto: Has the bound.
        expected: The outputs in float32.
        actual: Those of the quantized model.
        labels: (examples,), where the bound needs them.
    """
    match auto.bound:
        case "max_error":
            return largest_error(expected, actual)
        case "min_cosine":
            return _worst(np.min, _cosine, expected, actual)
        case "min_top1":
            return agreement(expected, actual) or 0.0
        case "min_top5":
            return min(_share_in_top(np.argmax(e, -1), a, 5) for e, a in zip(expected, actual, strict=True))
        case "min_accuracy":
            return accuracy(labels, actual[0])
        case _:
            return _own(auto, actual, labels)


def meets(auto: AutoQuantize, value: float, *, exact: float = math.nan, margin: float = 1.0) -> bool:
    """Whether a value stays within the bound. One that is no number meets nothing.

    Args:
        auto: Has the bound.
        value: What was measured.
        exact: What float32 has.
        margin: Share of the way from there to the bound that may be gone.
    """
    bound = getattr(auto, auto.bound)
    if margin < 1 and math.isfinite(exact):
        bound = exact + (bound - exact) * margin
    if auto.bound == "max_error":
        return bool(value <= bound)
    if auto.bound == "min_metric":
        return bool(value >= bound)
    return bool(value >= bound - _ROUNDING)


def noise(expected: Outputs, actual: Outputs) -> float:
    """Return the root of the mean squared error, relative to that of the values; the largest over the outputs.

    It grows with every weight that is rounded, where a share of right answers stays the same for long.
    """
    return _worst(np.max, _relative_rms, expected, actual)


def largest_error(expected: Outputs, actual: Outputs) -> float:
    """Return the largest error of any output, relative to the largest value of that output."""
    return _worst(np.max, _max_error, expected, actual)


def agreement(expected: Outputs, actual: Outputs) -> float | None:
    """Return the least share of examples with the same first class; None where an output has no classes."""
    if not all(map(_has_classes, expected)):
        return None
    return min(_share_in_top(np.argmax(e, -1), a, 1) for e, a in zip(expected, actual, strict=True))


def accuracy(labels: Any, output: Array) -> float:
    """Return the share of examples whose first class is the label."""
    wanted = class_numbers(labels, output)
    assert wanted is not None
    return _share_in_top(wanted, output, 1)


def _own(auto: AutoQuantize, actual: Outputs, labels: Any) -> float:
    assert auto.metric is not None
    try:
        value: Any = auto.metric(list(actual), labels)
    except Exception as error:  # whatever the user's function does
        raise OptionError(f"metric raised {type(error).__name__}: {reason_of(error)}.") from error
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise OptionError(f"metric returned {value!r:.80}; expected a number.") from error


def _worst(
    extreme: Callable[[list[float]], Any], loss: Callable[[Array, Array], float], expected: Outputs, actual: Outputs
) -> float:
    """Return the loss of the worst output; NaN if one is, which Python's own max and min may pass over."""
    return float(extreme([loss(want, have) for want, have in zip(expected, actual, strict=True)]))


def _relative_rms(want: Array, have: Array) -> float:
    size = float(np.linalg.norm(_finite(want)))
    error = float(np.linalg.norm(_difference(want, have)))
    return error / size if size else error


def _max_error(want: Array, have: Array) -> float:
    largest = float(np.max(np.abs(_finite(want)), initial=0))
    error = float(np.max(np.abs(_difference(want, have)), initial=0))
    return error / largest if largest else error


def _finite(values: Array) -> Array:
    flat = np.ravel(values).astype(np.float64)
    return flat[np.isfinite(flat)]


def _difference(want: Array, have: Array) -> Array:
    """Return the difference, 0 also of the same infinities; infinite where the shapes differ."""
    if want.shape != have.shape:
        return np.array([math.inf])
    found: Array = np.ravel(have).astype(np.float64)
    with np.errstate(invalid="ignore"):
        found -= np.ravel(want)
    found[np.ravel(have == want)] = 0
    return found


def _cosine(want: Array, have: Array) -> float:
    if want.shape != have.shape:
        return -1.0
    a, b = np.ravel(want).astype(np.float64), np.ravel(have).astype(np.float64)
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norms if norms else float(np.array_equal(a, b))


def _share_in_top(wanted: Array, outputs: Array, count: int) -> float:
    if wanted.shape != outputs.shape[:-1]:
        return 0.0
    top = np.argsort(-outputs.astype(np.float64), axis=-1, kind="stable")[..., :count]  # of equal ones the first
    right = np.any(top == wanted[..., None], axis=-1) & ~np.isnan(outputs).any(-1)
    return float(np.mean(right))
