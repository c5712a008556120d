"""``%tfjs_convert``, ``%%tfjs_convert`` and ``%tfjs_benchmark``."""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import html
import re
import threading
import uuid
from argparse import Namespace
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand
from IPython.display import display, publish_display_data

from tfjs_magic.errors import TfjsMagicError
from tfjs_magic.flags import BOUND, in_flags, merged, with_bound
from tfjs_magic.notebook import completion
from tfjs_magic.notebook.body import AwaitTransform, Body
from tfjs_magic.notebook.line import (
    BENCHMARK_ARGUMENTS,
    CONVERT_ARGUMENTS,
    Expander,
    Later,
    benchmark_line,
    convert_line,
    is_expression,
    unknown_name,
)
from tfjs_magic.notebook.names import convertible_in, find_source, label_of, models_in, unknown_root
from tfjs_magic.notebook.native_stderr import native_stderr_silenced
from tfjs_magic.options import BOTH, BenchmarkOptions, ConvertOptions, Format

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from tfjs_magic.bench.result import BenchmarkResult
    from tfjs_magic.bench.widget import Benchmark
    from tfjs_magic.headless.benchmark import HeadlessBenchmark
    from tfjs_magic.model import TfjsModel

    AnyBenchmark = Benchmark | HeadlessBenchmark

#: What binds names that do not stand in the body.
_BINDS_UNSEEN = re.compile(r"^\s*[%!]|\bimport\s*\*|\b(exec|eval|globals|setattr)\b", re.MULTILINE)
_NOBODY_MAKES_IT = "there is no such variable, and the cell makes none"
#: A step that takes longer than this is named while it lasts.
STATUS_DELAY_S = 1.0

_CONVERT = convert_line()
_BENCHMARK = benchmark_line()

_CONVERT_HELP = f"""Convert a model to TensorFlow.js and benchmark it in this notebook's browser.

Shows what came out (format, size, ops, the line of JavaScript that loads it), then runs it in the browser: compares
its outputs with Python's, warms up, and plots the latency of every run.

{_CONVERT.help}
SOURCE is a variable (model, models["a"], nets[0].encoder), an expression in braces ({{make_model()}}), or the path of
a .keras or .h5 file or a SavedModel directory; ./model is always a path. {{expr}} works in every option too.

Above a cell, the body runs first, as any cell does. Then SOURCE is converted; without SOURCE, the value of the last
expression; without that, the one model that the body assigns.

Examples
    %tfjs_convert model
    %tfjs_convert model --format graph --quantize float16 --save web_model -o web
    %tfjs_convert model --quantize auto --max-error 0.01 --samples x_test[:200]
    %tfjs_convert ./saved_model --input image=1,224,224,3 --no-benchmark

    %%tfjs_convert --backend wasm,webgl --runs 50 --samples x_test[:4] -o web
    model = keras.applications.MobileNetV2()
    model

The result is the benchmark: `bench = _` in the next cell, then `await bench` or `bench.result` for the numbers.
Run the cell again, and the difference from its last numbers stands below.
"""

_BENCHMARK_HELP = f"""Benchmark models side by side in this notebook's browser.

{_BENCHMARK.help}
SOURCE is a converted model (%tfjs_convert model -o web), the directory of a TensorFlow.js model, or anything that
%tfjs_convert takes.

Examples
    %tfjs_benchmark web
    %tfjs_benchmark web --browser chrome
    %tfjs_benchmark float32 quantized ./old_model --backend wasm,webgl --runs 100 --min-time 5
    bench = %tfjs_benchmark web
"""


