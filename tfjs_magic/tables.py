"""Rows of results as a pandas DataFrame, and as text in columns; sizes as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def data_frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Return one row per record.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise ImportError("to_dataframe needs pandas: pip install 'tfjs-magic[dataframe]'.") from error
    return pd.DataFrame(list(rows), columns=list(columns))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a line per row, with every column as wide as its longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def size_text(nbytes: int) -> str:
    """Return a size in the unit that reads best: "14.2 MB"."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if nbytes >= factor:
            return f"{nbytes / factor:.1f} {unit}"
    return f"{nbytes} bytes"
