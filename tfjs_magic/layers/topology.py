"""Keras 3 model in memory → tfjs-layers topology and weights, exactly, or every reason why not.

Given:   a functional or sequential Keras 3 model, on any Keras backend
Result:  the ``modelTopology`` of a ``model.json``, and weights under the names by which tfjs-layers looks for them
Refuses: layers, options, masks and wirings that tfjs-layers does not have or computes otherwise; all of them at once

Source: tfjs-layers 4.22 ``dist/models.js`` (``loadLayersModelFromIOHandler``).
"""

from __future__ import annotations

import collections
import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array, LayerTensor, TensorInfo, WeightEntry
from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.layers.assembly import assemble, index_bounds, top_level_name
from tfjs_magic.layers.backends import wrong_per_backend
from tfjs_magic.layers.classes import layer_classes
from tfjs_magic.layers.fold_batch_norms import fold_batch_norms
from tfjs_magic.layers.format_speed import format_speed
from tfjs_magic.layers.functional import Call, MappedModel, ModelGraph, input_names, output_names, read_model
from tfjs_magic.layers.keras_objects import fits_json, host_array, is_keras_layer, is_keras_name
from tfjs_magic.layers.mapping import (
    FLOAT_DTYPES,
    INTEGER_DTYPES,
    CallShapes,
    LayerView,
    Notes,
    Refusal,
    Refused,
    read_options,
)
from tfjs_magic.layers.masks import refuse_masks
from tfjs_magic.layers.merge_padding import merge_padding
from tfjs_magic.layers.names import LayerNames
from tfjs_magic.layers.provenance import layer_tensors
from tfjs_magic.layers.registry import MAPPINGS, OPERATION_MAPPINGS, RANKS
from tfjs_magic.layers.tfjs_layer import UNCHANGED, TfjsLayers
from tfjs_magic.layers.training import training_config

__all__ = ["LayersTopology", "Refused", "fill_weights", "layers_topology"]

#: Dtype policies that become float32, with what the user should know of it.
_OTHER_POLICIES = frozenset({"float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16"})


@dataclasses.dataclass(frozen=True, eq=False)
class LayersTopology:
    """A model as tfjs-layers holds it.

    Attributes:
        topology: The whole ``modelTopology``.
        weights: In the order of the layers; zero-copy views where the backend allows it.
        inputs: Under the user's names, in the user's order.
        outputs: Likewise.
        classes: tfjs layer class → how often it is called.
        backends: Backend → the classes that it computes wrongly.
        training: ``trainingConfig``, if the model is compiled and TF.js trains it as Keras does.
        stateful: Whether its outputs depend on earlier calls.
        notes: What changes no output but should be known, one sentence each.
        layers: The tfjs layers whose outputs are those of the Keras model's layers.
        speed: How long it takes as a graph model, as far as measured.
    """

    topology: Mapping[str, Any]
    weights: tuple[WeightEntry, ...]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    classes: Mapping[str, int]
    backends: Mapping[str, tuple[str, ...]]
    training: Mapping[str, Any] | None
    stateful: bool
    notes: tuple[str, ...]
    layers: tuple[LayerTensor, ...]
    speed: str


def layers_topology(model: Any, *, inference: bool = False) -> LayersTopology | Refused:
    """Convert a Keras 3 model, or say everything that stands against it.

    Args:
        model: Functional or sequential.
        inference: Fold what only training needs.
    """
    notes = Notes()
    mapper = _Mapper(notes)
    mapped = mapper.map_model(model)
    refusals = list(mapper.refusals)
    if mapped is not None and not refusals:
        refusals = refuse_masks(mapped)
    if mapped is None or refusals:
        return Refused(tuple(dict.fromkeys(refusals)))
    backends = wrong_per_backend(mapped)
    mapped = merge_padding(mapped)
    if inference:
        mapped = fold_batch_norms(mapped, notes)
    names = LayerNames(mapped)
    container = assemble(mapped, names, top_level_name(mapped))
    counts = collections.Counter(name for name, _ in container.weights)
    if repeated := next((name for name, count in counts.items() if count > 1), None):
        reason = f"Two of its weights would be called '{repeated}' in TF.js."
        return Refused((Refusal(mapped.graph.name, reason, "Rename one of the layers."),))
    for old, new in names.renamed:
        notes.add("Renamed, since TF.js wants plain and unique layer names", f"{old}' → '{new}")
    weights = tuple(WeightEntry(name, _float32_array(name, variable, notes)) for name, variable in container.weights)
    training, left_out = training_config(model)
    keras = sys.modules["keras"]  # the model's own Keras, so that none is imported here
    return LayersTopology(
        topology={
            "keras_version": str(keras.__version__),
            "backend": str(keras.backend.backend()),
            "model_config": container.entry,
        },
        weights=weights,
        inputs=_tensor_infos(model.inputs, input_names(model), index_bounds(mapped)),
        outputs=_tensor_infos(model.outputs, output_names(model), {}),
        classes=dict(sorted(layer_classes(container.entry).items())),
        backends=backends,
        training=training,
        stateful=any(
            layer.config.get("stateful") for one in mapped.walk() for made in one.layers.values() for layer in made
        ),
        notes=(*notes.sentences(), *([left_out] if left_out else ())),
        layers=tuple(layer_tensors(mapped, names)),
        speed=format_speed(mapped),
    )


