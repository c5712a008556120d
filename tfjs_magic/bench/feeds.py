"""The inputs that browser and Python both run: the user's samples, or seeded ones in a valid range."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array, TensorInfo
from tfjs_magic.errors import OptionError, quoted_list

Feed = dict[str, Array]

#: Feeds compared with Python's outputs: enough to tell samples apart, few enough to send the outputs back quickly.
MAX_FEEDS = 8
#: Samples of one call: Python, which runs the model too, was seen to need eighty times as many bytes for a MobileNet.
MAX_BATCH_BYTES = 2**26
#: Seeded feeds: two, because one cannot show whether the outputs depend on the inputs.
SEEDED_FEEDS = 2
#: Stands for an unknown height or width of an image batch: survives five halvings.
UNKNOWN_IMAGE_SIDE = 64
#: Stands for any other unknown dimension but the batch: a short sequence.
UNKNOWN_LENGTH = 16
#: Integers without a known upper bound are drawn from [0, 2): ids, masks and token types are all valid there.
DEFAULT_UPPER_BOUND = 2

_IMAGE_RANK = 4
_LARGEST_EXACT_FLOAT32_INTEGER = 2**24
_INT32 = np.iinfo(np.int32)


@dataclasses.dataclass(frozen=True)
class TimedFeed:
    """One of the feeds of a model, which is timed.

    Attributes:
        feed: Its index.
        compared: The feeds whose outputs are compared with Python's, itself first.
        label: What tells it from the others; "" if it is the only one.
        examples: How many it holds.
    """

    feed: int
    compared: tuple[int, ...]
    label: str = ""
    examples: int = 1

    @classmethod
    def first_of(cls, feeds: Sequence[Feed]) -> TimedFeed:
        """Time the first feed and compare all."""
        return cls(0, (*range(len(feeds)),), examples=_examples(feeds[0]) if feeds else 1)


def timed_feeds(
    inputs: Sequence[TensorInfo], samples: object, *, seed: int, batches: Sequence[int] = (), amplitude: float = 1.0
) -> tuple[list[Feed], tuple[TimedFeed, ...]]:
    """Return all feeds, and which of them are timed: one for each set of samples, or for each of its batch sizes.

    Args:
        inputs: What the model expects.
        samples: As :func:`sample_feeds` takes them, or a list of these with different sizes; None for seeded ones.
        seed: Seeds those.
        batches: Sizes of a batch that is made of the samples, again and again.
        amplitude: How much larger than usual the seeded numbers are.

    Raises:
        OptionError: The samples do not fit, none can be drawn, the model fixes its batch, or one is too large.
    """
    if batches:
        _check_batch_is_free(inputs)
    sets = _sample_sets(samples, inputs)
    feeds: list[Feed] = []
    timed: list[TimedFeed] = []
    for one in sets:
        own = seeded_feeds(inputs, seed=seed, amplitude=amplitude) if one is None else sample_feeds(one, inputs)
        indices = (*range(len(feeds), len(feeds) + len(own)),)
        size = _size_label(own[0], inputs) if len(sets) > 1 else ""
        feeds += own
        if not batches:
            timed.append(TimedFeed(indices[0], indices, size, _examples(own[0])))
        for batch in dict.fromkeys(batches):
            label = ", ".join(part for part in (size, f"batch {batch}") if part)
            if batch == _examples(own[0]):
                timed.append(TimedFeed(indices[0], indices, label, batch))
            else:
                timed.append(TimedFeed(len(feeds), (len(feeds), *indices), label, batch))
                feeds.append(_tiled(own, batch))
    return feeds, tuple(timed)


def seeded_feeds(inputs: Sequence[TensorInfo], *, seed: int, amplitude: float = 1.0) -> list[Feed]:
    """Draw ``SEEDED_FEEDS`` feeds: normal numbers, valid indices, known words, both booleans; an unknown batch is 1.

    Args:
        inputs: What the model expects.
        seed: Seeds the numbers.
        amplitude: Standard deviation of the normal numbers.

    Raises:
        OptionError: An input is text that no table knows or of unknown rank, so that no sample can be drawn.
    """
    generator = np.random.default_rng(seed)
    first, *others = feeds = [
        {info.name: _draw(info, generator, amplitude) for info in inputs} for _ in range(SEEDED_FEEDS)
    ]
    for info in inputs:
        for other in others:  # of few words the same may come again
            while (
                len(info.vocabulary) > 1
                and first[info.name].size
                and np.array_equal(first[info.name], other[info.name])
            ):
                other[info.name] = _draw(info, generator, amplitude)
    return feeds


def sample_feeds(samples: object, inputs: Sequence[TensorInfo]) -> list[Feed]:
    """Check the user's samples and cut them into feeds along the batch dimension.

    One example per feed where the batch is free, groups of B where the model fixes it to B; ``MAX_FEEDS`` at most.

    Args:
        samples: Input name → array, one array, or one array per input in the model's order.
        inputs: What the model expects.

    Raises:
        OptionError: A name, dtype or shape that the model does not take; one line, expected and found.
    """
    checked, count = _counted(samples, inputs)
    count = min(count, MAX_FEEDS)
    return [{info.name: _part(checked[info.name], info, i) for info in inputs} for i in range(count)]


def check_samples(samples: object, inputs: Sequence[TensorInfo]) -> None:
    """Check the user's samples, one set or several.

    Raises:
        OptionError: See :func:`sample_feeds`.
    """
    for one in _sample_sets(samples, inputs):
        sample_feeds(one, inputs)


def all_samples(samples: object, inputs: Sequence[TensorInfo]) -> dict[str, Array]:
    """Check the user's samples; all of them stay, one example or one fixed batch after the other.

    Raises:
        OptionError: A name, dtype or shape that the model does not take, or different numbers of examples.
    """
    return _counted(samples, inputs)[0]


def _counted(samples: object, inputs: Sequence[TensorInfo]) -> tuple[dict[str, Array], int]:
    """Check the user's samples, and count the feeds that they are enough for; a single number has no examples."""
    arrays = _by_name(samples, inputs)
    checked = {info.name: _checked(arrays[info.name], info) for info in inputs}
    counts = {info.name: _feed_count(checked[info.name], info) for info in inputs if checked[info.name].ndim}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"'{name}': {len(checked[name])}" for name in counts)
        raise OptionError(f"samples hold different numbers of examples ({found}); expected the same for every input.")
    return checked, next(iter(counts.values()), 1)


