"""``docs/coverage.md``, from the outcomes."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.sweep.subject import Outcome

TABLE = Path(__file__).parents[2] / "docs" / "coverage.md"
_INTRODUCTION = """# What converts, exactly or not at all

As a graph model first, then the layers as layers models, which TF.js can train. Written by `python -m tests.sweep`: it
builds every case, converts it, runs it in TF.js 4.22 on cpu and wasm and compares each output with TensorFlow's: the
largest error, relative to the largest value, must stay below 1e-5 (1e-4 for arithmetic, 2e-2 for `mixed_float16`, which
TF.js computes in float32; for whole models five times what Keras's own output moves when the input moves by two
roundings). Weights and batch-norm statistics are random; two samples differ.

**exact** means so on both backends; where one lacks an op, the conversion reports it, and the other one ran.
**refused** means one sentence and no model. Cases that Keras or TensorFlow itself cannot compute are not counted.

Known, and not mended by any conversion: TF.js's kernels differ in what they make of NaN (`Maximum`, `Minimum` and
`Relu6` drop it on wasm, `Sign` gives 0), and in sums that overflow int32.
"""


def table(found: Mapping[str, Mapping[str, Outcome]]) -> str:
    """Return the page."""
    lines = [_INTRODUCTION]
    for title, outcomes in found.items():
        lines += [f"## {title}\n", *(_by_class(outcomes) if title.startswith("Layers") else _by_case(outcomes)), ""]
    return "\n".join(lines).rstrip() + "\n"


def _counts(outcomes: Mapping[str, Outcome]) -> str:
    counts = collections.Counter(result.kind for result in outcomes.values())
    return f"{counts['exact']} exact, {counts['refused']} refused, {counts['wrong']} wrong.\n"


def _by_class(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    yield f"Every class of `keras.layers`, with each option that changes what it computes: {_counts(outcomes)}"
    yield "| layer | exact | refused, or not on both backends |\n|---|---|---|"
    classes: dict[str, dict[str, Outcome]] = {}
    for name, result in outcomes.items():
        if result.kind != "none":
            classes.setdefault(re.split(r"[( ]", name, maxsplit=1)[0], {})[name] = result
    for layer, results in classes.items():
        exact = sum(result.kind == "exact" for result in results.values())
        yield f"| {layer} | {exact} of {len(results)} | {'; '.join(_grouped(layer, results))} |"


def _grouped(layer: str, results: Mapping[str, Outcome]) -> Iterator[str]:
    """Return each reason once, with the options that it befalls; without those if it befalls all."""
    options: dict[str, list[str]] = {}
    for name, result in results.items():
        if result.kind != "exact" or result.detail:
            options.setdefault(_reason(result), []).append(name.removeprefix(layer))
    for reason, names in options.items():
        shown = "always" if len(names) == len(results) else _cell(", ".join(f"`{name}`" for name in names))
        yield f"{shown}: {reason}"


def _by_case(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    yield _counts(outcomes)
    yield "| case | outcome |\n|---|---|"
    for name, result in outcomes.items():
        if result.kind != "none":
            note = "" if result.kind == "exact" and not result.detail else f": {_reason(result)}"
            asynchronous = " (executeAsync)" if result.asynchronous else ""
            yield f"| {_cell(name)} | {result.kind}{asynchronous}{note} |"


def _reason(result: Outcome) -> str:
    """Return the first sentence, without the names of nodes and models."""
    text = re.sub(r" \(node [^)]*\)", "", result.detail)
    text = re.sub(r"\s*(Replace the layers that|Replace them|Look the values up).*", "", text)
    if " cannot become a layers model. " in text:
        text = text.partition(" cannot become a layers model. ")[2]
        text = re.sub(r"(\d+ layers,|Layer) ('[^']*'(, )?)+: ", "", text)
        text = re.sub(r" Convert the model with format='graph'(, or [^.]*)?(\.|$)", "", text)
    text = re.sub(r"^(Keras model|Function) '[^']*'", "it", text)
    return _cell(text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
