"""Which layer of a tfjs-layers model gives the output of which layer of the Keras model."""

from __future__ import annotations

from collections.abc import Iterator

from tfjs_magic.artifacts import LayerTensor
from tfjs_magic.layers.functional import MappedModel, TensorRef
from tfjs_magic.layers.keras_objects import before, saturating_activation
from tfjs_magic.layers.masks import ZEROED, zeroed_outputs
from tfjs_magic.layers.names import LayerNames

#: Behind the name of a tfjs layer: what its activation gets. No name has a colon.
BEFORE_ACTIVATION = ":before"

_Origins = dict[TensorRef, tuple[str, ...]]


def layer_tensors(root: MappedModel, names: LayerNames) -> Iterator[LayerTensor]:
    """Yield every layer and operation inside a model, in the order of the calls."""
    yield from _inside(root, names, "", {}, {}, once=True)


def _inside(
    model: MappedModel, names: LayerNames, prefix: str, entering: _Origins, leaving: _Origins, *, once: bool
) -> Iterator[LayerTensor]:
    """Yield what is inside one model.

    Args:
        model: With its layers mapped.
        names: Give each layer tfjs's name.
        prefix: Stands before the layers' names.
        entering: Input of the model → labels of the layers that it comes from.
        leaving: Filled with the same for its outputs, whose port counts.
        once: Whether the model is called once only.
    """
    graph = model.graph
    origins: _Origins = {**entering}
    zeroed, _ = zeroed_outputs(model)
    for number, call in enumerate(graph.calls):
        if call.kind == "input":
            continue
        layer, calls = call.layer, graph.calls_of(call.layer)
        inputs = tuple(dict.fromkeys(label for ref in call.inputs for label in origins.get(ref, ())))
        label = f"{prefix}{layer.name}"
        if call.kind == "model":
            inner = model.models[id(layer)]
            given = {ref: origins.get(source, ()) for ref, source in zip(inner.graph.inputs, call.inputs, strict=False)}
            left: _Origins = {}
            found = _inside(inner, names, f"{label}/", given, left, once=once and len(calls) == 1)
            if number == calls[0]:
                yield from found
            else:
                list(found)
            origins |= {TensorRef(number, ref.port): labels for ref, labels in left.items()}
            continue
        differs = TensorRef(number, 0) in zeroed
        held = once and len(calls) == 1 and id(layer) not in model.gone and not differs
        unseen = () if id(layer) in model.gone else (label,)
        left_by = (label,) if held else (*inputs, *unseen)
        origins |= {TensorRef(number, port): left_by for port in range(len(call.shapes.outputs))}
        if number == calls[0]:
            giver = graph.calls[model.giver(TensorRef(number, 0)).call].layer
            name = names.of(model, giver) if held else ""
            why = ZEROED if differs else "it is called several times"
            why_not = "" if held else model.gone.get(id(layer), why)
            if held and _has_activation(model, layer):
                hidden = before(label, saturating_activation(layer))
                yield LayerTensor(hidden, type(layer).__name__, f"{name}{BEFORE_ACTIVATION}", inputs=inputs)
                inputs = (hidden,)
            yield LayerTensor(label, type(layer).__name__, name, why_not, inputs if held else ())
    leaving |= {TensorRef(-1, port): origins.get(ref, ()) for port, ref in enumerate(graph.outputs)}


def _has_activation(model: MappedModel, layer: object) -> bool:
    """Whether the tfjs layer of that name applies the activation itself."""
    activation, made = saturating_activation(layer), model.layers[id(layer)]
    return bool(activation) and len(made) == 1 and made[0].config.get("activation") == activation