def fill_weights(model: Any, weights: Mapping[str, Array]) -> None:
    """Assign TF.js's weights to the Keras 3 model that they were converted from, or one just like it.

    Args:
        model: A built functional or sequential model.
        weights: Weight name → array, as TF.js holds it.

    Raises:
        UnsupportedModelError: Names or shapes differ, or the weights have another form in TF.js; nothing is assigned.
    """
    mapper = _Mapper(Notes())
    mapped = mapper.map_model(model)
    if mapped is None or mapper.refusals:
        first = mapper.refusals[0]
        raise UnsupportedModelError(
            f"Model '{model.name}' cannot take weights of a layers model. Layer '{first.layer}': {first.reason}"
        )
    variables = dict(assemble(mapped, LayerNames(mapped), top_level_name(mapped)).weights)
    own = {id(variable) for variable in model.variables}
    missing, extra = variables.keys() - weights.keys(), weights.keys() - variables.keys()
    if missing or extra:
        found = f"without {quoted_list(missing, limit=4)}" if missing else f"with {quoted_list(extra, limit=4)}"
        raise UnsupportedModelError(
            f"The weights come {found}, unlike those of '{model.name}'; names and number must be the same."
        )
    for name, variable in variables.items():
        if id(variable) not in own:
            raise UnsupportedModelError(
                f"Weight '{name}' has another form in TF.js than in '{model.name}', so it cannot be taken back; "
                "to_keras() gives a model with TF.js's layers."
            )
        if tuple(variable.shape) != weights[name].shape:
            raise UnsupportedModelError(
                f"Weight '{name}' has shape {weights[name].shape}; in '{model.name}' it is {tuple(variable.shape)}."
            )
    for name, variable in variables.items():
        variable.assign(weights[name])


class _Mapper:
    """Maps layers and collects what is refused on the way."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.refusals: list[Refusal] = []
        self.taken: set[int] = set()

    def map_model(self, model: Any) -> MappedModel | None:
        """Map a model and all nested ones; None if the model itself cannot be read."""
        graph = read_model(model)
        if isinstance(graph, Refusal):
            self.refusals.append(graph)
            return None
        layers: dict[int, TfjsLayers] = {}
        models: dict[int, MappedModel] = {}
        for layer in graph.layers:
            calls = [graph.calls[number] for number in graph.calls_of(layer)]
            self.refusals += [refusal for call in calls for refusal in _refuse_arguments(call)]
            kind = calls[0].kind
            if kind == "model":
                if (inner := self.map_model(layer)) is not None:
                    models[id(layer)] = inner
            elif kind == "input":
                self.refusals += _refuse_input(layer)
            else:
                mapped = self.map_layer(layer, [call.shapes for call in calls])
                if isinstance(mapped, Refused):
                    self.refusals += mapped.refusals
                else:
                    layers[id(layer)] = mapped
        self._note_copies(graph, models)
        return MappedModel(graph, layers, models)

    def map_layer(self, layer: Any, calls: Sequence[CallShapes]) -> TfjsLayers | Refused:
        """Map one layer or operation, or say everything that stands against it."""
        if (refusal := _refuse_class(layer)) is not None:
            return Refused((refusal,))
        class_name, mappings = type(layer).__name__, MAPPINGS if is_keras_layer(layer) else OPERATION_MAPPINGS
        if (refusal := _refuse_rank(layer, calls)) is not None:
            return Refused((refusal,))
        options = read_options(layer)
        if isinstance(options, Refusal):
            return Refused((options,))
        view = LayerView(layer, calls, options=options, notes=self.notes, map_layer=self.map_layer, taken=self.taken)
        self._check_policy(view)
        mapped = mappings[class_name](view) or UNCHANGED
        refusals = view.finish()
        if not refusals and (extra := _unmapped_weights(view, mapped)):
            reason = f"It has weights that TF.js's {class_name} has not: {', '.join(extra)}."
            refusals = (Refusal(layer.name, reason),)
        if not refusals:
            refusals = tuple(Refusal(layer.name, reason) for reason in _unwritable(mapped))
        if refusals:
            return Refused(refusals)
        if len(mapped) > 1:
            self.notes.add("Made of several TF.js layers, of which the last has the name", layer.name)
        return mapped

    def _check_policy(self, view: LayerView) -> None:
        policy = str(getattr(getattr(view.layer, "dtype_policy", None), "name", "float32"))
        if policy in _OTHER_POLICIES:
            view.note(f"Computed in float32 in TF.js instead of {policy}")
        elif policy != "float32":
            view.refuse(f"Its dtype policy is '{policy}'; TF.js layers compute in float32 only.")

    def _note_copies(self, graph: ModelGraph, models: Mapping[int, MappedModel]) -> None:
        """Tell where layers of different models share weights, which become copies in TF.js."""
        outer = {id(layer) for layer in graph.layers}
        for inner in (one for nested in models.values() for one in nested.walk()):
            for layer in inner.graph.layers:
                if id(layer) in outer and layer.weights:
                    self.notes.add("Shared by several models; each gets a copy of the weights in TF.js", layer.name)
            outer |= {id(layer) for layer in inner.graph.layers}


def _refuse_arguments(call: Call) -> list[Refusal]:
    name = call.layer.name
    found = [Refusal(name, call.unclear)] if call.unclear else []
    if call.kind == "model":
        names = ", ".join(f"'{argument}'" for argument in sorted(call.shapes.arguments) if argument != "training")
        if names:
            found.append(Refusal(name, f"It is called with {names}, which TF.js does not take."))
    if len(call.shapes.inputs) == 0 and call.kind not in {"input", "operation"}:
        found.append(Refusal(name, "It is called without any tensor, which a TF.js layer cannot be."))
    return found


def _refuse_input(layer: Any) -> list[Refusal]:
    found = [
        Refusal(layer.name, f"It is a {option} input, which TF.js layers cannot take.")
        for option in ("sparse", "ragged", "optional")
        if getattr(layer, option, False)
    ]
    if len(layer.batch_shape) < 2:
        found.append(Refusal(layer.name, "It takes a single value per sample; TF.js would add a dimension to it."))
    if str(layer.dtype) not in FLOAT_DTYPES | INTEGER_DTYPES:
        found.append(Refusal(layer.name, f"It takes {layer.dtype} values; TF.js layers take float32 and int32."))
    return found


def _refuse_class(layer: Any) -> Refusal | None:
    """Refuse what is not Keras's own, what no mapping knows, and what is not built."""
    class_name, is_layer = type(layer).__name__, is_keras_layer(layer)
    if not is_keras_name(type(layer).__module__):
        return Refusal(layer.name, f"Its class '{class_name}' is your own, and TF.js has only Keras's layers.")
    if not is_layer and class_name not in OPERATION_MAPPINGS:
        reason = f"It is the operation keras.ops '{class_name}', and no layer of TF.js computes that."
        return Refusal(layer.name, reason)
    if is_layer and class_name not in MAPPINGS:
        return Refusal(layer.name, f"TF.js has no layer that computes what Keras's {class_name} does.")
    if not getattr(layer, "built", True):
        return Refusal(layer.name, "It is not built.", "Call the model on data once, then convert it.")
    return None