@magics_class
class TfjsMagics(Magics):  # type: ignore[misc]
    """The magics of one shell, and the benchmarks that its cells show."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._live: dict[str, tuple[object, list[AnyBenchmark]]] = {}
        self._measured: dict[str, list[BenchmarkResult | None]] = {}
        self._saved: set[tuple[str, _Stamp | None]] = set()

    @no_var_expand  # type: ignore[untyped-decorator]
    @line_cell_magic  # type: ignore[untyped-decorator]
    def tfjs_convert(  # noqa: D102 - below
        self, line: str, cell: str | None = None
    ) -> AnyBenchmark | Coroutine[Any, Any, AnyBenchmark | None] | None:
        with _one_line_errors():
            arguments = _CONVERT.parse(line)
            if arguments.help:
                _show(_CONVERT_HELP)
                return None
            self._check_target(arguments)
            _check_options(arguments)
            if cell is not None:
                self._check_names(arguments, cell)
            if cell is None and arguments.source is None:
                raise UsageError(
                    "%tfjs_convert lacks its SOURCE: name a variable or a path; %tfjs_convert? shows help."
                )
        if cell is None:
            return self._convert(arguments, line, None)
        # IPython 8 counts the cell after running it, 9 before; its display hook knows.
        body = Body(self.shell, cell, number=self.shell.displayhook.prompt_count)
        if body.is_async:
            return self._convert_after(body, arguments, line)
        body.run()
        return self._convert(arguments, line, body)

    @no_var_expand  # type: ignore[untyped-decorator]
    @line_magic  # type: ignore[untyped-decorator]
    def tfjs_benchmark(self, line: str) -> AnyBenchmark | None:  # noqa: D102 - below
        with _one_line_errors():
            arguments = _BENCHMARK.parse(line)
            if arguments.help:
                _show(_BENCHMARK_HELP)
                return None
            _check_options(arguments)
            if not arguments.source:
                raise UsageError(
                    "%tfjs_benchmark lacks its SOURCE: name at least one model; %tfjs_benchmark? shows help."
                )
            self._close_earlier(line)
            models = [(label_of(word), find_source(word, self.shell.user_ns)) for word in arguments.source]
            return self._benchmark(models, self._benchmark_options(arguments), line)

    tfjs_convert.__doc__ = _CONVERT_HELP
    tfjs_benchmark.__doc__ = _BENCHMARK_HELP

    async def _convert_after(self, body: Body, arguments: Namespace, line: str) -> AnyBenchmark | None:
        await body.run_async()
        return self._convert(arguments, line, body)

    def _convert(self, arguments: Namespace, line: str, body: Body | None) -> AnyBenchmark | None:
        from tfjs_magic.pipeline import convert  # noqa: PLC0415 - imports numpy and more; the extension loads without

        with _one_line_errors():
            self._close_earlier(line)
            found, name, note = self._source(arguments.source, body)
            options = _given(arguments, CONVERT_ARGUMENTS, self.shell.user_ns)
            benchmarking = self._benchmark_options(arguments)
            options = with_bound(options, benchmarking.get("samples"))
            self._check_target(arguments)
            with _Status() as status, native_stderr_silenced():
                models = {
                    form: convert(found, progress=status.step, **options | given)
                    for form, given in _forms(arguments).items()
                }
            labelled = {}
            for form, made in models.items():
                notes = (note, *made.report.notes) if note else made.report.notes
                model = dataclasses.replace(made, report=dataclasses.replace(made.report, notes=notes))
                bind = f"{arguments.bind}_{form}" if arguments.bind and form else arguments.bind
                if bind and not arguments.dry_run:
                    self.shell.user_ns[bind] = model
                self._check_samples(model, arguments, benchmarking)
                display(model)
                labelled[form] = (bind or f"{name or model.report.name} {form}".strip(), model)
            return None if arguments.dry_run else self._use(labelled, arguments, line, benchmarking)

    def _source(self, word: str | None, body: Body | None) -> tuple[object, str, str]:
        """Return what is to be converted, its name (may be ""), and a sentence about where it was found."""
        if word is None:
            assert body is not None
            return body.model()
        if body is not None and (value := body.take_value()) is not None:
            display(value)
        return find_source(word, self.shell.user_ns), label_of(word), ""

    def _use(
        self,
        labelled: Mapping[str, tuple[str, TfjsModel]],
        arguments: Namespace,
        line: str,
        benchmarking: Mapping[str, Any],
    ) -> AnyBenchmark | None:
        save = _resolved(arguments.save, self.shell.user_ns)
        for form, (_, model) in labelled.items() if save is not None else ():
            directory = str(Path(save) / form) if form else save
            target = model.save(directory, overwrite=self._may_overwrite(directory, arguments))
            self._saved.add((self._cell_id(), _stamp(target)))
        if arguments.no_benchmark:
            return None
        return self._benchmark(labelled.values(), benchmarking, line)

    def _check_target(self, arguments: Namespace) -> None:
        """Refuse a ``--save`` that cannot be written before the body trains for an hour."""
        if isinstance(arguments.save, str) and not arguments.dry_run:
            from tfjs_magic.writers.directory import check_target  # noqa: PLC0415 - imports numpy

            for form in _forms(arguments):
                target = str(Path(arguments.save) / form) if form else arguments.save
                check_target(target, overwrite=self._may_overwrite(target, arguments))

    def _check_names(self, arguments: Namespace, cell: str) -> None:
        """Refuse what reads a name that neither is there nor stands anywhere in the body, before that runs."""
        if _BINDS_UNSEEN.search(cell):
            return

        def known(name: str) -> bool:
            there = name in self.shell.user_ns or hasattr(builtins, name)
            return there or re.search(rf"\b{re.escape(name)}\b", cell) is not None

        source = arguments.source
        if source is not None and (name := unknown_root(source, known)):
            if is_expression(source):
                raise UsageError(f"{source} reads '{name}', but {_NOBODY_MAKES_IT}.")
            find_source(source, self.shell.user_ns)  # says it
        for value in vars(arguments).values():
            for later in value if isinstance(value, list) else [value]:
                if isinstance(later, Later) and (name := unknown_name(later.word, known)):
                    raise UsageError(f"{later.flag} reads '{name}', but {_NOBODY_MAKES_IT}.")

    def _check_samples(self, model: TfjsModel, arguments: Namespace, benchmarking: Mapping[str, Any]) -> None:
        """Refuse the user's samples before a long summary hides that they do not fit."""
        if "samples" in benchmarking and not arguments.dry_run and not arguments.no_benchmark:
            from tfjs_magic.bench.feeds import check_samples  # noqa: PLC0415 - imports numpy

            check_samples(benchmarking["samples"], model.inputs)

    def _may_overwrite(self, target: str, arguments: Namespace) -> bool:
        """Whether the user allowed it, or this very cell wrote what is there: then running it again just works."""
        return arguments.overwrite or (self._cell_id() != "" and (self._cell_id(), _stamp(target)) in self._saved)

    def _benchmark_options(self, arguments: Namespace) -> Mapping[str, Any]:
        """Read them before the conversion: a mistake in ``--samples`` should not cost one."""
        return _given(arguments, BENCHMARK_ARGUMENTS, self.shell.user_ns)

    def _benchmark(self, models: Iterable[tuple[str, object]], options: Mapping[str, Any], line: str) -> AnyBenchmark:
        from tfjs_magic.benchmarking import benchmark, told_apart  # noqa: PLC0415 - imports anywidget
        from tfjs_magic.headless.benchmark import HeadlessBenchmark  # noqa: PLC0415 - imports numpy

        bench = benchmark(told_apart(models), **options)
        if isinstance(bench, HeadlessBenchmark):
            with _Status("Running in {} …") as status:
                status.step(bench.target.title)
                bench.run()
        key, execution = self._cell(line)
        live = self._live.setdefault(key, (execution, []))[1]
        bench.earlier = dict(enumerate(self._measured.get(key, ()))).get(len(live))
        live.append(bench)
        return bench

    def _close_earlier(self, line: str) -> None:
        """Close what an earlier execution of this cell shows, so that running it again frees the old model.

        What it measured stays, for the difference.
        """
        key, execution = self._cell(line)
        shown_by, benchmarks = self._live.get(key, (execution, []))
        if shown_by != execution:
            del self._live[key]
            self._measured[key] = [bench.measured or bench.earlier for bench in benchmarks]
            for bench in benchmarks:
                bench.close()

    def _cell(self, line: str) -> tuple[str, object]:
        """Name the running cell and this execution of it; where the frontend names no cells, the line stands for it."""
        execution = self._parent().get("header", {}).get("msg_id", self.shell.execution_count)
        return self._cell_id() or line, execution

    def _cell_id(self) -> str:
        """Return the name that the frontend has for the running cell, "" if it has none."""
        return str(self._parent().get("metadata", {}).get("cellId", ""))

    def _parent(self) -> Mapping[str, Any]:
        """Return the message that asked for the execution; only a kernel has one."""
        get_parent = getattr(self.shell, "get_parent", None)
        parent: Mapping[str, Any] = get_parent() if get_parent is not None else {}
        return parent


