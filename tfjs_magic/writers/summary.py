"""The summary of a conversion, as text and as HTML. Every name of the model is escaped."""

from __future__ import annotations

import collections
import html
import math
import zlib
from collections.abc import Iterable, Iterator

from tfjs_magic.artifacts import Artifacts, ConversionReport, TensorInfo
from tfjs_magic.errors import printable
from tfjs_magic.tables import size_text

_LOAD_CALL = {"layers-model": "tf.loadLayersModel", "graph-model": "tf.loadGraphModel"}
_MOST_OPS = 12
_MOST_REASONS = 12
_MOST_MISSES = 3
#: Measured on trained networks of any dtype: its level 5 saves half a percent, its highest up to five.
_BROTLI = "0 to 5 % less"
#: By which the length under gzip is estimated.
_PIECE_BYTES, _MOST_PIECES = 2**16, 16


def summary_text(model: Artifacts) -> str:
    """Return the summary as plain text, for a terminal and a screen reader."""
    return "\n".join([_title(model), *(f"  {label}: {text}" for label, text in _rows(model))])


def summary_html(model: Artifacts) -> str:
    """Return the summary as HTML that follows the notebook's theme."""
    rows = "".join(
        f'<tr><th scope="row" style="{_HEAD}">{html.escape(label)}</th>'
        f'<td style="{_CELL}">{html.escape(text)}</td></tr>'
        for label, text in _rows(model)
    )
    return (
        f'<div class="tfjs-magic-summary" style="overflow-x:auto"><table style="border-collapse:collapse;margin:4px 0">'
        f'<caption style="text-align:left;font-weight:600;padding:2px 0">{html.escape(_title(model))}</caption>'
        f"<tbody>{rows}</tbody></table></div>"
    )


_HEAD = "text-align:left;vertical-align:top;font-weight:600;padding:2px 12px 2px 0;white-space:nowrap"
_CELL = "text-align:left;vertical-align:top;padding:2px 0;overflow-wrap:anywhere;white-space:pre-wrap;max-width:72ch"


def _title(model: Artifacts) -> str:
    kind = model.format.replace("-", " ")
    return f"{printable(model.report.source)} → TensorFlow.js {kind}, {size_text(model.nbytes)} of weights"


def _lines(sentences: Iterable[str]) -> str:
    return "\n".join(map(printable, sentences))


def _rows(model: Artifacts) -> Iterator[tuple[str, str]]:
    report = model.report
    reasons = list(report.reasons[:_MOST_REASONS])
    if hidden := len(report.reasons) - len(reasons):
        reasons.append(f"… and {hidden} more reasons in .report.reasons")
    yield "format", f"{model.format}. {_lines(reasons)}"
    yield (
        "training",
        (
            f"trainable in TF.js. {report.speed}".strip()
            if report.trainable
            else "inference only; a layers model would be trainable."
        ),
    )
    yield "load in JavaScript", f"const model = await {_LOAD_CALL[model.format]}('model.json');"
    yield "inputs", _lines(map(_tensor_text, model.inputs))
    yield "outputs", _lines(map(_tensor_text, model.outputs))
    shards = sum(len(group.shard_names) for group in model.groups)
    yield (
        "size",
        f"{size_text(model.nbytes)} of weights in {shards} file{'s' * (shards != 1)}{_quantization_text(model)}",
    )
    if report.ops:
        shown = ", ".join(f"{op} × {count}" for op, count in list(report.ops.items())[:_MOST_OPS])
        more = f" … and {len(report.ops) - _MOST_OPS} other kinds" if len(report.ops) > _MOST_OPS else ""
        kind = "layers" if model.format == "layers-model" else "executed ops"
        yield kind, printable(f"{sum(report.ops.values())}: {shown}{more}")
    if report.backends:
        yield (
            "backends",
            ", ".join(
                f"{name} lacks or miscomputes {printable(', '.join(missing))}" if missing else f"{name} ✓"
                for name, missing in report.backends.items()
            ),
        )
    if misses := _misses(report):
        yield "passes", printable(misses)
    caveats = dict.fromkeys(sentence for sentences in report.caveats.values() for sentence in sentences)
    if report.notes or caveats:
        yield "notes", _lines([*report.notes, *caveats])
    if report.advice:
        yield "advice", _lines(report.advice)
    if report.seconds:
        split = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in report.seconds.items())
        yield "converted in", f"{sum(report.seconds.values()):.2f} s ({split})"


def _misses(report: ConversionReport) -> str:
    """Say where passes found their pattern and had to leave it, the most frequent reasons first."""
    counts: collections.Counter[str] = collections.Counter()
    for one in report.passes:
        counts.update(one.misses)
    reasons = [f"{reason} ({count})" for reason, count in counts.most_common(_MOST_MISSES)]
    if hidden := len(counts) - len(reasons):
        reasons.append(f"{hidden} other reasons")
    total = sum(counts.values())
    return f"{total} fold{'s' * (total != 1)} did not apply: {', '.join(reasons)}; see .report.passes" if counts else ""


def _tensor_text(info: TensorInfo) -> str:
    shape = "any shape" if info.shape is None else f"[{', '.join('?' if d is None else str(d) for d in info.shape)}]"
    return f"{info.name}: {info.dtype} {shape}"


def _quantization_text(model: Artifacts) -> str:
    dtypes: dict[str, int] = {}
    for group in model.groups:
        for spec in group.specs:
            if spec.quantization is not None:
                dtypes[spec.quantization.dtype] = dtypes.get(spec.quantization.dtype, 0) + 1
    if not dtypes:
        return ""
    stored = "".join(f", {count} as {dtype}" for dtype, count in sorted(dtypes.items()))
    decoded = sum(math.prod(spec.shape) * 4 for group in model.groups for spec in group.specs)
    return (
        f"{stored}; about {size_text(gzipped_bytes(model))} where the server sends gzip ({_BROTLI} with brotli), "
        f"{size_text(decoded)} in the browser's memory. TF.js computes in float32: it is no faster."
    )


def gzipped_bytes(model: Artifacts) -> int:
    """Estimate the length under gzip from pieces that are spread over the weights."""
    pieces = max(1, min(_MOST_PIECES, model.nbytes // _PIECE_BYTES))
    plain = compressed = 0
    for group in model.groups:
        for i in range(pieces):
            piece = b"".join(group.slices(i * group.nbytes // pieces, _PIECE_BYTES))
            plain += len(piece)
            compressed += len(zlib.compress(piece))
    return model.nbytes * compressed // max(plain, 1)
