"""What a case of the sweep is, and what became of it: exact in real TF.js, or refused with a reason."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from tests.conformance.compare import GPU_TOLERANCE, assert_matches, relative_error
from tests.conformance.node import GPU_BACKENDS, NodeResult, SyncReadError, TfjsNode, forwards
from tfjs_magic import TfjsMagicError, convert
from tfjs_magic.artifacts import Array
from tfjs_magic.errors import reason_of
from tfjs_magic.model import TfjsModel
from tfjs_magic.options import BACKENDS, Backend

#: Where cases run, in the order of the table.
TRIED = BACKENDS[::-1]

Domain = Literal["normal", "image", "tokens", "words", "coins"]

_WORDS = ("ant", "bee", "cat", "dog", "eel", "Ant!", "")


@dataclasses.dataclass(frozen=True)
class Subject:
    """A model and what to try it with.

    Attributes:
        source: What ``convert`` takes.
        feeds: At least two, input name → array.
        tolerance: Allowed error relative to the largest value of an output.
        on_gpu: Whether it is small enough for a GPU in software.
        options: For ``convert``.
    """

    source: Any
    feeds: list[dict[str, Array]]
    tolerance: float = 1e-5
    on_gpu: bool = True
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        name: Unique.
        build: Makes the subject; raises whatever the source's own library raises if it has no such model.
    """

    name: str
    build: Callable[[], Subject]