class _Status:
    """Names the step that takes long, of a conversion by default, and leaves nothing behind."""

    def __init__(self, sentence: str = "Converting: {} …") -> None:
        self._sentence = sentence
        self._display_id = ""
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()
        self._over = False

    def __enter__(self) -> _Status:  # noqa: PYI034 - Self is newer than Python 3.10
        return self

    def __exit__(self, *_: object) -> None:
        self._cancel()
        with self._lock:
            self._over = True
            if self._display_id:
                publish_display_data({}, transient={"display_id": self._display_id}, update=True)

    def step(self, name: str) -> None:
        """Say that a step begins."""
        self._cancel()
        self._timer = threading.Timer(STATUS_DELAY_S, self._show, (name,))
        self._timer.daemon = True
        self._timer.start()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _show(self, name: str) -> None:
        text = self._sentence.format(name)
        with self._lock:
            if self._over:
                return
            update = bool(self._display_id)
            self._display_id = self._display_id or uuid.uuid4().hex
            bundle = {"text/plain": text, "text/html": html.escape(text)}
            publish_display_data(bundle, transient={"display_id": self._display_id}, update=update)


def register(shell: InteractiveShell) -> None:
    """Add the magics, their completion, and ``await`` in the body of ``%%tfjs_convert``."""
    unregister(shell)
    shell.register_magics(TfjsMagics(shell))
    shell.input_transformers_cleanup.append(AwaitTransform(shell, "tfjs_convert"))
    completion.install(shell, {"tfjs_convert": (_CONVERT, models_in), "tfjs_benchmark": (_BENCHMARK, convertible_in)})