def _refuse_rank(layer: Any, calls: Sequence[CallShapes]) -> Refusal | None:
    wanted = RANKS.get(type(layer).__name__) if is_keras_layer(layer) else None
    others = sorted({len(shape) for call in calls for shape in call.inputs} - {wanted})
    if wanted is None or not others:
        return None
    reason = f"It is called on data of {others[0]} axes, the batch included; TF.js computes it on {wanted}."
    return Refusal(layer.name, reason)


def _unwritable(mapped: TfjsLayers) -> Iterator[str]:
    """Say which options hold numbers that are infinite or none: a model.json has none of them."""
    for key, value in (option for one in mapped for option in one.config.items()):
        if not fits_json(value):
            yield f"Its option {key} is infinite or not a number, which no model.json can hold."


def _unmapped_weights(view: LayerView, mapped: TfjsLayers) -> list[str]:
    """Return the names of a layer's weights that no tfjs layer takes. LoRA's own are merged into what is taken."""
    layer = view.layer
    if not is_keras_layer(layer):
        return []
    taken = {id(variable) for one in mapped for variable in one.weights.values()} | view.taken
    wrapped = getattr(layer, "layer", layer)
    if any(getattr(one, "lora_enabled", False) for one in (layer, wrapped)):
        return []
    return [
        variable.name for variable in layer.weights if id(variable) not in taken and "rnn_state" not in variable.path
    ]


def _float32_array(name: str, variable: Any, notes: Notes) -> Array:
    """Return a weight as float32; a view of the backend's own buffer where it is one already."""
    array = host_array(variable)
    if array.dtype == np.float32:
        return array
    notes.add(f"Stored as float32 instead of {array.dtype}", name)
    return array.astype(np.float32)


def _tensor_infos(tensors: Sequence[Any], names: Sequence[str], bounds: Mapping[int, int]) -> tuple[TensorInfo, ...]:
    return tuple(
        TensorInfo(
            name=name,
            dtype="int32" if str(tensor.dtype) in INTEGER_DTYPES else "float32",
            shape=tuple(None if size is None else int(size) for size in tensor.shape),
            upper_bound=bounds.get(position),
        )
        for position, (tensor, name) in enumerate(zip(tensors, names, strict=True))
    )
