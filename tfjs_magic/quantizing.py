"""``quantization_report``: every way to quantize a model side by side, measured on the user's own samples."""

from __future__ import annotations

import dataclasses
import html
import itertools
import json
from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfjs_magic.errors import ConversionError, OptionError, UnsupportedModelError, printable, quoted_list
from tfjs_magic.model import TfjsModel
from tfjs_magic.options import BOUNDS, AutoQuantize, Format, Progress
from tfjs_magic.pipeline import convert
from tfjs_magic.quantization.loss import (
    Outputs,
    accuracy,
    agreement,
    bound_text,
    class_numbers,
    largest_error,
    measure,
    meets,
    no_classes_text,
    noise,
)
from tfjs_magic.quantization.plot import Point, size_error_svg
from tfjs_magic.quantization.runner import runner
from tfjs_magic.quantization.samples import Part, split_samples
from tfjs_magic.tables import aligned, data_frame, html_table, size_text
from tfjs_magic.writers.summary import gzipped_bytes

if TYPE_CHECKING:
    import pandas as pd

    from tfjs_magic.bench.widget import Benchmark
    from tfjs_magic.headless.benchmark import HeadlessBenchmark

_BOUNDS: Sequence[Mapping[str, Any]] = ({"max_error": 0.01}, {"max_error": 0.05}, {"max_error": 0.001})
#: What accuracy may lose where labels are given and no bound is.
_ACCURACY_LOSS = 0.01
_COLUMNS = ("way", "bytes", "share", "gzip", "error", "max_error", "top1", "accuracy", "keeps")


@dataclasses.dataclass(frozen=True, repr=False)
class QuantizationReport:
    """What each way to quantize a model weighs and loses.

    Attributes:
        models: Way → the converted model: "float32", "float16", "uint16", "uint8", "auto, max_error=0.01", ….
        rows: One record per way: way, bytes (of all weights), share (of float32's), gzip (bytes, estimated), error
            (root mean squared error of the outputs, relative to them), max_error (relative to the largest value), top1
            (share of examples with the same first class as in float32) and accuracy (share whose first class is the
            label), None where there are no classes or labels, and keeps: whether it stays within ``bound``.
        chosen: The smallest download that does; "" if none does.
        bound: The bound that chooses: the first that was asked for.
        notes: How it was measured, and what could not be had.
    """

    models: Mapping[str, TfjsModel]
    rows: Sequence[Mapping[str, Any]]
    chosen: str
    bound: str
    notes: Sequence[str]

    @property
    def model(self) -> TfjsModel:
        """The chosen one.

        Raises:
            OptionError: None stays within the bound.
        """
        if not self.chosen:
            raise OptionError(f"No way to quantize keeps {self.bound}; .models has them all.")
        return self.models[self.chosen]

    def benchmark(self, **options: Any) -> Benchmark | HeadlessBenchmark:
        """Let all of them take turns in this notebook's browser, or in ``browser=``; see ``tfjs_magic.benchmark``."""
        from tfjs_magic.benchmarking import benchmark  # noqa: PLC0415 - imports anywidget

        return benchmark(self.models, **options)

    def to_dataframe(self) -> pd.DataFrame:
        """Return ``rows`` as a pandas DataFrame.

        Raises:
            ImportError: pandas is not installed.
        """
        return data_frame(self.rows, _COLUMNS)

    def to_json(self, *, indent: int | None = None) -> str:
        """Return all but the models as JSON text; a number that is none is null."""
        fields = {"chosen": self.chosen, "bound": self.bound, "notes": list(self.notes)}
        rows = [{key: _json_value(value) for key, value in row.items()} for row in self.rows]
        return json.dumps({**fields, "rows": rows}, indent=indent, allow_nan=False)

    def to_svg(self) -> str:
        """Return the plot of size against error."""
        points = [Point(row["way"], row["bytes"], row["error"], row["way"] == self.chosen) for row in self.rows]
        return size_error_svg(points)

    def _repr_html_(self) -> str:
        columns, cells = self._table()
        chosen = [number for number, row in enumerate(self.rows) if row["way"] == self.chosen]
        first, *others = (f"<p>{html.escape(printable(line))}</p>" for line in (self._sentence(), *self.notes))
        table = html_table(columns, cells, bold=chosen)
        scrolled = f'<div style="overflow-x:auto;white-space:nowrap">{table}</div>'
        return f'<div class="tfjs-magic-quantization">{first}{self.to_svg()}{scrolled}{"".join(others)}</div>'

    def __repr__(self) -> str:
        columns, cells = self._table()
        return "\n".join([*aligned([columns, *cells]), *map(printable, (self._sentence(), *self.notes))])

    def _sentence(self) -> str:
        if not self.chosen:
            return f"None keeps {self.bound}."
        return f"Chosen: '{self.chosen}', the smallest that keeps {self.bound}: .model has it, .benchmark() times all."

    def _table(self) -> tuple[list[str], list[list[str]]]:
        used = [key for key in _COLUMNS if any(row[key] is not None for row in self.rows)]
        titles = {"bytes": "size", "share": "of float32", "max_error": "largest error", "top1": "same first class"}
        return [titles.get(key, key) for key in used], [[_cell(key, row[key]) for key in used] for row in self.rows]


