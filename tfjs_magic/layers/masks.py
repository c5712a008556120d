"""Compare the masks that Keras hands from layer to layer with those that tfjs makes up while it runs.

tfjs computes masks again on its own, by other rules, and once an RNN has been given one, every later RNN without a mask
of its own gets the same (``execute`` keeps them in one ``kwargs`` object). So a model is held exactly only where both
sides agree at every layer that reads a mask; everywhere else the layer is refused.

Source: tfjs-layers 4.22 ``dist/engine/executor.js`` (``execute``), ``computeMask`` in ``dist/layers/*.js``.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from tfjs_magic.layers.functional import Call, MappedModel, MaskOrigin, ModelGraph, TensorRef
from tfjs_magic.layers.mapping import Refusal
from tfjs_magic.layers.tfjs_layer import TfjsLayer, TfjsLayers

#: "other": a mask that no layer could read rightly.
Mask = MaskOrigin | Literal["other"] | None

#: tfjs classes that hand the mask of their first input on.
_PASS_ON = frozenset(
    {"Activation", "AlphaDropout", "BatchNormalization", "Dense", "Dropout", "GaussianDropout", "GaussianNoise"}
    | {"LayerNormalization", "PReLU", "ReLU", "SpatialDropout1D", "TimeDistributed"}
)
#: Those of them that work on each step by itself, LayerNormalization if it normalises the last axis alone.
_STEPWISE = _PASS_ON - {"TimeDistributed"}
_MERGES = frozenset({"Add", "Average", "Maximum", "Minimum", "Multiply", "Concatenate"})
#: tfjs classes that read a mask: in both frameworks nothing else that is mapped does.
_READERS = frozenset({"SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional"})
#: Keras classes that take a mask but use it only in training.
_TRAINING_READERS = frozenset({"BatchNormalization"})
ZEROED = "Keras sets its outputs at masked steps to zero, TF.js does not"


@dataclasses.dataclass(frozen=True, eq=False)
class Scan:
    """What masks do in one model, as tfjs would follow them; calls by their numbers.

    Attributes:
        graph: The model.
        nested: Whether it is called by another one.
        refusals: Where tfjs's mask would differ.
        masked: The calls with a masked input.
        bare: The calls that could read a mask and get none.
        stateful: The calls with an initial state.
    """

    graph: ModelGraph
    nested: bool
    refusals: list[Refusal] = dataclasses.field(default_factory=list)
    masked: set[int] = dataclasses.field(default_factory=set)
    bare: list[int] = dataclasses.field(default_factory=list)
    stateful: list[int] = dataclasses.field(default_factory=list)


def refuse_masks(root: MappedModel) -> list[Refusal]:
    """Refuse every layer at which tfjs's mask would differ from Keras's."""
    scans = [scan(model, nested=model is not root) for model in root.walk()]
    refusals = [refusal for one in scans for refusal in one.refusals]
    for one in scans:
        refusals += leaks(one, masked_elsewhere=any(other.masked for other in scans if other is not one))
    return refusals


def scan(model: MappedModel, *, nested: bool) -> Scan:
    """Follow masks through one model."""
    found = Scan(model.graph, nested)
    masks: dict[TensorRef, Mask] = {}
    used = {ref.call for call in model.graph.calls for ref in call.inputs}
    for number, call in enumerate(model.graph.calls):
        given = [masks.get(ref) for ref in call.inputs]
        reasons: Iterator[str] = iter(())
        if any(given):
            found.masked.add(number)
        if call.kind == "model":
            reasons = _at_model(call, given, model.models[id(call.layer)], is_used=number in used)
        elif call.kind != "input":
            layers = model.layers[id(call.layer)]
            steps = _followed(call, given, layers)
            reasons = _at_layer(call, given, steps)
            masks |= {TensorRef(number, port): steps[-1].leaving for port in range(len(call.shapes.outputs))}
            if _reads(layers) and len(call.inputs) > 1:
                found.stateful.append(number)
            if _reads(layers) and not call.masked and not any(given):
                found.bare.append(number)
        found.refusals.extend(Refusal(call.layer.name, reason) for reason in reasons)
    found.refusals.extend(_zeroed(model))
    return found


def masked_readers(root: MappedModel) -> set[str]:
    """Return the tfjs classes that read a mask in a model and its nested ones."""
    return {
        layer.class_name
        for model in root.walk()
        for number in scan(model, nested=model is not root).masked
        for layer in model.layers.get(id(model.graph.calls[number].layer), ())
        if layer.class_name in _READERS
    }


def leaks(found: Scan, *, masked_elsewhere: bool) -> Iterator[Refusal]:
    """Refuse RNNs that tfjs would give an earlier RNN's mask or initial state."""
    calls = found.graph.calls
    for number in found.bare:
        later = _descendants(found.graph, number) if not found.nested else set()
        if masked_elsewhere or found.masked - later:
            reason = "It has no mask, but another layer has; TF.js would give it that layer's mask."
            yield Refusal(calls[number].layer.name, reason)
    for number in found.stateful:
        if found.nested or masked_elsewhere or found.masked:
            reason = "It has an initial state, which TF.js would also give to other layers of this model."
            yield Refusal(calls[number].layer.name, reason)