#: What a backend makes of a case. "reported": the conversion says what it lacks, or which values come out otherwise
#: there: the case is wrong with these, and exact with others. "left out": of the GPU, since every kernel ran in an
#: earlier case, or the model is large. "unproved": WebGPU is read at once, which a GPU in software cannot do. "finite":
#: exact but for infinities and NaN, which drivers need not keep: the case is fed them, or they are its result, and
#: with others it is exact.
State = Literal["exact", "finite", "reported", "left out", "unproved"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        kind: "exact": the same numbers on every backend that the conversion does not name. "refused": a sentence
            instead of a model. "none": Keras or TensorFlow has no such model. "wrong": converted, but TF.js computes
            something else, or cannot run it.
        detail: The reason, in one line.
        backends: What each of them made of it; empty if there is no model.
        asynchronous: It needs ``executeAsync``.
    """

    kind: Literal["exact", "refused", "none", "wrong"]
    detail: str = ""
    backends: Mapping[Backend, State] = dataclasses.field(default_factory=dict)
    asynchronous: bool = False


def outcome(
    case: Case, node: TfjsNode, backends: Sequence[Backend] = TRIED, *, seen: set[str] | None = None
) -> Outcome:
    """Build, convert, run on every backend, compare.

    Args:
        case: What is tried.
        node: Runs TF.js.
        backends: Where.
        seen: The kernels of earlier cases, which grow by this one's: a GPU runs it if it has another one.
    """
    try:
        subject = case.build()
    except Exception as error:  # noqa: BLE001 - whatever Keras raises
        return Outcome("none", _line(error))
    try:
        model = convert(subject.source, **subject.options)
    except TfjsMagicError as error:
        of_source = getattr(error, "stage", "") == "trace" and error.__cause__ is not None
        return Outcome("none" if of_source else "refused", _line(error))
    except Exception as error:  # noqa: BLE001 - a defect of ours, which the table shows
        return Outcome("wrong", f"convert raised {type(error).__name__}: {_line(error)}")
    try:
        expected = _expected(model, subject.feeds)
    except KeyError:
        raise  # the case feeds another name than the model has
    except Exception as error:  # noqa: BLE001 - whatever Keras raises
        return Outcome("none", _line(error))
    run = functools.partial(_run, model, subject, expected, node)
    return _compared(model, run, {backend: subject.on_gpu or backend not in GPU_BACKENDS for backend in backends}, seen)


def _compared(
    model: TfjsModel,
    run: Callable[[Backend], tuple[State, list[NodeResult]]],
    backends: Mapping[Backend, bool],
    seen: set[str] | None,
) -> Outcome:
    """Run on each backend that is not left out and that the conversion does not name."""
    seen = set() if seen is None else seen
    states: dict[Backend, State] = {}
    lacking: dict[str, list[str]] = {}
    asynchronous, is_alike = False, False
    told: list[Backend] = []
    for backend, runs in backends.items():
        if missing := model.report.backends.get(backend):
            states[backend] = "reported"
            lacking.setdefault(", ".join(missing), []).append(backend)
            continue
        if not runs or (is_alike and backend in GPU_BACKENDS):
            states[backend] = "left out"
            continue
        try:
            states[backend], results = run(backend)
        except Exception as error:  # noqa: BLE001 - JsError, AssertionError, a dead process
            return Outcome("wrong", f"{backend}: {_line(error)}")
        told += [backend] * (states[backend] == "reported")
        if results:
            asynchronous = results[0].executed_async
            is_alike |= bool(results[0].kernels) and results[0].kernels <= seen
            seen |= results[0].kernels
    lines = [f"{', '.join(names)} lack{'s' * (len(names) == 1)} {ops}" for ops, names in lacking.items()]
    lines += [f"{backend} is {state}" for backend, state in states.items() if state in {"unproved", "finite"}]
    lines += dict.fromkeys(said.removesuffix(".") for backend in told for said in model.report.caveats[backend])
    if len(states) == list(states.values()).count("reported"):
        return Outcome("refused", f"reported: {'; '.join(lines)}", states)
    return Outcome("exact", "; ".join(lines), states, asynchronous)


def _run(
    model: TfjsModel, subject: Subject, expected: list[dict[str, Array]], node: TfjsNode, backend: Backend
) -> tuple[State, list[NodeResult]]:
    """Run a model; if it is wrong on a GPU, also on values that no driver and no caveat of the report excepts."""
    if any(info.dtype == "float32" for info in model.inputs):
        tolerance = max(subject.tolerance, GPU_TOLERANCE) if backend in GPU_BACKENDS else subject.tolerance
        assert _telling(expected, tolerance), "void: the outputs of two samples are the same"
    try:
        results = _results(model, subject.feeds, node, backend)
        try:
            return _judged(results, expected, subject.tolerance), results
        except AssertionError:
            for state, feeds in _excepted(model, subject.feeds, backend):
                with contextlib.suppress(AssertionError):
                    _judged(_results(model, feeds, node, backend), _expected(model, feeds), subject.tolerance)
                    return state, results
            raise
    except SyncReadError:
        return "unproved", []


def _excepted(
    model: TfjsModel, feeds: list[dict[str, Array]], backend: Backend
) -> Iterator[tuple[State, list[dict[str, Array]]]]:
    """Yield what a GPU may be excused for, with the feeds that are free of it."""
    if backend not in GPU_BACKENDS:
        return
    finite = [{name: np.where(_finite(x), x, x.dtype.type(1)) for name, x in feed.items()} for feed in feeds]
    if not all(_finite(x).all() for feed in feeds for x in feed.values()):
        yield "finite", finite
    if model.report.caveats.get(backend):
        yield from (("reported", [{k: tame(x) for k, x in feed.items()} for feed in finite]) for tame in _TAMES)


def _small(array: Array) -> Array:
    """Return integers that float32 holds in place of larger ones."""
    return np.where(np.abs(array) < 2**24, array, array % 97) if array.dtype.kind in "iu" else array


def _tiny(array: Array) -> Array:
    """Return integers of which products and powers, too, are such as float32 holds."""
    return np.sign(array) * (np.abs(array) % 7) if array.dtype.kind in "iu" else array


def _unequal(array: Array) -> Array:
    """Return numbers of which no two are equal, integers within the same range."""
    places = np.arange(array.size).reshape(array.shape)
    if array.dtype.kind == "i":
        return (places % (np.max(array, initial=0) + 1)).astype(array.dtype)
    return array + places.astype(array.dtype) / 64 if array.dtype.kind == "f" else array


#: What makes values of which a report's caveats say nothing.
_TAMES = (_small, _tiny, _unequal)


def _results(model: TfjsModel, feeds: list[dict[str, Array]], node: TfjsNode, backend: Backend) -> list[NodeResult]:
    """Run each feed and the first one again, on a GPU once more without the cpu's help, all on one loaded model."""
    ways = forwards(backend)
    forward = [way for way in ways for _ in (*feeds, 0)]
    return node.run_each(model, [*feeds, feeds[0]] * len(ways), backend, forward=forward)


def _expected(model: TfjsModel, feeds: list[dict[str, Array]]) -> list[dict[str, Array]]:
    assert model.reference is not None
    return [_narrow(model.reference(feed)) for feed in feeds]


def _judged(results: list[NodeResult], expected: list[dict[str, Array]], tolerance: float) -> State:
    """Compare the results of :func:`_results`, relative to the largest value of an output in any sample.

    A GPU's 0 ** 0.5 is 1e-20 (WGSL defines it by a logarithm), which beside a sample of nothing but zeros is no error.
    """
    least = {name: max(_largest(want[name]) for want in expected) for name in expected[0]}
    wants = itertools.cycle([*expected, expected[0]])
    judged = [_judge(got, want, tolerance, least) for got, want in zip(results, wants, strict=False)]
    return max(judged, key=("exact", "finite").index)


def _judge(got: NodeResult, want: Mapping[str, Array], tolerance: float, least: Mapping[str, float]) -> State:
    """Compare; on a GPU an infinity or NaN may be anything."""
    on_gpu = got.backend in GPU_BACKENDS
    least = least if on_gpu else {}
    try:
        assert_matches(got, want, tolerance=tolerance, least=least)
    except AssertionError:
        if not on_gpu or all(_finite(value).all() for value in want.values()):
            raise
    else:
        return "exact"
    for name, value in want.items():
        if got[name].shape == value.shape:
            got[name] = np.where(_finite(value), got[name], value)
    assert_matches(got, want, tolerance=tolerance, least=least)
    return "finite"


def _largest(array: Array) -> float:
    return float(np.abs(array[_finite(array)]).max(initial=0)) if array.dtype.kind in "fc" else 0.0


def _finite(array: Array) -> Array:
    return np.isfinite(array) if array.dtype.kind in "fc" else np.ones(array.shape, bool)


def _telling(expected: list[dict[str, Array]], tolerance: float) -> bool:
    first, second, *_ = expected
    return any(
        value.shape != second[name].shape
        or value.dtype == object
        or relative_error(value, second[name]) > 10 * tolerance
        for name, value in first.items()
    )


def _narrow(outputs: Mapping[str, Any]) -> dict[str, Array]:
    arrays = {name: np.asarray(value) for name, value in outputs.items()}
    return {
        name: x.astype(np.float32) if x.dtype.name in {"float16", "float64", "bfloat16"} else x
        for name, x in arrays.items()
    }


def _line(error: BaseException) -> str:
    return reason_of(error)


def feeds_of(
    rows: Mapping[str, tuple[tuple[int | None, ...], str, Domain]], *, masked: bool = False
) -> list[dict[str, Array]]:
    """Draw two samples of two rows each: input name → array of shape (2, *shape), or (3, *shape) in the second."""
    return [
        {
            name: drawn(name, (2 + seed, *shape), dtype, domain, seed, masked=masked)
            for name, (shape, dtype, domain) in rows.items()
        }
        for seed in (0, 1)
    ]


def drawn(name: str, shape: tuple[Any, ...], dtype: Any, domain: Domain, seed: int, *, masked: bool = False) -> Array:
    """Draw one array; every name has its own stream of numbers."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    if domain == "words":
        return np.array(rng.choice(_WORDS, shape), dtype=object)
    if domain == "tokens":
        return rng.integers(0, 9, shape).astype(dtype)
    if domain == "coins":
        return rng.random(shape) < 0.5
    if domain == "image":
        return rng.uniform(0, 255, shape).astype(dtype)
    drawn = rng.normal(size=shape).astype(dtype)
    if masked:
        drawn[0, -2:] = 0
    return drawn
