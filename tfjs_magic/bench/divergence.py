"""Where a model differs from Python's, layer by layer."""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfjs_magic.bench import protocol as wire
from tfjs_magic.bench.verify import UNBOUNDED
from tfjs_magic.errors import printable

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = (("layer", "layer"), ("layer_class", "class"), ("max_rel_error", "error"), ("added", "added here"))
_FIELDS = [*wire.LayerRow.__annotations__]


@dataclasses.dataclass(frozen=True, repr=False)
class Divergence:
    """The error of each layer of one model on one backend, for the samples with the largest error of an output.

    Attributes:
        model: The model's label.
        backend: The backend that ran.
        rows: One record per layer, in the order of the calls: layer, layer_class, max_abs_error, max_rel_error (in
            units of the layer's largest value in Python), added (what it has more than the layers that it takes),
            tolerance, passed, and note, why it was not compared.
        first: The first layer beyond ``bound``; of a quantized model without a bound of yours the one that adds the
            most; "" if none is.
        sentence: The same in words.
        bound: Largest error that passes.
        feed: Number of the set of samples.
    """

    model: str
    backend: str
    rows: Sequence[Mapping[str, Any]]
    first: str
    sentence: str
    bound: float
    feed: int

    @classmethod
    def from_wire(cls, model: str, backend: str, divergence: wire.Divergence) -> Divergence:
        """Take it out of the state of a benchmark."""
        rows = tuple(dict(row) for row in divergence["rows"])
        return cls(
            model,
            backend,
            rows,
            divergence["first"],
            divergence["sentence"],
            divergence["bound"],
            divergence["feed"],
        )

    def to_dataframe(self) -> pd.DataFrame:
        """Return ``rows`` as a pandas DataFrame, one per layer.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas as pd  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            raise ImportError("to_dataframe needs pandas: pip install 'tfjs-magic[dataframe]'.") from error
        return pd.DataFrame(list(self.rows), columns=_FIELDS)

    def to_json(self, *, indent: int | None = None) -> str:
        """Return everything as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=indent, allow_nan=False)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{title}</th>" for _, title in _COLUMNS)
        rows = "".join(
            f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>" for cells in self._cells()
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        lines = (self.sentence, *self._left_out())
        return "".join(f"<p>{html.escape(printable(line))}</p>" for line in lines) + table

    def __repr__(self) -> str:
        rows = [[title for _, title in _COLUMNS], *self._cells()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([printable(self.sentence), *self._left_out(), *lines])

    def _cells(self) -> list[list[str]]:
        compared = [row for row in self.rows if row["max_rel_error"] is not None]
        return [[_cell(row[key]) for key, _ in _COLUMNS] for row in compared]

    def _left_out(self) -> list[str]:
        count = sum(row["max_rel_error"] is None for row in self.rows)
        if not count:
            return []
        return [f"{count} of {len(self.rows)} layers were not compared by themselves; rows say why."]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "∞" if value == UNBOUNDED else f"{value:.1e}"
    return printable(str(value))