def _descendants(graph: ModelGraph, number: int) -> set[int]:
    found = {number}
    for other, call in enumerate(graph.calls):
        if any(ref.call in found for ref in call.inputs):
            found.add(other)
    return found - {number}


def _at_model(call: Call, given: Sequence[Mask], inner: MappedModel, *, is_used: bool) -> Iterator[str]:
    """Yield what stands against a call of a nested model."""
    if call.masked or any(given):
        yield "A mask enters this nested model, which TF.js does not hand on as Keras does."
    if is_used and any(_may_leave_masked(inner)):
        yield "A mask leaves this nested model, which TF.js does not hand on as Keras does."


def _at_layer(call: Call, given: Sequence[Mask], steps: Sequence[_Step]) -> Iterator[str]:
    """Yield what stands against a call of a layer."""
    if _reads([step.layer for step in steps]):
        if (call.masked or given[0] is not None) and (call.mask is None or call.mask != given[0]):
            yield "Its mask in Keras is another than the one that TF.js would make up for it."
        elif given[0] is not None and len(call.inputs) > 1:
            yield "It has a mask and an initial state; TF.js starts a masked sequence differently."
    elif call.masked and _uses_mask(call.layer):
        yield f"It is given a mask, which TF.js's {type(call.layer).__name__} ignores."
    if any(_throws(step, call) for step in steps):
        yield "Only some of its inputs have a mask, at which TF.js fails."


def _reads(layers: Sequence[TfjsLayer]) -> bool:
    return any(layer.class_name in _READERS for layer in layers)


def _zeroed(model: MappedModel) -> Iterator[Refusal]:
    """Refuse layers whose outputs at masked steps Keras sets to zero and tfjs does not, unless a mask hides them."""
    zeroed, seen = zeroed_outputs(model)
    for ref in (*seen, *model.graph.outputs):
        if ref in zeroed:
            yield Refusal(zeroed[ref].layer.name, f"{ZEROED}, and they are used.")


def zeroed_outputs(model: MappedModel) -> tuple[dict[TensorRef, Call], list[TensorRef]]:
    """Return what differs at masked steps, with the call that it comes from, and what others read without the mask.

    Such tensors are followed through layers that work on each step by itself, to those that read the mask.
    """
    zeroed: dict[TensorRef, Call] = {}
    seen: list[TensorRef] = []
    for number, call in enumerate(model.graph.calls):
        layers = model.layers.get(id(call.layer), ())
        passed = [zeroed[ref] for ref in call.inputs if ref in zeroed]
        if layers and all(layer.class_name in _READERS for layer in layers):
            core = getattr(call.layer, "forward_layer", call.layer)
            if call.masked and getattr(core, "zero_output_for_mask", False):
                zeroed |= {TensorRef(number, port): call for port in range(len(call.shapes.outputs))}
        elif layers and all(layer.class_name in _STEPWISE and _is_stepwise(layer, call) for layer in layers):
            zeroed |= {TensorRef(number, 0): origin for origin in passed[:1]}
        else:
            seen += call.inputs
    return zeroed, seen


@dataclasses.dataclass(frozen=True, eq=False)
class _Step:
    """One tfjs layer of a call, the masks of its inputs, and the mask of its output."""

    layer: TfjsLayer
    entering: list[Mask]
    leaving: Mask


def _followed(call: Call, given: Sequence[Mask], layers: TfjsLayers) -> list[_Step]:
    """Follow masks through the tfjs layers that one layer has become; tfjs gives every output the last one's."""
    steps: dict[str, _Step] = {}
    for layer in layers:
        picks = range(len(given)) if layer.inputs is None else layer.inputs
        entering = [steps[pick].leaving if isinstance(pick, str) else given[pick] for pick in picks]
        steps[layer.role] = _Step(layer, entering, _computed_mask(layer, entering, call.inputs[0]))
    return list(steps.values())


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
        return "other" if any(given) else None
    return given[0] if layer.class_name in _PASS_ON else None


def _is_stepwise(layer: TfjsLayer, call: Call) -> bool:
    last = {-1, len(call.shapes.inputs[0]) - 1}
    axis = layer.config.get("axis", -1)
    return set(axis if isinstance(axis, list) else [axis]) <= last


def _throws(step: _Step, call: Call) -> bool:
    """Tell whether tfjs's ``computeMask`` fails."""
    if step.layer.class_name not in _MERGES or not any(step.entering) or all(step.entering):
        return False
    if step.layer.class_name == "Concatenate":
        return step.layer.config["axis"] not in {-1, len(call.shapes.inputs[0]) - 1}
    return len(step.entering) > 2 and not all(step.entering[:-1])


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
