"""Where does a model differ? Its layers' outputs, one after the other, against Python's."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array, Artifacts, LayerListener, LayerTensor
from tfjs_magic.bench.feeds import Feed
from tfjs_magic.bench.state import Divergence, LayerRow
from tfjs_magic.bench.verify import UNBOUNDED, compare_tensor
from tfjs_magic.errors import quoted_list, reason_of

#: Outputs that travel together: small enough that the memory of both sides stays flat.
GROUP_BYTES = 2**23
#: An output that is larger is left out.
MAX_LAYER_BYTES = 2**26
#: Layers of which is told, the first ones: all of it is part of the synced state.
MAX_ROWS = 1000


class NoLayersError(Exception):
    """The model cannot be searched; the text is a sentence for the reader."""


@dataclasses.dataclass(frozen=True)
class _Group:
    layers: tuple[LayerTensor, ...]

    @property
    def tensors(self) -> list[str]:
        """Each once, though several layers may hand the same on."""
        return list(dict.fromkeys(layer.tensor for layer in self.layers))


class LayerSearch:
    """The comparison of one model on one backend, for one feed.

    Args:
        model: With its layers and its reference.
        feed: What both sides run.
        feed_index: Its number.
        bound: Largest error that passes, relative to the layer's largest value.
        quantized: Whether the weights are, and no bound is the user's own: then no layer fails.

    Raises:
        NoLayersError: There is nothing to compare, or Python cannot run its side.
    """

    def __init__(self, model: Artifacts, feed: Feed, *, feed_index: int, bound: float, quantized: bool) -> None:
        self._model = model
        self._feed = feed
        self._bound = bound
        self._quantized = quantized
        self.feed_index = feed_index
        if not model.layers:
            raise NoLayersError("The model was not converted from one with Keras layers, so there is none to find.")
        if all(not layer.tensor for layer in model.layers):
            raise NoLayersError("The converted model holds the output of none of the Keras layers by itself.")
        sizes: dict[str, int] = {}
        run_layers(model, feed, lambda label, array: sizes.update({label: array.nbytes}))
        self._missing = dict(_missing(model.layers, sizes))
        self._groups = list(_grouped(self._compared(), sizes))
        self._rows: dict[str, LayerRow] = {}

    @property
    def groups(self) -> list[list[str]]:
        """The tensors to send, group by group."""
        return [group.tensors for group in self._groups]

    def compare(self, group: int, outputs: Sequence[Array]) -> Divergence:
        """Compare the tensors of a group; return all that is known so far."""
        layers = self._groups[group].layers
        actual = dict(zip(self._groups[group].tensors, outputs, strict=True))
        expected = layer_outputs(self._model, self._feed, {layer.label for layer in layers})
        for layer in layers:
            self._rows[layer.label] = self._row(layer, expected[layer.label], actual[layer.tensor])
        return self._divergence()

    def _compared(self) -> list[LayerTensor]:
        return [layer for layer in self._model.layers[:MAX_ROWS] if layer.label not in self._missing]

    def _row(self, layer: LayerTensor, want: Array, have: Array) -> LayerRow:
        if want.shape != have.shape:
            return _without(layer, f"it has shape {have.shape} in the browser, and {want.shape} in Python")
        error = compare_tensor(want, have, self._bound)
        before = [self._rows[label]["max_rel_error"] or 0.0 for label in layer.inputs if label in self._rows]
        relative = error["max_rel_error"]
        return {
            "layer": layer.label,
            "layer_class": layer.layer_class,
            "max_abs_error": error["max_abs_error"],
            "max_rel_error": relative,
            "added": max(relative - max(before, default=0.0), 0.0) if relative < UNBOUNDED else UNBOUNDED,
            "tolerance": error["tolerance"],
            "passed": self._quantized or error["passed"],
            "note": "",
        }

    def _divergence(self) -> Divergence:
        rows = [
            self._rows.get(layer.label) or _without(layer, self._missing.get(layer.label, "not compared yet"))
            for layer in self._model.layers[:MAX_ROWS]
        ]
        compared = [row for row in rows if row["max_rel_error"] is not None]
        first = next((row for row in compared if not row["passed"]), None)
        if first is None and self._quantized:
            first = max(compared, key=lambda row: row["added"] or 0.0, default=None)
            sentence = self._largest_sentence(first)
        else:
            sentence = self._first_sentence(first)
        complete = len(self._rows) == len(self._compared())
        return {
            "rows": rows,
            "first": first["layer"] if first else "",
            "sentence": sentence,
            "bound": self._bound,
            "feed": self.feed_index,
            "complete": complete,
        }

    def _first_sentence(self, row: LayerRow | None) -> str:
        if row is None:
            return f"{len(self._rows)} layers have a value of their own, and all agree."
        layer = next(layer for layer in self._model.layers if layer.label == row["layer"])
        before = [self._rows[label]["max_rel_error"] or 0.0 for label in layer.inputs if label in self._rows]
        unseen = self._unseen(layer)
        came = f" What goes into it differs by {_error(max(before))} at most." if before and not unseen else unseen
        return (
            f"'{row['layer']}' ({row['layer_class']}) is the first layer beyond the bound: its error is "
            f"{_error(row['max_rel_error'])} of its largest value, where {row['tolerance']:g} is allowed.{came}"
            f"{self._contents(row['layer'])}"
        )

    def _largest_sentence(self, row: LayerRow | None) -> str:
        if row is None:
            return "No layer could be compared."
        layer = next(layer for layer in self._model.layers if layer.label == row["layer"])
        return (
            f"The weights are quantized. '{row['layer']}' ({row['layer_class']}) adds the most to the error: "
            f"{_error(row['added'])} of its largest value.{self._unseen(layer)}{self._contents(row['layer'])}"
        )

    def _unseen(self, layer: LayerTensor) -> str:
        """Say which layers right before it nobody compared."""
        unseen = [label for label in layer.inputs if label in self._missing]
        return (
            f" Or the fault is before it, in {quoted_list(unseen, limit=4)}, not compared by itself." if unseen else ""
        )

    def _contents(self, label: str) -> str:
        """Say what else a node computes."""
        inside = [layer.label for layer in self._model.layers if layer.why_not == f"inside '{label}'"]
        return f" Its node in the graph computes {quoted_list(inside, limit=4)}, too." if inside else ""


def layer_outputs(model: Artifacts, feed: Feed, labels: Collection[str]) -> dict[str, Array]:
    """Return Python's outputs of these layers; raises as :func:`run_layers`."""
    found: dict[str, Array] = {}

    def told(label: str, array: Array) -> None:
        if label in labels:
            found[label] = np.asarray(array)

    run_layers(model, feed, told)
    return found


