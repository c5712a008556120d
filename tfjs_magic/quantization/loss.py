"""What a bound of :class:`~tfjs_magic.options.AutoQuantize` measures. Pure numpy.

Outputs are lists: one array per output of the model, its first axis the examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.options import AutoQuantize

Outputs = Sequence[Array]


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
            return max(map(_max_error, expected, actual))
        case "min_cosine":
            return min(map(_cosine, expected, actual))
        case "min_top1":
            return min(_share_in_top(np.argmax(e, -1), a, 1) for e, a in zip(expected, actual, strict=True))
        case "min_top5":
            return min(_share_in_top(np.argmax(e, -1), a, 5) for e, a in zip(expected, actual, strict=True))
        case "min_accuracy":
            return _share_in_top(np.asarray(labels), actual[0], 1)
        case _:
            assert auto.metric is not None
            return float(auto.metric(list(actual), labels))


def meets(auto: AutoQuantize, value: float, *, margin: float = 1.0) -> bool:
    """Whether a value stays within the bound; ``margin`` < 1 leaves that share of what the bound allows.

    A value that is no number meets nothing.
    """
    bound = getattr(auto, auto.bound)
    if auto.bound == "max_error":
        return bool(value <= bound * margin)
    if auto.bound == "min_metric":
        return bool(value >= bound)
    return bool(1 - value <= (1 - bound) * margin + 1e-12)  # 1 - 0.99 is no tenth of a tenth


def noise(expected: Outputs, actual: Outputs) -> float:
    """Return the root of the mean squared error, relative to that of the values; the largest over the outputs.

    It grows with every weight that is rounded, where a share of right answers stays the same for long.
    """
    return max(map(_relative_rms, expected, actual))


def _relative_rms(want: Array, have: Array) -> float:
    size = float(np.linalg.norm(np.ravel(want).astype(np.float64)))
    error = float(np.linalg.norm(np.ravel(have).astype(np.float64) - np.ravel(want)))
    return error / size if size else error


def _max_error(want: Array, have: Array) -> float:
    largest = float(np.max(np.abs(want), initial=0))
    error = float(np.max(np.abs(have.astype(np.float64) - want), initial=0))
    return error / largest if largest else error


def _cosine(want: Array, have: Array) -> float:
    a, b = np.ravel(want).astype(np.float64), np.ravel(have).astype(np.float64)
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norms if norms else float(np.array_equal(a, b))


def _share_in_top(wanted: Array, outputs: Array, count: int) -> float:
    count = min(count, outputs.shape[-1])
    top = np.argpartition(-outputs, count - 1, axis=-1)[..., :count] if count > 1 else np.argmax(outputs, -1)[..., None]
    return float(np.mean(np.any(top == wanted[..., None], axis=-1)))
