"""Dtypes in TensorFlow's enum, and the attributes of nodes that name them.

Source: ``tensorflow/core/framework/types.proto``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from tfjs_magic.graph.ir import DType

T = TypeVar("T")

#: The enum's members, by number.
_ENUM = (
    "INVALID FLOAT DOUBLE INT32 UINT8 INT16 INT8 STRING COMPLEX64 INT64 BOOL QINT8 QUINT8 QINT32 BFLOAT16 QINT16 "
    "QUINT16 UINT16 COMPLEX128 HALF RESOURCE VARIANT UINT32 UINT64"
).split()
#: The names that are not the member in small letters.
_NAMES = {"FLOAT": "float32", "DOUBLE": "float64", "HALF": "float16"}
_MEMBERS = {name: member for member, name in _NAMES.items()}
#: Attributes that may name the dtype of an op's results, the most telling first: "T" is that of its inputs.
_OF_RESULTS = ("dtype", "DstT", "output_type", "out_type", "T")


def dtype_name(value: str | int) -> DType:
    """Return a dtype's name from TensorFlow's enum: "float32" for "DT_FLOAT" or 1.

    Raises:
        ValueError: The enum has no such member.
    """
    member = _ENUM[value] if isinstance(value, int) and 0 <= value < len(_ENUM) else str(value).removeprefix("DT_")
    if member not in _ENUM:
        msg = f"dtype {value!r} does not exist"
        raise ValueError(msg)
    return DType(_NAMES.get(member, member.lower()))


def enum_name(dtype: str) -> str:
    """Return the name of a dtype in TensorFlow's enum: "DT_FLOAT" for "float32"."""
    return f"DT_{_MEMBERS.get(dtype, dtype.upper())}"


def result_dtype(attrs: Mapping[str, T]) -> T | None:
    """Return the attribute that names the dtype of a node's results, if one does."""
    return next((attrs[key] for key in _OF_RESULTS if key in attrs), None)
