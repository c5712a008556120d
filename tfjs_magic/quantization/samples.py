"""The user's samples and labels in batches: those that a search sees, and those that are held back."""

from __future__ import annotations

import collections.abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array, Artifacts, TensorInfo
from tfjs_magic.bench.feeds import Feed, all_samples
from tfjs_magic.errors import OptionError, reason_of
from tfjs_magic.quantization.loss import Outputs
from tfjs_magic.quantization.runner import Runner

#: Examples that run at once, where the model leaves their number free.
BATCH = 32


@dataclasses.dataclass(frozen=True)
class Part:
    """Some of the examples.

    Attributes:
        feeds: Batches: input name → array. Views of the samples.
        labels: (examples,), if there are any.
        examples: How many.
    """

    feeds: Sequence[Feed]
    labels: Array | None
    examples: int

    def outputs(self, run: Runner, changed: Mapping[str, Array]) -> Outputs:
        """Return the outputs for all examples with the weights that have changed.

        Raises:
            OptionError: The model does not even run as it is.
        """
        try:
            runs = [run(changed, feed) for feed in self.feeds]
        except Exception as error:  # whatever Keras or TensorFlow raises
            if changed:
                raise
            raise OptionError(f"The model does not run on these samples: {reason_of(error)}") from error
        return [np.concatenate([np.atleast_1d(part) for part in parts]) for parts in zip(*runs, strict=True)]

    def means(self, run: Runner, changed: Mapping[str, Array]) -> dict[str, Array]:
        """Return for each kernel with a bias the mean over all examples of what its op computes before the bias."""
        if not run.biases:
            return {}
        batches = zip(*(run.means(changed, feed) for feed in self.feeds), strict=True)
        sizes = [len(next(iter(feed.values()))) for feed in self.feeds]
        return {name: np.average(means, axis=0, weights=sizes) for name, means in zip(run.biases, batches, strict=True)}


def split_samples(model: Artifacts, samples: Any, labels: Any, held_back: float) -> tuple[Part, Part | None]:
    """Return the first examples, and the last ones, ``held_back`` of all; None where that is less than one batch.

    Raises:
        OptionError: The samples or the labels do not fit the model.
    """
    one_by_one = isinstance(samples, collections.abc.Iterator) or hasattr(samples, "element_spec")
    if one_by_one or callable(samples):
        raise OptionError(
            f"samples is a {type(samples).__name__}, which gives its examples one by one; expected arrays that hold "
            "them all, such as numpy.concatenate([x for x, y in dataset])."
        )
    arrays = all_samples(samples, model.inputs)
    sizes = {info.name: len(arrays[info.name]) for info in model.inputs if arrays[info.name].ndim}
    if not sizes or not min(sizes.values()):
        raise OptionError("samples hold no example; expected some, the first axis of each array.")
    for name, array in arrays.items():
        if array.dtype.kind in "fc" and np.isnan(array).any():
            raise OptionError(f"samples for '{name}' hold NaN; expected real data, on which outputs can be compared.")
    examples = min(sizes.values())
    known = None if labels is None else _labels(labels, examples)
    fixed = max(_fixed_batch(info) for info in model.inputs)
    step = fixed or 1
    border = max(examples - round(examples * held_back / step) * step, step)

    def part(start: int, end: int) -> Part:
        cuts = [(at, min(at + (fixed or BATCH), end)) for at in range(start, end, fixed or BATCH)]
        feeds = [{name: array[a:b] if array.ndim else array for name, array in arrays.items()} for a, b in cuts]
        return Part(feeds, None if known is None else known[start:end], end - start)

    return part(0, border), part(border, examples) if border < examples else None


def _labels(labels: Any, examples: int) -> Array:
    try:
        array = np.asarray(labels)
    except ValueError as error:
        raise OptionError(f"labels are no array ({error}); expected one for each of {examples} samples.") from error
    if not array.ndim or len(array) != examples:
        found = len(array) if array.ndim else f"a single {type(labels).__name__}"
        raise OptionError(f"labels are {found} for {examples} samples; expected one for each.")
    return array


def _fixed_batch(info: TensorInfo) -> int:
    return info.shape[0] or 0 if info.shape else 0