def _sample_sets(samples: object, inputs: Sequence[TensorInfo]) -> list[object]:
    """Tell several sets of samples, whose sizes differ, from one."""
    if not isinstance(samples, (list, tuple)) or len(samples) < 2:
        return [samples]
    if all(isinstance(one, Mapping) for one in samples):
        return list(samples)
    if len(inputs) == 1 and (shape := inputs[0].shape) is not None and all(hasattr(one, "shape") for one in samples):
        shapes = [tuple(one.shape) for one in samples]
        if len({shape[1:] for shape in shapes}) > 1 and all(len(found) == len(shape) for found in shapes):
            return list(samples)
    return [samples]


def _size_label(feed: Feed, inputs: Sequence[TensorInfo]) -> str:
    """Name a set of samples by what its model leaves open."""
    free = [info for info in inputs if info.shape is None or None in info.shape[1:]] or inputs
    return ", ".join("×".join(map(str, feed[info.name].shape[1:])) for info in free)


def _check_batch_is_free(inputs: Sequence[TensorInfo]) -> None:
    for info in inputs:
        if info.shape is None or not info.shape or info.shape[0] is not None:
            found = "of any rank" if info.shape is None else str(info.shape)
            raise OptionError(
                f"batch needs a model whose batch is free, but input '{info.name}' is {found}; convert it with a free "
                "batch, or leave this out."
            )


def _examples(feed: Feed) -> int:
    return next((int(array.shape[0]) for array in feed.values() if array.ndim), 1)