def run_layers(model: Artifacts, feed: Feed, told: LayerListener) -> None:
    """Run the source in Python and tell the output of every layer, in the order of the calls.

    Raises:
        NoLayersError: Python cannot run it, or the source is no longer what was converted.
    """
    reference = model.reference
    if reference is None or reference.run_layers is None:
        raise NoLayersError("Python has no model with layers to compare with.")
    try:
        if not reference.changed():
            return reference.run_layers(feed, told)
    except Exception as error:
        # The source is the user's code.
        why = f"Python itself cannot run the model layer by layer ({type(error).__name__}: {reason_of(error)})."
        raise NoLayersError(why) from error
    raise NoLayersError("The model changed after the conversion: convert it again.")


def _missing(layers: Sequence[LayerTensor], sizes: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for layer in layers:
        if not layer.tensor:
            yield layer.label, layer.why_not
        elif layer.label not in sizes:
            yield layer.label, "Python does not call it by itself"
        elif sizes[layer.label] > MAX_LAYER_BYTES:
            yield layer.label, f"its output has {sizes[layer.label] >> 20} MiB, too many to send"


def _grouped(layers: Sequence[LayerTensor], sizes: Mapping[str, int]) -> Iterator[_Group]:
    held: list[LayerTensor] = []
    total = 0
    for layer in layers:
        if held and total + sizes[layer.label] > GROUP_BYTES:
            yield _Group(tuple(held))
            held, total = [], 0
        held.append(layer)
        total += sizes[layer.label]
    if held:
        yield _Group(tuple(held))


def _without(layer: LayerTensor, note: str) -> LayerRow:
    return {
        "layer": layer.label,
        "layer_class": layer.layer_class,
        "max_abs_error": None,
        "max_rel_error": None,
        "added": None,
        "tolerance": None,
        "passed": True,
        "note": note,
    }


def _error(value: Any) -> str:
    return "beyond all bounds" if value == UNBOUNDED else f"{value:.2g}"
