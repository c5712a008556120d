"""Compare the masks that Keras hands from layer to layer with those that tfjs makes up while it runs.

tfjs computes masks again on its own, by other rules, and once an RNN has been given one, every later RNN without a mask
of its own gets the same (``execute`` keeps them in one ``kwargs`` object). So a model is held exactly only where both
sides agree at every layer that reads a mask; everywhere else the layer is refused.

Source: tfjs-layers 4.22 ``dist/engine/executor.js`` (``execute``), ``computeMask`` in ``dist/layers/*.js``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from tfjs_magic.layers.functional import Call, MappedModel, MaskOrigin, TensorRef
from tfjs_magic.layers.mapping import Refusal
from tfjs_magic.layers.tfjs_layer import TfjsLayer, TfjsLayers

#: "other": a mask that no layer could read rightly.
Mask = MaskOrigin | Literal["other"] | None

#: tfjs classes that hand the mask of their first input on.
_PASS_ON = frozenset(
    {
        "Activation",
        "AlphaDropout",
        "BatchNormalization",
        "Dense",
        "Dropout",
        "GaussianDropout",
        "GaussianNoise",
        "LayerNormalization",
        "PReLU",
        "ReLU",
        "SpatialDropout1D",
        "TimeDistributed",
    }
)
#: Those of them that work on each step by itself, LayerNormalization only along the last axis.
_STEPWISE = _PASS_ON - {"TimeDistributed"}
_MERGES = frozenset({"Add", "Average", "Maximum", "Minimum", "Multiply", "Concatenate"})
#: tfjs classes that read a mask: in both frameworks nothing else that is mapped does.
_READERS = frozenset({"SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional"})
#: Keras classes that take a mask but use it only in training.
_TRAINING_READERS = frozenset({"BatchNormalization"})


def refuse_masks(root: MappedModel) -> list[Refusal]:
    """Refuse every layer at which tfjs's mask would differ from Keras's."""
    scans = [_Scan(model, nested=model is not root) for model in root.walk()]
    refusals = [refusal for scan in scans for refusal in scan.refusals]
    for scan in scans:
        elsewhere = any(other.masked for other in scans if other is not scan)
        refusals += scan.refuse_leaks(masked_elsewhere=elsewhere)
    return refusals


class _Scan:
    """Follows masks through one model, as tfjs would."""

    def __init__(self, model: MappedModel, *, nested: bool) -> None:
        self.graph = model.graph
        self.nested = nested
        self.refusals: list[Refusal] = []
        self.masked: set[int] = set()  # calls with a masked input
        self._bare: list[int] = []  # calls that could read a mask and get none
        self._stateful: list[int] = []  # calls with an initial state
        self._masks: dict[TensorRef, Mask] = {}
        self._zeroed: dict[TensorRef, Call] = {}  # Keras zeroes this tensor's masked steps, tfjs does not; by whom
        for number, call in enumerate(self.graph.calls):
            inputs = [self._masks.get(ref) for ref in call.inputs]
            if any(mask is not None for mask in inputs):
                self.masked.add(number)
            if call.kind == "model":
                self._enter(number, inputs, model.models[id(call.layer)])
                self._refuse_zeroed(call.inputs)
            elif call.kind != "input":
                layers = model.layers[id(call.layer)]
                self._check(number, call, inputs, layers)
                mask = self._output(call, inputs, layers)
                self._masks |= {TensorRef(number, port): mask for port in range(len(call.shapes.outputs))}
                self._follow_zeroed(number, call, layers)
        self._refuse_zeroed(self.graph.outputs)

    def _enter(self, number: int, inputs: Sequence[Mask], inner: MappedModel) -> None:
        call = self.graph.calls[number]
        if call.masked or any(mask is not None for mask in inputs):
            self._refuse(call, "A mask enters this nested model, which TF.js does not hand on as Keras does.")
        is_used = any(ref.call == number for other in self.graph.calls for ref in other.inputs)
        if is_used and any(_may_leave_masked(inner)):
            self._refuse(call, "A mask leaves this nested model, which TF.js does not hand on as Keras does.")

    def _check(self, number: int, call: Call, inputs: Sequence[Mask], layers: TfjsLayers) -> None:
        if any(layer.class_name in _READERS for layer in layers):
            has_state = len(call.inputs) > 1
            if has_state:
                self._stateful.append(number)
            if not call.masked and inputs[0] is None:
                if not any(mask is not None for mask in inputs):
                    self._bare.append(number)
            elif call.mask is None or call.mask != inputs[0]:
                self._refuse(call, "Its mask in Keras is another than the one that TF.js would make up for it.")
            elif has_state:
                self._refuse(call, "It has a mask and an initial state; TF.js starts a masked sequence differently.")
        elif call.masked and _uses_mask(call.layer):
            self._refuse(call, f"It is given a mask, which TF.js's {type(call.layer).__name__} ignores.")

    def _output(self, call: Call, inputs: Sequence[Mask], layers: TfjsLayers) -> Mask:
        """Return the mask that tfjs attaches to every output of a call."""
        made: dict[str, Mask] = {}
        mask: Mask = None
        for layer in layers:
            picks = range(len(inputs)) if layer.inputs is None else layer.inputs
            given = [made[pick] if isinstance(pick, str) else inputs[pick] for pick in picks]
            if layer.class_name in _MERGES and _throws(layer, given, call):
                self._refuse(call, "Only some of its inputs have a mask, at which TF.js fails.")
            mask = made[layer.role] = _computed_mask(layer, given, call.inputs[0])
        return mask

    def _follow_zeroed(self, number: int, call: Call, layers: TfjsLayers) -> None:
        """Follow tensors whose masked steps differ: harmless only until a layer reads the mask that hides them."""
        zeroed = [ref for ref in call.inputs if ref in self._zeroed]
        if all(layer.class_name in _READERS for layer in layers):
            core = getattr(call.layer, "forward_layer", call.layer)
            if call.masked and getattr(core, "zero_output_for_mask", False):
                self._zeroed |= {TensorRef(number, port): call for port in range(len(call.shapes.outputs))}
        elif zeroed and all(layer.class_name in _STEPWISE and _is_stepwise(layer, call) for layer in layers):
            self._zeroed[TensorRef(number, 0)] = self._zeroed[zeroed[0]]
        else:
            self._refuse_zeroed(call.inputs)

    def _refuse_zeroed(self, tensors: Sequence[TensorRef]) -> None:
        for ref in tensors:
            if ref in self._zeroed:
                reason = "Keras sets its outputs at masked steps to zero, TF.js does not, and they are used."
                self._refuse(self._zeroed[ref], reason)

    def refuse_leaks(self, *, masked_elsewhere: bool) -> list[Refusal]:
        """Refuse RNNs that tfjs would give an earlier RNN's mask or initial state."""
        self.refusals = []
        for number in self._bare:
            later = self._descendants(number) if not self.nested else set()
            if masked_elsewhere or self.masked - later:
                reason = "It has no mask, but another layer has; TF.js would give it that layer's mask."
                self._refuse(self.graph.calls[number], reason)
        for number in self._stateful:
            if self.nested or masked_elsewhere or self.masked:
                reason = "It has an initial state, which TF.js would also give to other layers of this model."
                self._refuse(self.graph.calls[number], reason)
        return self.refusals

    def _descendants(self, number: int) -> set[int]:
        found = {number}
        for other, call in enumerate(self.graph.calls):
            if any(ref.call in found for ref in call.inputs):
                found.add(other)
        return found - {number}

    def _refuse(self, call: Call, reason: str) -> None:
        self.refusals.append(Refusal(call.layer.name, reason))


