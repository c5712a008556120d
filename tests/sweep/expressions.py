"""Cases that are one expression, as a user would write it: ``keras.ops.argmax(x, axis=-1) of int32``.

An expression's names are operands (:data:`OPERANDS`), which become the inputs of a ``tf.function``. What follows it
says how they are tried: a dtype for those that have none of their own, and "any size" for unknown sizes.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.sweep.subject import Case, Subject
from tfjs_magic.artifacts import Array

_SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0)
_Draw = Callable[[np.random.Generator, tuple[int, ...], str], Array]


@dataclasses.dataclass(frozen=True)
class Operand:
    """An input of an expression.

    Attributes:
        axes: A letter of ``SIZES`` per axis; a size that is unknown is one larger in the second sample.
        draw: Makes its values.
        dtype: Its own dtype; None if it takes the case's.
    """

    axes: str
    draw: _Draw
    dtype: str | None = None


def _any(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """Both signs, no ties; integers also beyond 2²⁴, from where on float32 leaves numbers out."""
    if dtype == "float32":
        return rng.normal(0, 2, shape).astype(dtype)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if dtype in {"string", "object"}:
        return np.array(rng.choice(("ant", "bee", "cat", "Dog!", "", "é 1"), shape), dtype=object)
    size = int(np.prod(shape))
    small = rng.choice(np.arange(-3 * size - 9, 3 * size + 9), size, replace=False)
    large = rng.integers(2**23, 2**25, size) * 2 + 1
    signed = np.where(rng.random(size) < 0.5, large, -large)
    return np.where(rng.random(size) < 0.2, signed, small).reshape(shape).astype(dtype)


def _within(low: float, high: float) -> _Draw:
    def draw(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
        if dtype == "bool":
            return rng.random(shape) < 0.5
        if dtype == "float32":
            return rng.uniform(low, high, shape).astype(dtype)
        return rng.integers(int(low), max(int(high), int(low) + 1), shape).astype(dtype)

    return draw


def _ascending(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    return np.sort(_any(rng, shape, dtype), axis=-1)


def _segments(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    return np.sort(rng.integers(0, 4, shape)).astype(dtype)


def _special(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """Some values are NaN, infinite or a zero of either sign; the first of each row is a number."""
    if dtype != "float32":
        return _tied(rng, shape, dtype)
    drawn = np.where(rng.random(shape) < 0.5, rng.choice(_SPECIAL, shape), _any(rng, shape, dtype)).astype(dtype)
    if drawn.size > 1:
        drawn[..., 0] = rng.normal(size=shape[:-1])
    return drawn


def _tied(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    return rng.integers(0, 4, shape).astype(dtype) if dtype != "bool" else rng.random(shape) < 0.5


def _regular(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    return (rng.normal(size=shape) + 3 * np.eye(shape[-2], shape[-1])).astype(dtype)


def _definite(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    half = rng.normal(size=shape)
    return (half @ np.swapaxes(half, -1, -2) + np.eye(shape[-1])).astype(dtype)


def _shuffled(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    return rng.permutation(shape[0]).astype(dtype)


def _boxes(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    corner, size = rng.uniform(0, 0.5, (*shape[:-1], 2)), rng.uniform(0.1, 0.5, (*shape[:-1], 2))
    return np.concatenate([corner, corner + size], -1).astype(dtype)


def _transforms(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """Close to the identity: turned, moved and seen from aside."""
    return (
        np.array([1, 0, 0, 0, 1, 0, 0, 0]) + rng.normal(size=shape) * [0.3, 0.3, 2, 0.3, 0.3, 2, 0.01, 0.01]
    ).astype(dtype)


def _corners(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    return (np.array([[0, 0], [0, 7], [5, 0], [5, 7]]) + rng.uniform(-0.9, 0.9, shape)).astype(dtype)


def _chances(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    drawn = rng.uniform(0.1, 1, shape)
    return (drawn / drawn.sum(-1, keepdims=True)).astype(dtype)


SIZES: Mapping[str, int] = {
    "b": 2,
    "h": 4,
    "w": 5,
    "k": 3,
    "n": 6,
    "H": 8,
    "W": 6,
    "C": 3,
    "d": 4,
    "t": 64,
    "o": 1,
    "8": 8,
}

#: What an expression's names stand for.
OPERANDS: Mapping[str, Operand] = {
    "x": Operand("bhw", _any),
    "y": Operand("bhw", _any),
    "positive": Operand("bhw", _within(0.1, 4)),
    "unit": Operand("bhw", _within(-0.95, 0.95)),
    "small": Operand("bhw", _within(-4, 5)),
    "other": Operand("bhw", _within(-4, 5)),
    "nonzero": Operand("bhw", _within(1, 6)),
    "special": Operand("bhw", _special),
    "tied": Operand("bhw", _tied),
    "scalar": Operand("", _any),
    "vector": Operand("n", _any),
    "weight": Operand("n", _within(-4, 5)),
    "ascending": Operand("n", _ascending),
    "values": Operand("n", _tied),
    "matrix": Operand("wk", _within(-4, 5)),
    "table": Operand("hw", _any),
    "batch": Operand("bwk", _within(-4, 5)),
    "regular": Operand("bkk", _regular, "float32"),
    "definite": Operand("bkk", _definite, "float32"),
    "square": Operand("kk", _any),
    "threes": Operand("bk", _within(-4, 5)),
    "fours": Operand("bk", _within(-4, 5)),
    "index": Operand("bk", _within(0, 4), "int32"),
    "rows": Operand("k", _within(0, 4), "int32"),
    "places": Operand("bho", _within(0, 5), "int32"),
    "size": Operand("", _within(1, 4), "int32"),
    "segment": Operand("h", _segments, "int32"),
    "shuffled": Operand("n", _shuffled, "int32"),
    "bits": Operand("n", _any, "int32"),
    "shifts": Operand("n", _within(0, 9), "int32"),
    "natural": Operand("n", _within(0, 9), "int32"),
    "labels": Operand("b", _within(0, 5), "int32"),
    "chances": Operand("bw", _chances, "float32"),
    "logits": Operand("bw", _any, "float32"),
    "targets": Operand("bw", _within(0.05, 0.95), "float32"),
    "mask": Operand("bhw", _any, "bool"),
    "flag": Operand("", _any, "bool"),
    "image": Operand("bHWC", _within(0.02, 0.98)),
    "channels": Operand("bHWd", _any),
    "kernel": Operand("kkdd", _any, "float32"),
    "depthwise": Operand("kkdb", _any, "float32"),
    "mean": Operand("d", _any, "float32"),
    "variance": Operand("d", _within(0.1, 4), "float32"),
    "transform": Operand("b8", _transforms, "float32"),
    "corners": Operand("bdb", _corners, "float32"),
    "volume": Operand("bhwkd", _any),
    "boxes": Operand("nd", _boxes, "float32"),
    "scores": Operand("n", _within(0.01, 0.99), "float32"),
    "signal": Operand("bt", _any),
    "heads": Operand("bwhd", _any, "float32"),
    "text": Operand("bh", _any, "string"),
    "words": Operand("n", _any, "string"),
}

#: Tried until a sample's result is another one than the first's.
_SEEDS = 12
#: TF.js computes it as float32.
_FLOAT16_TOLERANCE = 1e-3

_SPACES = {"keras": keras, "tf": tf, "np": np}


def case(text: str, *, dtype: str = "float32", free: bool = False) -> Case:
    """Return the case of an expression."""
    name = text + f" of {dtype}" * (dtype != "float32") + " of any size" * free
    return Case(name, functools.partial(subject, text, dtype=dtype, free=free))


def ways(texts: Iterable[str], *, dtypes: Sequence[str] = ("float32",)) -> Iterator[Case]:
    """Yield the cases of a function's expressions: each, then the first one of the other dtypes and of any size."""
    first, *others = texts
    yield case(first)
    operands = [OPERANDS[name] for name in names_of(first)]
    if any(operand.dtype is None for operand in operands):
        yield from (case(first, dtype=dtype) for dtype in dtypes if dtype != "float32")
    if any(operand.axes for operand in operands):
        yield case(first, free=True)
    yield from map(case, others)


