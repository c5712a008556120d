"""``docs/coverage.md``, from the outcomes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from tests.sweep.subject import TRIED, Outcome
from tfjs_magic.options import Backend

TABLE = Path(__file__).parents[2] / "docs" / "coverage.md"
_REASONS = "refused, or not on every backend"
_INTRODUCTION = """# What converts, exactly or not at all

As a graph model first, then the layers as layers models, which TF.js can train. `python -m tests.sweep --write` writes
this page: it builds every case, converts it, runs it in TF.js 4.22 and compares each output with TensorFlow's: the
largest error, relative to the largest value, must stay below 1e-5 (3e-4 on webgl and webgpu, whose functions are
approximate; 1e-4 for arithmetic, 2e-2 for `mixed_float16`, which TF.js computes in float32; for whole models five times
what Keras's own output moves when the input moves by two roundings). Weights and batch-norm statistics are random; two
samples differ.

Every case runs on cpu and wasm, in Node, and on webgl and webgpu, in Chromium with **a GPU in software**
(SwiftShader): see the README for a real one. Of the cases of a row, a layer's class or a function, those run on the
two GPU backends whose kernels (with their options, and the ranks and dtypes of what they take) are not all in earlier
ones; of whole models, those of up to 5 M parameters. The others are **left out** there. One model after the other is
loaded into the same process, and runs sample A, sample B and A again; on the GPU backends all three twice: as TF.js
does it by default, where it leaves tensors of few values to the cpu, and with everything on the GPU.

`31 of 34` means that 31 cases are right on a backend, of the 34 that were its turn; `34`, that all are. **reported**:
the conversion says what the backend lacks, so the case does not run there, or which values come out otherwise: the
case is wrong with these, and right with others. The row names it. **refused** means one sentence and no model.
**unproved**: TF.js reads from WebGPU what it has just computed, which a GPU in software cannot do. **finite**:
infinities and NaN, which drivers need not keep, are fed or are the result; with other values, or but for these, the
case is exact. Cases that Keras or TensorFlow itself cannot compute are not counted; **–** marks them where they would
have a row.

Known, and not mended by any conversion: TF.js's kernels differ in what they make of NaN (`Maximum`, `Minimum` and
`Relu6` drop it on wasm, `Sign` gives 0; webgl says that 0 / 0 is 1), and in sums and products that overflow int32.
Fed no rows, models may give another shape, or fail; so does what scatters nothing on a GPU, or maps over nothing.
Soft suppression of boxes drops one of two that are equal.
"""


_EVERY = {
    "Layers of Keras": "Every class of `keras.layers`, with each option that changes what it computes. ",
    "Layers at the edges": "Every class on data of other ranks, and with options that are infinite or not a number. ",
}


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
        what = _EVERY.get(title.partition(",")[0], "")
        lines += [f"## {title}\n", f"{what}{_counts(title, section)}\n"]
        columns = ["of", "cases", *TRIED] if _of_layers(title) else ["case", *TRIED]
        lines += [f"| {' | '.join([*columns, _REASONS])} |", "|---" * (len(columns) + 1) + "|", *section.values(), ""]
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


def _counts(title: str, section: Mapping[str, str]) -> str:
    """Say how many cases are exact where, and how many refused; a row with a wrong one is never written."""
    cells = [row.removeprefix(f"| {key} | ").split(" | ") for key, row in section.items()]
    cases = sum(int(row[0]) for row in cells) if _of_layers(title) else sum(row[0] != "–" for row in cells)
    exact = [
        sum(map(_exact_in, column)) for column in list(zip(*cells, strict=True))[_of_layers(title) :][: len(TRIED)]
    ]
    counted = ", ".join(f"{n} {name}" for n, name in zip(exact, TRIED, strict=True) if n)
    return f"Of {cases} cases, {counted} exact; 0 wrong."


def _exact_in(cell: str) -> int:
    number = cell.partition(" ")[0]
    return int(number) if number.isdigit() else number == "exact"


def _of_class(layer: str, results: Mapping[str, Outcome]) -> str:
    counted = {name: result for name, result in results.items() if result.kind != "none"}
    cells = [_ran(backend, counted.values()) for backend in TRIED]
    return f"| {layer} | {len(counted)} | {' | '.join(cells)} | {'; '.join(_grouped(layer, counted))} |"


def _ran(backend: Backend, results: Collection[Outcome]) -> str:
    """Return how many cases are exact on a backend, of those that ran there or might have."""
    states = [result.backends.get(backend, "refused") for result in results]
    exact, ran = states.count("exact"), len(states) - states.count("left out")
    if states and not ran:
        return "–"
    return str(exact) if exact == ran == len(states) else f"{exact} of {ran}"


def _of_case(key: str, results: Mapping[str, Outcome]) -> str:
    (result,) = results.values()
    if result.kind == "none":
        return f"| {key} |{' – |' * len(TRIED)} |"
    cells = [result.backends.get(backend, result.kind) for backend in TRIED]
    reason = "executeAsync; " * result.asynchronous + _reason(result)
    return f"| {key} | {' | '.join(cells)} | {reason.removesuffix('; ')} |"


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
    advice = "Instead, |Sizes that are known|To begin behind|Replace the |Replace them|Look the values up|Nor can it"
    text = re.sub(rf"\s*({advice}).*", "", text)
    if " cannot become a layers model. " in text:
        text = text.partition(" cannot become a layers model. ")[2]
        text = re.sub(r"(\d+ layers,|Layer) ('[^']*'(, )?)+: ", "", text)
        text = re.sub(r" Convert the model with format='graph'(, or [^.]*)?(\.|$)", "", text)
    text = re.sub(r"^(Keras model|Function) '[^']*'", "it", text)
    return _cell(text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