def quantization_report(
    model: object,
    samples: Any,
    labels: Any = None,
    *,
    bounds: Sequence[Mapping[str, Any]] | None = None,
    format: Format = "auto",  # noqa: A002 - as in convert
    held_back: float = 0.25,
    progress: Progress | None = None,
) -> QuantizationReport:
    """Quantize a model in every way, and measure what each weighs and loses.

    Args:
        model: Anything that ``convert`` takes.
        samples: As of :class:`~tfjs_magic.AutoQuantize`: real data.
        labels: (examples,): the right classes, for the accuracy.
        bounds: Of ``AutoQuantize``, each of them is searched for: ``[{"max_error": 0.01}, {"min_top1": 0.99}]``. The
            first one chooses. By default three errors, and where there are labels first of all 0.01 less accuracy
            than in float32, on the samples of the searches or on the others, whichever is less.
        format: As of ``convert``.
        held_back: Share of the samples, the last ones, on which all is measured, and which no search has seen.
        progress: Called with the name of each step that begins.

    Raises:
        ConversionError: The model cannot be converted.
        ValueError: The samples, the labels or a bound do not fit.
    """
    exact = convert(model, format=format, progress=progress)
    if any(spec.quantization for group in exact.groups for spec in group.specs):
        raise UnsupportedModelError(
            f"{exact.report.source} is quantized already, so that nothing tells what it lost. Report on its source."
        )
    seen, held = split_samples(exact, samples, labels, held_back)
    scale = _Scale(exact, held or seen)
    right = scale.accuracy()
    if bounds is None:
        bounds = (*_accuracy_bound([scale, _Scale(exact, seen)]), *_BOUNDS)
    if not bounds:
        raise OptionError("bounds is empty; expected at least one, such as {'max_error': 0.01}.")
    if isinstance(bounds, (str, Mapping)) or not all(isinstance(bound, Mapping) for bound in bounds):
        raise OptionError(f"bounds is {bounds!r}; expected a list of dicts, such as [{{'max_error': 0.01}}].")
    if unknown := {name for bound in bounds for name in bound} - {*BOUNDS, "metric"}:
        raise OptionError(f"bounds name {quoted_list(unknown)}; expected one of {', '.join(BOUNDS)} in each.")
    autos = [AutoQuantize(samples=samples, labels=labels, held_back=held_back, **bound) for bound in bounds]
    ways: dict[str, Any] = {dtype: dtype for dtype in ("float16", "uint16", "uint8")}
    for auto in autos:
        ways[_fresh(f"auto, {bound_text(auto)}", ways)] = auto
    models, notes = {"float32": exact}, []
    for way, quantize in ways.items():
        try:
            models[way] = convert(model, format=format, quantize=quantize, progress=progress)
        except ConversionError as error:  # noqa: PERF203 - each way may fail by itself
            notes.append(f"{way}: {error}")
    rows = [scale.row(way, web, autos[0]) for way, web in models.items()]
    kept = [row for row in rows if row["keeps"]]
    chosen = min(kept, key=lambda row: row["bytes"])["way"] if kept else ""
    which = "the searches have seen, too" if held is None else "no search has seen"
    said = (
        f"Measured on {scale.part.examples} samples, which {which}. TF.js computes in float32: none of them is faster."
    )
    if labels is not None and right is None:
        notes.append(f"There is no accuracy: {scale.no_accuracy()}")
    return QuantizationReport(models, rows, chosen, bound_text(autos[0]), (said, *notes))


def _accuracy_bound(scales: Sequence[_Scale]) -> list[dict[str, float]]:
    """Return what float32 has on each part of the samples, less what may be lost; nothing without classes."""
    right = [found for scale in scales if (found := scale.accuracy()) is not None]
    return [{"min_accuracy": max(round(min(right) - _ACCURACY_LOSS, 4), 0.0)}] if len(right) == len(scales) else []


def _fresh(name: str, taken: Container[str]) -> str:
    """Return a name for the way; two metrics may have the same bound."""
    numbered = (f"{name} ({count})" for count in itertools.count(2))
    return name if name not in taken else next(other for other in numbered if other not in taken)


class _Scale:
    """Measures models against the one in float32 on some samples."""

    def __init__(self, exact: TfjsModel, part: Part) -> None:
        self.exact, self.part = exact, part
        self._expected = part.outputs(runner(exact), {})

    def row(self, way: str, web: TfjsModel, first: AutoQuantize) -> dict[str, Any]:
        """Return a record of the report."""
        outputs = self._outputs(web)
        value = measure(first, self._expected, outputs, self.part.labels)
        sizes = {"bytes": web.nbytes, "share": web.nbytes / max(self.exact.nbytes, 1), "gzip": gzipped_bytes(web)}
        return {"way": way, **sizes, **self._losses(outputs), "keeps": meets(first, value)}

    def accuracy(self) -> float | None:
        """Return that of float32, if the labels are numbers of classes of the first output."""
        return self._accuracy(self._expected)

    def no_accuracy(self) -> str:
        """Say why there is none."""
        return no_classes_text(self.part.labels, self._expected[0])

    def _outputs(self, web: TfjsModel) -> Outputs:
        return self._expected if web is self.exact else self.part.outputs(runner(web), {})

    def _losses(self, outputs: Outputs) -> dict[str, float | None]:
        return {
            "error": noise(self._expected, outputs),
            "max_error": largest_error(self._expected, outputs),
            "top1": agreement(self._expected, outputs),
            "accuracy": self._accuracy(outputs),
        }

    def _accuracy(self, outputs: Outputs) -> float | None:
        if self.part.labels is None or class_numbers(self.part.labels, outputs[0]) is None:
            return None
        return accuracy(self.part.labels, outputs[0])


def _json_value(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _cell(key: str, value: Any) -> str:
    if value is None:
        return ""
    if key == "keeps":
        return "yes" if value else "no"
    if key in {"bytes", "gzip"}:
        return size_text(value)
    if key in {"share", "top1", "accuracy"}:
        return f"{value:.3f}"
    return f"{value:.1e}" if key in {"error", "max_error"} else printable(str(value))
