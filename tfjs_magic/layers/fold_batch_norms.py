"""Fold each batch norm into the layer before it: for inference, since training would go on without it.

Given:   y = W · x + b, then gamma · (y - mean) / √(variance + ε) + beta, and a ReLU if one follows
Result:  y = (W · s) · x + ((b - mean) · s + beta), s = gamma / √(variance + ε), and the ReLU as its activation: one
         layer, under the name of the first; the others hand their input on
Refuses: what ``_Fold.why_not`` says
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.layers.functional import Call, MappedModel
from tfjs_magic.layers.keras_objects import host_array
from tfjs_magic.layers.mapping import Notes
from tfjs_magic.layers.tfjs_layer import TfjsLayer, TfjsLayers

#: tfjs class → its weight whose output channels are scaled, and the scale (C,) as that weight has them.
_KERNELS: Mapping[str, tuple[str, Callable[[Array, Array], Array]]] = {
    **dict.fromkeys(("Conv1D", "Conv2D", "Dense"), ("kernel", lambda scale, _: scale)),
    "Conv2DTranspose": ("kernel", lambda scale, _: scale[:, None]),
    "DepthwiseConv2D": ("depthwise_kernel", lambda scale, kernel: scale.reshape(kernel.shape[2:])),
    "SeparableConv2D": ("pointwise_kernel", lambda scale, _: scale),
}
#: Source: tfjs-layers 4.22 ``dist/utils/generic_utils.js`` (``mapActivationToFusedKernel``) and who asks it.
_WITH_ACTIVATION, _FUSED = frozenset({"Conv2D", "Dense"}), frozenset({"relu", "elu"})
_FOLDED = "Folded into the layer before it (inference=True), so that fine-tuning differs: there is no batch norm left"
_STAYS = "Not folded, since"
_GONE = "its batch norm is folded into it"
_ACTIVATED = "its activation is folded into the same layer"


def fold_batch_norms(model: MappedModel, notes: Notes) -> MappedModel:
    """Fold what can be folded, in nested models too; the notes tell of each batch norm."""
    fold = _Fold(model)
    for number, call in enumerate(model.graph.calls):
        if call.kind != "layer":
            continue
        if type(call.layer).__name__ == "BatchNormalization":
            why_not = fold.why_not(number) or fold.fold(number)
            notes.add(f"{_STAYS} {why_not}" if why_not else _FOLDED, call.layer.name)
        else:
            fold.add_activation(number)
    models = {key: fold_batch_norms(inner, notes) for key, inner in model.models.items()}
    return dataclasses.replace(fold.model, models=models)


class _Fold:
    """One model, call by call."""

    def __init__(self, model: MappedModel) -> None:
        self.graph = model.graph
        self.layers, self.gone = dict(model.layers), dict(model.gone)
        self.model = dataclasses.replace(model, layers=self.layers, gone=self.gone)  # as far as it is folded

    def why_not(self, number: int) -> str:
        """Say why a batch norm cannot be folded, as half a sentence; "" if it can."""
        call, before = self.graph.calls[number], self._before(number)
        made = self.layers[id(call.layer)]
        target = self._last(before)
        if [layer.class_name for layer in made] != ["BatchNormalization"]:
            return "TF.js needs several layers for it"
        if target is None or target.class_name not in _KERNELS:
            return "no convolution or dense layer is right before it"
        reasons = {
            "it or the layer before it is called several times": self._is_shared(call) or self._is_shared(before),
            "what it normalises is used elsewhere, too": self.graph.reads(call.inputs[0]) > 1,
            "an activation stands between": target.config.get("activation", "linear") != "linear",
            "the layer before it has its channels first": target.config.get("data_format") == "channels_first",
        }
        return next((reason for reason, holds in reasons.items() if holds), "")

    def fold(self, number: int) -> str:
        """Fold a batch norm; say why not if the numbers do not allow it."""
        call, before = self.graph.calls[number], self._before(number)
        (norm,), layers = self.layers[id(call.layer)], self.layers[id(before.layer)]
        target = layers[-1]
        values = {name: host_array(variable).astype(np.float64) for name, variable in norm.weights.items()}
        with np.errstate(all="ignore"):
            scale = values.get("gamma", 1.0) / np.sqrt(values["moving_variance"] + norm.config["epsilon"])
            weight, shaped = _KERNELS[target.class_name]
            kernel = host_array(target.weights[weight]).astype(np.float64)
            kernel = (kernel * shaped(scale, kernel)).astype(np.float32)
            bias = host_array(target.weights["bias"]).astype(np.float64) if "bias" in target.weights else 0.0
            bias = ((bias - values["moving_mean"]) * scale + values.get("beta", 0.0)).astype(np.float32)
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            return "its weights would become infinite"
        # tfjs would apply a constraint to the new weights while it loads them.
        config = {key: value for key, value in target.config.items() if not key.endswith("_constraint")}
        self._replace(before, config | {"use_bias": True}, {**target.weights, weight: kernel, "bias": bias})
        self.layers[id(call.layer)] = ()
        self.gone[id(before.layer)] = _GONE
        return ""

    def add_activation(self, number: int) -> None:
        """Take a ReLU behind what a batch norm was folded into as its activation, where tfjs computes both at once."""
        call = self.graph.calls[number]
        name = _activation_of(self.layers.get(id(call.layer), ()))
        if name is None or self._is_shared(call) or self.graph.reads(call.inputs[0]) > 1:
            return
        before, norm = self._before(number), self.graph.calls[call.inputs[0].call].layer
        target = self._last(before)
        if target is None or self.layers[id(norm)] or target.class_name not in _WITH_ACTIVATION:
            return
        if target.config["activation"] == "linear" and self.gone[id(before.layer)] == _GONE:
            self._replace(before, {**target.config, "activation": name}, target.weights)
            self.layers[id(call.layer)] = ()
            self.gone[id(norm)] = _ACTIVATED

    def _is_shared(self, call: Call) -> bool:
        return len(self.graph.calls_of(call.layer)) > 1

    def _before(self, number: int) -> Call:
        """Return the call whose layer gives what a call takes."""
        return self.graph.calls[self.model.giver(self.graph.calls[number].inputs[0]).call]

    def _last(self, call: Call) -> TfjsLayer | None:
        made: TfjsLayers = self.layers.get(id(call.layer), ())
        return made[-1] if made and all(layer.again is None for layer in made) else None

    def _replace(self, call: Call, config: Mapping[str, object], weights: Mapping[str, object]) -> None:
        *others, last = self.layers[id(call.layer)]
        self.layers[id(call.layer)] = (*others, dataclasses.replace(last, config=config, weights=weights))


def _activation_of(made: TfjsLayers) -> str | None:
    """Return tfjs's name of the activation that a layer is, where tfjs computes it in the same kernel."""
    if len(made) != 1:
        return None
    config = made[0].config
    if made[0].class_name == "ReLU":
        return "relu" if config.get("max_value") is None else None
    return config["activation"] if made[0].class_name == "Activation" and config["activation"] in _FUSED else None
