"""Where a model differs from Python's, layer by layer."""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfjs_magic.bench import state
from tfjs_magic.bench.verify import UNBOUNDED
from tfjs_magic.errors import printable
from tfjs_magic.tables import aligned, data_frame, html_table

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = (("layer", "layer"), ("layer_class", "class"), ("max_rel_error", "error"), ("added", "added here"))
_FIELDS = [*state.LayerRow.__annotations__]


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
    def from_wire(cls, model: str, backend: str, divergence: state.Divergence) -> Divergence:
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
        return data_frame(self.rows, _FIELDS)

    def to_json(self, *, indent: int | None = None) -> str:
        """Return everything as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=indent, allow_nan=False)

    def _repr_html_(self) -> str:
        return divergence_html(self)

    def __repr__(self) -> str:
        rows = [[title for _, title in _COLUMNS], *_table(self)]
        return "\n".join([*_sentences(self), *aligned(rows)])


def divergence_html(divergence: Divergence) -> str:
    """Return the sentence and, folded away, the error of every layer; every text in it is escaped."""
    name = html.escape(printable(f"{divergence.model}, {divergence.backend}: error of each layer"))
    table = html_table([title for _, title in _COLUMNS], _table(divergence))
    above = "".join(f"<p>{html.escape(line)}</p>" for line in _sentences(divergence))
    return f"{above}<details><summary>{name}</summary>{table}</details>"


def _table(divergence: Divergence) -> list[list[str]]:
    compared = [row for row in divergence.rows if row["max_rel_error"] is not None]
    return [[_cell(row[key]) for key, _ in _COLUMNS] for row in compared]


def _sentences(divergence: Divergence) -> list[str]:
    rows = divergence.rows
    count = sum(row["max_rel_error"] is None for row in rows)
    left_out = f"{count} of {len(rows)} layers were not compared by themselves; rows say why."
    return [printable(divergence.sentence), *([left_out] if count else [])]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "∞" if value == UNBOUNDED else f"{value:.1e}"
    return printable(str(value))
