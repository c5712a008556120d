"""Recurrent layers and the wrappers that run a layer over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tfjs_magic.layers.mapping import CallShapes, LayerView, plain
from tfjs_magic.layers.tfjs_layer import TfjsLayer, TfjsLayers

_KERNELS = ("kernel", "recurrent", "bias")


def simple_rnn(view: LayerView) -> TfjsLayers:
    """Map SimpleRNN; kernel (C_in, units), recurrent kernel (units, units)."""
    return _recurrent("SimpleRNN", view, view.plain_activation("activation", view.layer.cell))


def lstm(view: LayerView) -> TfjsLayers:
    """Map LSTM; kernel (C_in, 4 · units), gates in the order input, forget, cell, output on both sides."""
    return _recurrent("LSTM", view, _gated_activations(view) | view.keep("unit_forget_bias"))


def gru(view: LayerView) -> TfjsLayers:
    """Map GRU; kernel (C_in, 3 · units), gates in the order update, reset, hidden on both sides."""
    if view.value("reset_after"):
        view.refuse(
            "It has reset_after=True (Keras's default), which TF.js rejects and cannot express otherwise.",
            "Convert the model with format='graph', or train it with reset_after=False.",
        )
    return _recurrent("GRU", view, _gated_activations(view) | {"reset_after": False})


def _gated_activations(view: LayerView) -> dict[str, Any]:
    cell = view.layer.cell
    return view.plain_activation("activation", cell) | view.plain_activation("recurrent_activation", cell)


def _recurrent(class_name: str, view: LayerView, config: dict[str, Any]) -> TfjsLayers:
    view.off("stateful", why="its outputs would depend on earlier calls, so they cannot be checked")
    view.ignore("seed", "implementation", "zero_output_for_mask")
    view.value("unroll")  # tfjs always loops in JavaScript and would warn at each run
    config |= view.keep("units", "use_bias", "return_sequences", "return_state", "go_backwards")
    config |= view.keep("dropout", "recurrent_dropout")
    for prefix in _KERNELS:
        config |= view.parameter(prefix)
    view.drop_activity_regularizer()
    weights = view.weights("kernel", "recurrent_kernel", "bias", owner=view.layer.cell)
    return (TfjsLayer(class_name, config, weights),)


def bidirectional(view: LayerView) -> TfjsLayers:
    """Map Bidirectional. tfjs derives the backward layer from the forward one, so they must be alike."""
    wrapper = view.layer
    view.ignore("layer", "backward_layer")
    merge_mode = view.value("merge_mode")
    for call in view.calls:
        if len(call.inputs) > 1:
            view.refuse("It is called with an initial state, which is not known to work in TF.js.")
    if _alike(wrapper.forward_layer) != _alike(wrapper.backward_layer):
        view.refuse("Its backward layer has other options than its forward layer, which TF.js cannot express.")
    forward, backward = (view.map_inner(layer, view.calls) for layer in (wrapper.forward_layer, wrapper.backward_layer))
    mapped: list[TfjsLayer] = []
    for inner in (forward, backward):
        for one in inner:
            if isinstance(one, TfjsLayer):
                mapped.append(one)
            elif one not in view.refusals:
                view.refusals.append(one)
    if len(mapped) != 2:
        return ()
    base = wrapper.forward_layer.name.removeprefix("forward_")
    weights = {
        f"{direction}_{base}/{name}": variable
        for direction, one in zip(("forward", "backward"), mapped, strict=True)
        for name, variable in one.weights.items()
    }
    config = {"merge_mode": merge_mode, "layer": view.inner_config(base, mapped[0])}
    return (TfjsLayer("Bidirectional", config, weights),)


def _alike(layer: Any) -> dict[str, Any]:
    """Give the options in which a forward and a backward layer must agree."""
    differing = {"name", "go_backwards", "seed", "trainable"}
    config = {key: value for key, value in plain(layer.get_config()).items() if key not in differing}
    # Initial values and their seeds do not matter: the weights are loaded.
    return {key: value for key, value in config.items() if not key.endswith("_initializer")}


def time_distributed(view: LayerView) -> TfjsLayers:
    """Map TimeDistributed around a layer that becomes one tfjs layer; data (batch, time, …)."""
    view.ignore("layer")
    child = view.layer.layer
    steps = [
        CallShapes(
            inputs=tuple(shape[:1] + shape[2:] for shape in call.inputs),
            outputs=tuple(shape[:1] + shape[2:] for shape in call.outputs),
            input_dtypes=call.input_dtypes,
        )
        for call in view.calls
    ]
    inner = view.map_inner(child, steps)
    layers = tuple(one for one in inner if isinstance(one, TfjsLayer))
    view.refusals.extend(one for one in inner if not isinstance(one, TfjsLayer))
    if not layers:
        return ()
    if len(layers) > 1 or layers[0].class_name in _NOT_PER_STEP:
        view.refuse(f"It wraps a {type(child).__name__}, which is not known to work there in TF.js.")
        return ()
    return (TfjsLayer("TimeDistributed", {"layer": view.inner_config("step", layers[0])}, layers[0].weights),)


#: tfjs classes that carry state or masks from step to step.
_NOT_PER_STEP = frozenset({"SimpleRNN", "LSTM", "GRU", "Bidirectional", "TimeDistributed", "Masking", "Embedding"})

LAYERS: Mapping[str, Callable[[LayerView], TfjsLayers]] = {
    "SimpleRNN": simple_rnn,
    "LSTM": lstm,
    "GRU": gru,
    "Bidirectional": bidirectional,
    "TimeDistributed": time_distributed,
}
