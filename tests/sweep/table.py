"""``docs/coverage.md``, from the outcomes."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.sweep.subject import Outcome

TABLE = Path(__file__).parents[2] / "docs" / "coverage.md"
_INTRODUCTION = """# What converts, exactly or not at all

As a graph model first, then the layers as layers models, which TF.js can train. `python -m tests.sweep --write` writes
this page: it builds every case, converts it, runs it in TF.js 4.22 on cpu and wasm and compares each output with
TensorFlow's: the largest error, relative to the largest value, must stay below 1e-5 (1e-4 for arithmetic, 2e-2 for
`mixed_float16`, which TF.js computes in float32; for whole models five times what Keras's own output moves when the
input moves by two roundings). Weights and batch-norm statistics are random; two samples differ.

**exact** means so on both backends; where one lacks an op, the conversion reports it, and the other one ran.
**refused** means one sentence and no model. Cases that Keras or TensorFlow itself cannot compute are not counted; **–**
marks them where they would have a row of their own.

Known, and not mended by any conversion: TF.js's kernels differ in what they make of NaN (`Maximum`, `Minimum` and
`Relu6` drop it on wasm, `Sign` gives 0), and in sums that overflow int32.
"""


def key_of(title: str, name: str) -> str:
    """Return what begins the row of a case: the layer's class, or the case's own name."""
    return re.split(r"[( ]", name, maxsplit=1)[0] if _of_layers(title) else _cell(name)


def rows(title: str, outcomes: Mapping[str, Outcome]) -> dict[str, str]:
    """Return key → row of the outcomes, which are all those of each row."""
    of_row: dict[str, dict[str, Outcome]] = {}
    for name, result in outcomes.items():
        of_row.setdefault(key_of(title, name), {})[name] = result
    return {key: (_of_class if _of_layers(title) else _of_case)(key, results) for key, results in of_row.items()}


def page(sections: Mapping[str, Mapping[str, str]]) -> str:
    """Return the page: group → key → row."""
    lines = [_INTRODUCTION]
    for title, section in ((title, section) for title, section in sections.items() if section):
        exact, refused = _counts(title, section)
        every = "Every class of `keras.layers`, with each option that changes what it computes: "
        what = every * title.startswith("Layers")
        lines += [f"## {title}\n", f"{what}{exact} exact, {refused} refused, 0 wrong.\n"]
        head = "of | exact | refused, or not on both backends" if _of_layers(title) else "case | outcome"
        lines += [f"| {head} |", "|---" * (head.count("|") + 1) + "|", *section.values(), ""]
    return "\n".join(lines).rstrip() + "\n"


def committed() -> dict[str, dict[str, str]]:
    """Return the page's rows: group → key → row."""
    _, *sections = re.split(r"^## ", TABLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {
        section.partition("\n")[0]: {
            line[2:].partition(" | ")[0]: line for line in section.partition("\n|---")[2].splitlines()[1:] if line
        }
        for section in sections
    }


def _of_layers(title: str) -> bool:
    return title.startswith(("Layers", "Functions of"))


def _counts(title: str, section: Mapping[str, str]) -> tuple[int, int]:
    """Return how many cases are exact, and how many refused; a row with a wrong one is never written."""
    if _of_layers(title):
        pairs = [re.findall(r"\d+", row.split(" | ")[1]) for row in section.values()]
        exact, every = (sum(map(int, column)) for column in zip(*pairs, strict=True))
        return exact, every - exact
    kinds = collections.Counter(re.split(r"[ :]", row.removeprefix(f"| {key} | "))[0] for key, row in section.items())
    return kinds["exact"], kinds["refused"]


def _of_class(layer: str, results: Mapping[str, Outcome]) -> str:
    counted = {name: result for name, result in results.items() if result.kind != "none"}
    exact = sum(result.kind == "exact" for result in counted.values())
    return f"| {layer} | {exact} of {len(counted)} | {'; '.join(_grouped(layer, counted))} |"


def _of_case(key: str, results: Mapping[str, Outcome]) -> str:
    (result,) = results.values()
    if result.kind == "none":
        return f"| {key} | – |"
    note = "" if result.kind == "exact" and not result.detail else f": {_reason(result)}"
    return f"| {key} | {result.kind}{' (executeAsync)' if result.asynchronous else ''}{note} |"


def _grouped(layer: str, results: Mapping[str, Outcome]) -> Iterator[str]:
    """Return each reason once, with the options that it befalls; without those if it befalls all."""
    options: dict[str, list[str]] = {}
    for name, result in results.items():
        if result.kind != "exact" or result.detail:
            options.setdefault(_reason(result), []).append(name.removeprefix(layer))
    for reason, names in options.items():
        shown = "always" if len(names) == len(results) else _cell(", ".join(f"`{name}`" for name in names))
        yield f"{shown}: {reason}"


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
