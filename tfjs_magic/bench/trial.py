"""What both sides run so that their agreement means something.

Before training, a softmax over a thousand classes gives a thousandth everywhere, whatever goes in. Then other seeded
samples are tried, and else a tensor inside the model is compared, too: the last one that still tells samples apart.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence

import numpy as np

from tfjs_magic.artifacts import Array, Artifacts, LayerTensor
from tfjs_magic.bench.feeds import Feed
from tfjs_magic.bench.layer_search import NoLayersError, layer_outputs, run_layers
from tfjs_magic.bench.verify import tells

#: How much larger the samples of each further try are.
AMPLITUDES = (1.0, 10.0, 100.0)
#: Outputs of layers that are held at once, the last ones.
_MOST_BYTES = 2**26
#: A larger tensor is not worth sending for every set of samples.
_LARGEST_BYTES = 2**22

#: Number of a try, and how much larger its samples are → feeds of the same shapes as the first ones.
Redraw = Callable[[int, float], Sequence[Feed]]
#: Feeds → Python's outputs.
Run = Callable[[Sequence[Feed]], list[Feed]]


@dataclasses.dataclass(frozen=True, eq=False)
class Trial:
    """The samples of a comparison.

    Attributes:
        feeds: What both sides run.
        expected: Python's outputs, one per feed; with the tensor inside, under its label.
        inside: What is compared beside the outputs; None where they tell samples apart.
        note: What is unusual about it, as sentences for the reader.
    """

    feeds: Sequence[Feed]
    expected: list[Feed]
    inside: LayerTensor | None = None
    note: str = ""


def find_trial(
    model: Artifacts, feeds: Sequence[Feed], compared: Sequence[int], *, redraw: Redraw | None, run: Run
) -> Trial:
    """Try until the outputs tell the samples apart.

    Args:
        model: With the tensors of its layers.
        feeds: The samples.
        compared: Which of them are compared with each other.
        redraw: Draws others; None for the user's own, which stay.
        run: Runs Python's model; of a feed outside ``compared`` it may give nothing. What it raises is not caught.
    """
    expected = run(feeds)
    if tells([expected[i] for i in compared]):
        return Trial(feeds, expected)
    for attempt, amplitude in enumerate(AMPLITUDES if redraw else (), 1):
        assert redraw is not None
        others = redraw(attempt, amplitude)
        found = run(others)
        if tells([found[i] for i in compared]):
            larger = "" if amplitude == 1 else f", {amplitude:g} times as large"
            return Trial(
                others, found, None, f"The samples were drawn again{larger}: the first could not tell right from wrong."
            )
    no_numbers = not any(_has_numbers(array) for outputs in expected for array in outputs.values())
    inside = None if no_numbers else _last_that_tells(model, [feeds[i] for i in compared])
    if inside is None:
        return Trial(feeds, expected)
    pairs = zip(feeds, expected, strict=True)
    values = [layer_outputs(model, feed, {inside.label}) if outputs else {} for feed, outputs in pairs]
    note = f"The outputs hardly depend on the samples, so '{inside.label}' inside the model was compared, too."
    return Trial(feeds, [outputs | value for outputs, value in zip(expected, values, strict=True)], inside, note)


def _has_numbers(array: Array) -> bool:
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).any())


def _last_that_tells(model: Artifacts, feeds: Sequence[Feed]) -> LayerTensor | None:
    """Return the last layer whose output two of the feeds tell apart."""
    names = {info.name for info in model.outputs}
    held = {layer.label: layer for layer in model.layers if layer.tensor and layer.label not in names}
    if len(feeds) < 2 or not held:
        return None
    try:
        first, second = (_last_outputs(model, feed, held.keys()) for feed in feeds[-2:])
    except NoLayersError:
        return None
    for label in reversed(first):
        alike = label in second and first[label].shape == second[label].shape
        if alike and tells([{label: first[label]}, {label: second[label]}]):
            return held[label]
    return None


def _last_outputs(model: Artifacts, feed: Feed, labels: Collection[str]) -> dict[str, Array]:
    found: dict[str, Array] = {}
    total = 0

    def told(label: str, array: Array) -> None:
        nonlocal total
        if label in labels and array.nbytes <= _LARGEST_BYTES:
            found[label] = np.asarray(array)
            total += array.nbytes
        while total > _MOST_BYTES:
            total -= found.pop(next(iter(found))).nbytes

    run_layers(model, feed, told)
    return found
