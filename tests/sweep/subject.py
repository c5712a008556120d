"""What a case of the sweep is, and what became of it: exact in real TF.js, or refused with a reason."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from tests.conformance.compare import assert_matches, relative_error
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tfjs_magic import TfjsMagicError, convert
from tfjs_magic.artifacts import Array
from tfjs_magic.errors import reason_of
from tfjs_magic.model import TfjsModel

Domain = Literal["normal", "image", "tokens", "words", "coins"]

_WORDS = ("ant", "bee", "cat", "dog", "eel", "Ant!", "")


@dataclasses.dataclass(frozen=True)
class Subject:
    """A model and what to try it with.

    Attributes:
        source: What ``convert`` takes.
        feeds: At least two, input name → array.
        tolerance: Allowed error relative to the largest value of an output.
        options: For ``convert``.
    """

    source: Any
    feeds: list[dict[str, Array]]
    tolerance: float = 1e-5
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


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        kind: "exact": the same numbers on cpu and wasm. "refused": a sentence instead of a model. "none": Keras or
            TensorFlow has no such model. "wrong": converted, but TF.js computes something else, or cannot run it.
        detail: The reason, in one line.
        asynchronous: It needs ``executeAsync``.
    """

    kind: Literal["exact", "refused", "none", "wrong"]
    detail: str = ""
    asynchronous: bool = False


def outcome(case: Case, node: TfjsNode) -> Outcome:
    """Build, convert, run on cpu and wasm, compare."""
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
    assert model.reference is not None
    try:
        expected = [_narrow(model.reference(feed)) for feed in subject.feeds]
    except KeyError:
        raise  # the case feeds another name than the model has
    except Exception as error:  # noqa: BLE001 - whatever Keras raises
        return Outcome("none", _line(error))
    return _compared(model, subject, expected, node)


def _compared(model: TfjsModel, subject: Subject, expected: list[dict[str, Array]], node: TfjsNode) -> Outcome:
    lacking, asynchronous = [], False
    for backend in BACKENDS:
        if missing := model.report.backends.get(backend):
            lacking.append(f"{backend} lacks {', '.join(missing)}")
            continue
        try:
            if any(info.dtype == "float32" for info in model.inputs):
                assert _telling(expected, subject.tolerance), "void: the outputs of two samples are the same"
            for got, want in zip(node.run_each(model, subject.feeds, backend), expected, strict=True):
                assert_matches(got, want, tolerance=subject.tolerance)
                asynchronous = got.executed_async
        except Exception as error:  # noqa: BLE001 - JsError, AssertionError, a dead process
            return Outcome("wrong", f"{backend}: {_line(error)}")
    if len(lacking) == len(BACKENDS):
        return Outcome("refused", f"reported: {'; '.join(lacking)}")
    return Outcome("exact", "; ".join(lacking), asynchronous=asynchronous)


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
