"""Arrays in the dtypes that TF.js stores.

Source: tfjs-core ``src/io/io_utils.ts`` (``decodeWeights``), 4.22: float32, int32, bool, complex64, string.
"""

from __future__ import annotations

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.errors import WeightError

_INT32 = np.iinfo(np.int32)


def stored_dtype(dtype: np.dtype[np.generic]) -> str | None:
    """Return the TF.js dtype that holds a numpy dtype, or None."""
    name = dtype.name
    if name in {"float16", "bfloat16", "float32", "float64"}:
        return "float32"
    if dtype.kind in "iu":
        return "int32"
    if dtype.kind in "OSU":
        return "string"
    return {"bool": "bool", "complex64": "complex64", "complex128": "complex64"}.get(name)


def to_stored(name: str, data: Array) -> Array:
    """Return ``data`` in a dtype that TF.js stores; the same array where it is in one already.

    Floats become float32, integers int32. Strings come back as a ``bytes`` object array.

    Raises:
        WeightError: No TF.js dtype holds it, an integer does not fit int32, or a finite number not float32.
    """
    dtype = stored_dtype(data.dtype)
    if dtype is None:
        raise WeightError(
            f"Weight '{name}' has dtype {data.dtype}; TensorFlow.js stores float32, int32, bool, complex64 and string. "
            "Cast it first.",
            node=name,
        )
    if dtype == "string":
        flat = [item.encode() if isinstance(item, str) else bytes(item) for item in data.ravel().tolist()]
        strings = np.empty(len(flat), dtype=object)
        strings[:] = flat
        return strings.reshape(data.shape)
    if dtype == "int32" and data.dtype != np.int32 and data.size:
        low, high = int(data.min()), int(data.max())
        if low < _INT32.min or high > _INT32.max:
            raise WeightError(
                f"Weight '{name}' ({data.dtype}) holds values from {low} to {high}; TensorFlow.js has int32 only, "
                f"{_INT32.min} to {_INT32.max}. Keep such values out of the model.",
                node=name,
            )
    with np.errstate(over="ignore"):
        stored = data.astype(dtype, copy=False)
    if data.dtype.itemsize > stored.dtype.itemsize and not np.array_equal(np.isfinite(data), np.isfinite(stored)):
        raise WeightError(
            f"Weight '{name}' ({data.dtype}) holds values beyond ±3.4e38, the range of {dtype}, which TensorFlow.js "
            "stores. Keep such values out of the model.",
            node=name,
        )
    return stored
