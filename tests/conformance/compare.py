"""Compare TF.js's outputs with the source's, and refuse comparisons that prove nothing."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from tfjs_magic.artifacts import Array

#: Relative to the largest reference value. Float32 sums in another order differ by a few 1e-7 per layer; a missing
#: bias, a wrong padding or a transposed kernel shows at 1e-2 and more.
FLOAT32_TOLERANCE = 1e-5
#: GPUs approximate exponentials, sines, roots and quotients, each driver its own way.
GPU_TOLERANCE = 3e-4
#: Samples whose outputs differ by less than this many tolerances could not tell a right model from a constant.
TELLING_FACTOR = 100.0


def relative_error(actual: Array, expected: Array, *, least: float = 0.0) -> float:
    """Return the largest absolute difference, relative to the largest reference value, or to ``least`` if that is more.

    NaN and infinities must stand in the same places, else the error is infinite. Booleans, integers and strings are
    right or wrong: 0 or infinite.
    """
    expected = np.asarray(expected)
    if actual.shape != expected.shape:
        return float("inf")
    if expected.dtype.kind not in "fc":
        return 0.0 if np.array_equal(actual, expected) else float("inf")
    finite = np.isfinite(expected)
    if not np.array_equal(actual[~finite], expected[~finite], equal_nan=True) or not np.isfinite(actual[finite]).all():
        return float("inf")
    if not finite.any():
        return 0.0
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    scale = max(float(np.abs(expected[finite]).max()), least)
    error = float(np.abs(actual[finite].astype(wide) - expected[finite].astype(wide)).max())
    return error if error == 0 else error / max(scale, float(np.finfo(np.float32).tiny))


def assert_matches(
    actual: Mapping[str, Array],
    reference: Mapping[str, Array],
    *,
    tolerance: float = FLOAT32_TOLERANCE,
    least: Mapping[str, float] | None = None,
) -> None:
    """Assert that every output has the reference's name, shape, kind and values.

    Args:
        actual: What TF.js gave.
        reference: What the source gave; anything that ``np.asarray`` takes.
        tolerance: Allowed error relative to the largest reference value of each output.
        least: Output → what its largest value is taken for if it is less, by default nothing.
    """
    assert sorted(actual) == sorted(reference)
    if getattr(actual, "backend", "cpu") in {"webgl", "webgpu"}:
        tolerance = max(tolerance, GPU_TOLERANCE)
    for name, expected in ((name, np.asarray(value)) for name, value in reference.items()):
        got = actual[name]
        assert got.shape == expected.shape, f"output '{name}' has shape {got.shape}; expected {expected.shape}"
        assert _family(got) == _family(expected), f"output '{name}' is {got.dtype}; expected {expected.dtype}"
        error = relative_error(got, expected, least=(least or {}).get(name, 0.0))
        assert error <= tolerance, f"output '{name}' is off by {error:.3g} of its largest value, allowed {tolerance:g}"


def assert_telling(
    *references: Mapping[str, Array], tolerance: float = FLOAT32_TOLERANCE, factor: float = TELLING_FACTOR
) -> None:
    """Assert that the references of different samples differ enough for a comparison to mean anything.

    Args:
        references: The source's outputs, one mapping per sample; at least two.
        tolerance: The tolerance of the comparison that they are used for.
        factor: How many tolerances two samples must be apart, in every output.
    """
    assert len(references) > 1, "one sample alone cannot tell a right model from a constant one"
    for first, second in itertools.combinations(references, 2):
        for name in first:
            apart = relative_error(np.asarray(first[name]), np.asarray(second[name]))
            assert apart > factor * tolerance, (
                f"void test: output '{name}' of two samples differs by only {apart:.3g} of its largest value; "
                f"expected more than {factor * tolerance:g}"
            )


def _family(array: Array) -> str:
    """Return the dtype's kind; all strings alike, signed and unsigned integers alike."""
    return {"S": "string", "U": "string", "O": "string", "u": "i"}.get(array.dtype.kind, array.dtype.kind)