def unregister(shell: InteractiveShell) -> None:
    """Remove what :func:`register` added; what other extensions did stays."""
    for kind, name in (("line", "tfjs_convert"), ("cell", "tfjs_convert"), ("line", "tfjs_benchmark")):
        shell.magics_manager.magics[kind].pop(name, None)
    transforms = shell.input_transformers_cleanup
    transforms[:] = [transform for transform in transforms if not isinstance(transform, AwaitTransform)]
    completion.uninstall(shell)


def _show(text: str) -> None:
    display({"text/plain": text}, raw=True)


def _forms(arguments: Namespace) -> dict[str, dict[str, Any]]:
    """Return what tells the models apart → what ``convert`` is asked for it; one model without a word unless both."""
    both: tuple[Format, ...] = ("layers", "graph")
    return {form: {"format": form} for form in both} if getattr(arguments, "format", None) == BOTH else {"": {}}


def _check_options(arguments: Namespace) -> None:
    """Refuse values that are known already, before the body trains for an hour."""

    def known(names: Iterable[str]) -> dict[str, Any]:
        given = {name: getattr(arguments, name, None) for name in names}
        return {
            name: _resolved(value, {}) for name, value in given.items() if value is not None and not _is_later(value)
        }

    conversion = known(CONVERT_ARGUMENTS) | next(iter(_forms(arguments).values()))
    for flag in BOUND:  # an expression may turn out as anything that fits
        if _is_later(getattr(arguments, flag.argument, None)):
            conversion[flag.argument] = len
    ConvertOptions(**with_bound(conversion, getattr(arguments, "samples", None)))
    measuring = BenchmarkOptions(**known(BENCHMARK_ARGUMENTS))
    if measuring.browser is not None:
        from tfjs_magic.headless.driver import check_target  # noqa: PLC0415 - few want it
        from tfjs_magic.headless.target import read_target  # noqa: PLC0415

        check_target(read_target(measuring.browser))


def _is_later(value: object) -> bool:
    return isinstance(value, Later) or (isinstance(value, list) and any(map(_is_later, value)))


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    """Show a user's mistake as one line: IPython hides the traceback of exactly ``UsageError``."""
    try:
        yield
    except TfjsMagicError as error:
        raise UsageError(in_flags(str(error), command_line=False)) from error


#: A model's directory and the identity of the model.json in it.
_Stamp = tuple[str, int, int]


def _stamp(directory: str | Path) -> _Stamp | None:
    """Tell a saved model from whatever may take its place; None if there is none."""
    target = Path(directory).expanduser().resolve()
    try:
        file = (target / "model.json").stat()
    except OSError:
        return None
    return str(target), file.st_ino, file.st_mtime_ns


def _given(arguments: Namespace, names: Iterable[str], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the line states; those that it does not leave the Python twin's own defaults."""
    values = {name: _resolved(getattr(arguments, name), namespace) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _resolved(value: Any, namespace: Mapping[str, Any]) -> Any:
    if isinstance(value, Later):
        return value.resolve(Expander(namespace))
    if isinstance(value, list):
        return merged([_resolved(item, namespace) for item in value])
    return value