def subject(text: str, *, dtype: str = "float32", free: bool = False) -> Subject:
    """Trace an expression."""
    names = names_of(text)
    specs = [_spec(name, dtype, free=free) for name in names]
    function = eval(f"lambda {', '.join(names)}: {text}", dict(_SPACES))
    concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
    feeds = telling(concrete, lambda seed: {name: _drawn(name, dtype, seed, free=free) for name in names})
    return Subject(concrete, feeds, tolerance=_FLOAT16_TOLERANCE if "float16" in text else 1e-5)


def telling(concrete: Any, draw: Callable[[int], dict[str, Array]]) -> list[dict[str, Array]]:
    """Return two samples whose results differ, where two of the first ones do."""
    feeds = [draw(0)]
    first = _computed(concrete, feeds[0])
    for seed in range(1, _SEEDS):
        feeds[1:] = [draw(seed)]
        if _computed(concrete, feeds[1]) != first:
            break
    return feeds


def _computed(concrete: Any, feed: Mapping[str, Array]) -> list[bytes]:
    results = concrete(**{name: tf.constant(value) for name, value in feed.items()})
    return [np.asarray(part).tobytes() for part in tf.nest.flatten(results, expand_composites=True)]


def names_of(text: str) -> list[str]:
    """Return the operands that an expression names, in order."""
    found = [node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)]
    return list(dict.fromkeys(name for name in found if name in OPERANDS))


