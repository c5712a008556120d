"""Rows of results as a pandas DataFrame, as text in columns and as HTML; sizes as text."""

from __future__ import annotations

import html
from collections.abc import Container, Mapping, Sequence
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


def html_table(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    caption: str = "",
    bold: Container[int] = (),
    ends: Sequence[str] = (),
) -> str:
    """Return an HTML table whose texts are escaped; ``ends`` is HTML that each row ends with, ``bold`` numbers rows."""
    head = "".join(_HEAD_CELL.format(html.escape(title)) for title in [*titles, *([""] if ends else [])])
    body = "".join(
        f"<tr{_BOLD if number in bold else ''}>{_ROW_HEAD.format(html.escape(first))}"
        f"{''.join(_TABLE_CELL.format(cell) for cell in [*map(html.escape, rest), *ends[number : number + 1]])}</tr>"
        for number, (first, *rest) in enumerate(rows)
    )
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


#: Not every notebook has a style for tables.
_SPACE = "padding:2px 8px;text-align:left"
_HEAD_CELL = f'<th scope="col" style="{_SPACE}">{{}}</th>'
_ROW_HEAD = f'<th scope="row" style="{_SPACE};font-weight:inherit">{{}}</th>'
_TABLE_CELL = f'<td style="{_SPACE}">{{}}</td>'
_BOLD = ' style="font-weight:700"'


def size_text(nbytes: int) -> str:
    """Return a size in the unit that reads best: "14.2 MB"."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if nbytes >= factor:
            return f"{nbytes / factor:.1f} {unit}"
    return f"{nbytes} bytes"