def _computed_mask(layer: TfjsLayer, given: Sequence[Mask], tensor: TensorRef) -> Mask:
    """Return what the tfjs class's ``computeMask`` gives; ``tensor`` is its input."""
    if layer.class_name == "Masking":
        return MaskOrigin(tensor, float(layer.config["mask_value"]))
    if layer.class_name == "Embedding":
        return MaskOrigin(tensor, 0.0) if layer.config["mask_zero"] else None
    if layer.class_name in _READERS:
        inner = layer.config["layer"]["config"] if layer.class_name == "Bidirectional" else layer.config
        return given[0] if inner["return_sequences"] else None
    if layer.class_name in _MERGES:
        return "other" if any(mask is not None for mask in given) else None
    return given[0] if layer.class_name in _PASS_ON else None


def _is_stepwise(layer: TfjsLayer, call: Call) -> bool:
    last = {-1, len(call.shapes.inputs[0]) - 1}
    axis = layer.config.get("axis", -1)
    return set(axis if isinstance(axis, list) else [axis]) <= last


def _throws(layer: TfjsLayer, given: Sequence[Mask], call: Call) -> bool:
    some, every = any(mask is not None for mask in given), all(mask is not None for mask in given)
    if not some or every:
        return False
    if layer.class_name == "Concatenate":
        return layer.config["axis"] not in {-1, len(call.shapes.inputs[0]) - 1}
    return len(given) > 2 and any(mask is None for mask in given[:-1])


def _uses_mask(layer: Any) -> bool:
    """Tell whether a Keras layer's outputs depend on its mask at inference."""
    if type(layer).__name__ == "TimeDistributed":
        return "mask" in inspect.signature(layer.layer.call).parameters
    return type(layer).__name__ not in _TRAINING_READERS


def _may_leave_masked(model: MappedModel) -> Iterator[bool]:
    """Yield for each output whether Keras may hang a mask on it; at run time it does so across nested models."""
    may: dict[TensorRef, bool] = {}
    for number, call in enumerate(model.graph.calls):
        ends = getattr(call.layer, "return_sequences", True) is False or type(call.layer).__name__ == "Dot"
        creates = type(call.layer).__name__ == "Masking" or getattr(call.layer, "mask_zero", False)
        passes = getattr(call.layer, "supports_masking", False) and any(may.get(ref) for ref in call.inputs)
        inside = call.kind == "model" and any(_may_leave_masked(model.models[id(call.layer)]))
        masked = bool(creates or inside or (passes and not ends))
        may |= {TensorRef(number, port): masked for port in range(len(call.shapes.outputs))}
    yield from (may[ref] for ref in model.graph.outputs)