def texts_of(
    prefix: str,
    function: Callable[..., Any],
    operands: Mapping[str, str],
    options: Mapping[str, tuple[str, ...]],
    given: Sequence[str] = (),
) -> Iterator[str]:
    """Yield a function's expressions: its plain call, those given by hand, and one per option.

    Args:
        prefix: What a user writes for it, ``keras.ops.argmax``.
        function: Its signature tells the rest.
        operands: Parameter without a default → what is handed to it.
        options: Parameter with a default → the values to try; a boolean is tried the other way round by itself.
        given: Arguments by hand, each a call of its own, or a whole expression; the first takes the plain call's place.
    """
    parameters = _parameters(function)
    plain = ", ".join(operands.get(p.name, p.name) for p in parameters if p.default is p.empty)
    calls = [text if text.startswith(f"{prefix}(") else f"{prefix}({text})" for text in given or (plain,)]
    yield from calls
    if not calls[0].endswith(")"):  # a constant, beside an input
        return
    for parameter in parameters:
        if parameter.default is parameter.empty or f"{parameter.name}=" in calls[0]:
            continue
        values = options.get(parameter.name, ())
        if isinstance(parameter.default, bool) and parameter.name not in options:
            values = (str(not parameter.default),)
        for value in values:
            if value != repr(parameter.default):
                yield f"{calls[0][:-1]}, {parameter.name}={value})"


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    kinds = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    return [p for p in inspect.signature(function).parameters.values() if p.kind in kinds and p.name != "name"]


def _spec(name: str, dtype: str, *, free: bool) -> tf.TensorSpec:
    operand = OPERANDS[name]
    shape = [None if free else SIZES[axis] for axis in operand.axes]
    return tf.TensorSpec(shape, operand.dtype or dtype, name)


def _drawn(name: str, dtype: str, seed: int, *, free: bool) -> Array:
    operand = OPERANDS[name]
    more = min(seed, 1) if free and operand.axes[:1] == "b" else 0
    shape = tuple(SIZES[axis] + more * (place == 0) for place, axis in enumerate(operand.axes))
    return np.asarray(
        operand.draw(np.random.default_rng([seed, zlib.crc32(name.encode())]), shape, operand.dtype or dtype)
    )