def _tiled(feeds: Sequence[Feed], batch: int) -> Feed:
    examples = {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
    nbytes = batch * sum(array.nbytes // len(array) for array in examples.values())
    if nbytes > MAX_BATCH_BYTES:
        raise OptionError(
            f"batch is {batch}, which makes {nbytes / 1e6:,.0f} MB of samples; expected {MAX_BATCH_BYTES / 1e6:.0f} "
            "MB at most. Name smaller sizes."
        )
    return {name: array[np.arange(batch) % len(array)] for name, array in examples.items()}


def _draw(info: TensorInfo, generator: np.random.Generator, amplitude: float) -> Array:
    if info.shape is None:
        raise OptionError(f"input '{info.name}' has no known rank, so no sample can be drawn: pass samples=.")
    shape = tuple(_side(info.shape, axis) if side is None else side for axis, side in enumerate(info.shape))
    if info.vocabulary:
        words = np.array(info.vocabulary, object)[generator.integers(0, len(info.vocabulary), shape)]
        return np.asarray(words, object if info.dtype == "string" else np.int32)
    if info.dtype == "float32" and info.upper_bound is not None:  # a keras.Input is float32 even before an Embedding
        return generator.integers(0, info.upper_bound, shape).astype(np.float32)
    if info.dtype == "float32":
        return np.asarray(generator.standard_normal(shape, dtype=np.float32) * np.float32(amplitude))
    if info.dtype == "int32":
        return generator.integers(0, info.upper_bound or DEFAULT_UPPER_BOUND, shape, dtype=np.int32)
    if info.dtype == "bool":
        return generator.integers(0, 2, shape).astype(np.bool_)
    if info.dtype == "complex64":
        numbers = generator.standard_normal(shape) + 1j * generator.standard_normal(shape)
        return (amplitude * numbers).astype(np.complex64)
    raise OptionError(
        f"input '{info.name}' is {info.dtype}, and no table of the model says which texts it knows, so no sample can "
        "be drawn: pass samples=."
    )


def _side(shape: tuple[int | None, ...], axis: int) -> int:
    if axis == 0:
        return 1
    return UNKNOWN_IMAGE_SIDE if len(shape) == _IMAGE_RANK else UNKNOWN_LENGTH


def _by_name(samples: Any, inputs: Sequence[TensorInfo]) -> Mapping[str, Any]:
    names = [info.name for info in inputs]
    if isinstance(samples, Mapping):
        if unknown := set(samples) - set(names):
            raise OptionError(f"samples name {quoted_list(map(str, unknown))}; the model's inputs are {names}.")
        if missing := set(names) - set(samples):
            raise OptionError(f"samples lack {quoted_list(missing)}; the model's inputs are {names}.")
        return samples
    if len(names) == 1:
        (info,) = inputs
        rank = len(info.shape) if info.shape is not None else None
        wrapped = isinstance(samples, (list, tuple)) and len(samples) == 1
        if wrapped and rank is not None and np.ndim(samples[0]) == rank:
            return {info.name: samples[0]}
        return {info.name: samples}
    if not isinstance(samples, (list, tuple)) or len(samples) != len(names):
        found = f"{len(samples)} arrays" if isinstance(samples, (list, tuple)) else f"a {type(samples).__name__}"
        raise OptionError(f"samples are {found}; expected one array for each of the inputs {names}, or a dict.")
    return dict(zip(names, samples, strict=True))


def _checked(value: Any, info: TensorInfo) -> Array:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise OptionError(f"samples for '{info.name}' are no array ({error}).") from error
    if info.shape is not None:
        fits = array.ndim == len(info.shape) and all(
            want is None or have == want or (axis == 0 and want > 0)
            for axis, (have, want) in enumerate(zip(array.shape, info.shape, strict=True))
        )
        if not fits:
            raise OptionError(_shape_message(array, info))
    return _cast(array, info)


def _shape_message(array: Array, info: TensorInfo) -> str:
    assert info.shape is not None
    want = "(" + ", ".join(_axis_name(side, axis) for axis, side in enumerate(info.shape)) + ")"
    message = f"samples for '{info.name}' have shape {array.shape}; expected {want}"
    if array.ndim == len(info.shape) - 1:
        return f"{message}: add the batch axis, x[None]."
    return f"{message}."


def _axis_name(side: int | None, axis: int) -> str:
    if side is not None:
        return str(side)
    return "batch" if axis == 0 else "any"


def _cast(array: Array, info: TensorInfo) -> Array:
    kind = array.dtype.kind
    refusal = OptionError(f"samples for '{info.name}' are {array.dtype}; expected {info.dtype}.")
    if info.dtype == "string":
        if kind not in "USO" or not all(isinstance(text, (str, bytes)) for text in array.flat):
            raise refusal
        return array.astype(object)
    if info.dtype == "float32":
        if kind in "fb" or (kind in "iu" and _within(array, _LARGEST_EXACT_FLOAT32_INTEGER)):
            return np.asarray(array, np.float32, order="C")
        raise refusal
    if info.dtype == "int32":
        if kind == "b" or (kind in "iu" and _within(array, _INT32.max)):
            return np.asarray(array, np.int32, order="C")
        if kind in "iu":
            raise OptionError(f"samples for '{info.name}' hold integers beyond int32, all that TensorFlow.js has.")
        raise refusal
    if (info.dtype == "bool" and kind == "b") or (info.dtype == "complex64" and kind in "fc"):
        return np.asarray(array, np.dtype(info.dtype), order="C")
    raise refusal


def _within(array: Array, bound: int) -> bool:
    return not array.size or (int(array.min()) >= -bound - 1 and int(array.max()) <= bound)


def _group(info: TensorInfo) -> int:
    return info.shape[0] if info.shape and info.shape[0] else 1


def _feed_count(array: Array, info: TensorInfo) -> int:
    group = _group(info)
    if not array.shape[0] or array.shape[0] % group:
        raise OptionError(
            f"samples for '{info.name}' hold {array.shape[0]} examples; expected a positive multiple of {group}"
            f"{', the batch that the model fixes' if group > 1 else ''}."
        )
    return int(array.shape[0]) // group


def _part(array: Array, info: TensorInfo, index: int) -> Array:
    group = _group(info)
    return array[index * group : (index + 1) * group] if array.ndim else array
