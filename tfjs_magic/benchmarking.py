"""``benchmark``: models of any kind, converted where they are not yet, in the notebook's browser."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from tfjs_magic.artifacts import Artifacts
from tfjs_magic.bench.widget import Benchmark
from tfjs_magic.errors import OptionError
from tfjs_magic.headless.benchmark import HeadlessBenchmark
from tfjs_magic.headless.driver import check_target
from tfjs_magic.headless.target import read_target
from tfjs_magic.model import load
from tfjs_magic.options import DEFAULT_RUNS, Backend, BenchmarkOptions
from tfjs_magic.pipeline import convert
from tfjs_magic.sources.paths import kind_of


def benchmark(
    models: object,
    *,
    backends: Backend | Sequence[Backend] | None = None,
    runs: int = DEFAULT_RUNS,
    min_time: float = 0,
    warmup: int | Literal["auto"] = "auto",
    samples: object = None,
    tolerance: float | None = None,
    seed: int = 0,
    batch: int | Sequence[int] = (),
    profile: bool = False,
    class_names: Sequence[str] | None = None,
    pixels: str | None = None,
    browser: str | None = None,
) -> Benchmark | HeadlessBenchmark:
    """Make a benchmark that runs models in a browser and compares them with Python.

    Without ``browser`` it is a widget, which runs in the page that shows this notebook.

    Args:
        models: A TfjsModel, a path to a TensorFlow.js model, anything that ``convert`` takes, or a list of these; or a
            mapping label → one of these, whose words name them in plot, table and data.
        backends: "webgpu", "webgl", "wasm", "cpu": one or several, in the order to run; None for the fastest that
            works on real hardware.
        runs: Timed runs per model and backend; more until ``min_time`` is reached too.
        min_time: Seconds spent in them, per model and backend.
        warmup: Runs before them, shown apart; "auto" ends when latencies are stable.
        samples: Input name → array (first axis: examples), one array, or one per input; None for seeded ones. Also a
            list of these whose sizes differ, where a model leaves them open: each is timed.
        tolerance: Your own bound on the error relative to the largest value, instead of the built-in ones.
        seed: Seeds the samples, and the order in which several models or backends take turns.

        profile: Show where the time goes, kernel by kernel, once all have run; ``result.profile()`` gives it.
        class_names: Names of the outputs, shown where the reader tries a picture on a model that takes one.
        pixels: What the model expects of a picture: "0..1", "-1..1" or "0..255"; the reader can choose, too.
        batch: Examples per call: one or several sizes, each is timed. Models must leave their batch open.
        browser: "chrome", "firefox", "edge", "safari", or the URL of a Selenium Grid with capabilities as its query,
            such as "http://localhost:4444?browserName=firefox": opened without a window and closed at the end, which
            needs no notebook. ``await bench`` or ``bench.result`` runs it.

    Raises:
        ValueError: An option or the samples do not fit.
        TfjsMagicError: A model cannot be loaded or converted, or the browser files are not built; Selenium, the browser
            or its driver is missing.
    """
    options = BenchmarkOptions(
        backends=[backends] if isinstance(backends, str) else backends,
        runs=runs,
        min_time=min_time,
        warmup=warmup,
        samples=samples,
        tolerance=tolerance,
        seed=seed,
        profile=profile,
        class_names=class_names,
        pixels=pixels,
        batch=(batch,) if isinstance(batch, int) else batch,
        browser=browser,
    )
    target = None if browser is None else read_target(browser)
    if target is not None:
        check_target(target)
    converted = {label: _converted(model) for label, model in labelled(models).items()}
    return Benchmark.of(converted, options) if target is None else HeadlessBenchmark.of(converted, options, target)


def labelled(models: object) -> dict[str, object]:
    """Return label → model of one, of a list, or of a mapping that has labels already.

    Raises:
        OptionError: There is none, or one without a name.
    """
    if isinstance(models, Mapping):
        pairs = [(str(label), model) for label, model in models.items()]
    else:
        sequence = models if isinstance(models, (list, tuple)) else [models]
        pairs = [(_label(model), model) for model in sequence]
    # Half surrogates, which no message can carry, become escapes.
    found = told_apart((label.encode(errors="backslashreplace").decode(), model) for label, model in pairs)
    if blank := [label for label in found if not label.strip()]:
        raise OptionError(f"a model is called {blank[0]!r}; expected a name that plot and table can show.")
    if not found:
        raise OptionError("models is empty; expected at least one model.")
    return found


def told_apart(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Return label → model; a label that is there already gets a number: "web", "web (2)"."""
    labelled: dict[str, object] = {}
    for label, model in pairs:
        names = itertools.chain([label], (f"{label} ({number})" for number in itertools.count(2)))
        labelled[next(name for name in names if name not in labelled)] = model
    return labelled


def _label(model: object) -> str:
    if isinstance(model, Artifacts):
        return model.report.name
    if isinstance(model, (str, Path)):
        return Path(model).name or str(model)
    return str(getattr(model, "name", type(model).__name__))


def _converted(source: object) -> Artifacts:
    if isinstance(source, Artifacts):
        return source
    if isinstance(source, (str, Path)) and kind_of(source) == "TensorFlow.js model":
        return load(source)
    return convert(source)
