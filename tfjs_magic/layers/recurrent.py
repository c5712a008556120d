"""Recurrent layers, their cells, and the wrappers that run a layer over time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfjs_magic.layers.activation_functions import HARD_SIGMOID_SCALE, plain_activation
from tfjs_magic.layers.keras_objects import is_builtin, is_keras_name, plain
from tfjs_magic.layers.mapping import CallShapes, LayerMapping, LayerView
from tfjs_magic.layers.tfjs_layer import TfjsLayer, TfjsLayers, chain, merge, tfjs
from tfjs_magic.layers.unrolled_gru import unrolled_gru

_KERNELS = ("kernel", "recurrent", "bias")


def simple_rnn(class_name: str) -> LayerMapping:
    """Map SimpleRNN or its cell; kernel (C_in, units), recurrent kernel (units, units)."""
    return _recurrent(class_name, ["activation"])


def lstm(class_name: str) -> LayerMapping:
    """Map LSTM or its cell; kernel (C_in, 4 · units), gates in the order input, forget, cell, output on both sides."""
    gates = ["recurrent_activation", "recurrent_activation", "", "recurrent_activation"]
    return _recurrent(class_name, gates, "activation", "unit_forget_bias")


def gru(class_name: str) -> LayerMapping:
    """Map GRU or its cell; kernel (C_in, 3 · units), gates in the order update, reset, hidden on both sides."""
    gates = ["recurrent_activation", "recurrent_activation", "activation"]
    mapping = _recurrent(class_name, gates, "reset_after")

    def either(view: LayerView) -> TfjsLayers:
        if not view.value("reset_after"):
            return mapping(view)
        return unrolled_gru(view) if class_name == "GRU" else view.refuse(_RESET_AFTER, _WAY_OUT)

    return either


_RESET_AFTER = "It has reset_after=True (Keras's default), which no cell of TF.js computes."
_WAY_OUT = "Train it with reset_after=False, or convert the model with format='graph'."


def _recurrent(class_name: str, gates: Sequence[str], *options: str) -> LayerMapping:
    """Make the mapping of an RNN layer, or of its cell.

    Args:
        class_name: The layer's, or the cell's; tfjs calls them the same.
        gates: For each block of ``units`` columns of the kernels, which activation it goes through right away, "" if
            none.
        options: Further activations, and what else the cell reads.
    """

    def mapping(view: LayerView) -> TfjsLayers:
        cell = getattr(view.layer, "cell", view.layer)
        view.ignore("seed", "implementation")
        config = view.keep("units", "use_bias", "dropout", "recurrent_dropout")
        scales = np.repeat([_scale(view, gate, cell, config) for gate in gates], view.value("units"))
        for option in options:
            config |= (
                plain_activation(view, option, cell) if option.endswith("activation") else {option: view.value(option)}
            )
        config |= view.parameters(*_KERNELS)
        weights = view.weights("kernel", "recurrent_kernel", "bias", owner=cell)
        if scales.min() < 1:
            view.note("Weights that hard_sigmoid follows are stored times 5/6, since TF.js's is steeper")
            weights = {name: view.array(weight) * scales.astype(np.float32) for name, weight in weights.items()}
        if cell is view.layer:
            return tfjs(class_name, config, weights)
        if view.value("stateful"):
            view.note("Keeps its state from call to call, so it cannot be compared; model.resetStates() clears it")
            config["stateful"] = True
        return tfjs(class_name, config | _over_time(view), weights)

    return mapping


def _scale(view: LayerView, gate: str, cell: Any, config: dict[str, Any]) -> float:
    """Add a gate's activation to the options, and give the factor that its columns need."""
    if gate and is_builtin(view.value(gate), getattr(cell, gate)) and view.value(gate) == "hard_sigmoid":
        config[gate] = "hard_sigmoid"
        return HARD_SIGMOID_SCALE
    if gate and gate not in config:
        config |= plain_activation(view, gate, cell)
    return 1.0


def _over_time(view: LayerView) -> dict[str, Any]:
    view.ignore("zero_output_for_mask")
    view.value("unroll")  # tfjs always loops in JavaScript and would warn at each run
    return view.keep("return_sequences", "return_state", "go_backwards")


def rnn(view: LayerView) -> TfjsLayers:
    """Map RNN around one or several of Keras's own cells."""
    view.ignore("cell")
    view.off("stateful", why="TF.js is known to keep the state of SimpleRNN, LSTM and GRU only")
    cell = view.wrapped(view.layer.cell, view.calls)
    if not cell:
        return ()
    config = _over_time(view) | {"cell": _inner_config("cell", cell[0])}
    return tfjs("RNN", config, cell[0].weights)


def stacked_cells(view: LayerView) -> TfjsLayers:
    """Map StackedRNNCells; tfjs calls the weights of cell number i "RNNCell_i/…"."""
    view.ignore("cells")
    cells = [view.wrapped(cell, view.calls) for cell in view.layer.cells]
    if not all(cells):
        return ()
    config = {"cells": [_inner_config(f"cell_{i}", cell[0]) for i, cell in enumerate(cells)]}
    weights = {
        f"RNNCell_{i}/{name}": weight for i, cell in enumerate(cells) for name, weight in cell[0].weights.items()
    }
    return tfjs("StackedRNNCells", config, weights)


def conv_lstm2d(view: LayerView) -> TfjsLayers:
    """Map ConvLSTM2D; kernel (H, W, C_in, 4 · filters), gates in the order input, forget, cell, output."""
    return _conv_lstm(view, view.weights("kernel", "recurrent_kernel", "bias", owner=view.layer.cell))


def conv_lstm1d(view: LayerView) -> TfjsLayers:
    """Map ConvLSTM1D as images of width 1; kernel (L, C_in, 4 · filters)."""
    if view.value("return_state"):
        view.refuse("It returns its state, which TF.js would give as images.")
    cell = view.layer.cell
    weights = {name: np.expand_dims(view.array(getattr(cell, name)), 1) for name in ("kernel", "recurrent_kernel")}
    time, length, channels = view.sample()
    layers = _conv_lstm(view, weights | view.weights("bias", owner=cell))
    return chain(view.reshaped(time, length, 1, channels), layers, view.reshaped(*view.made()))


def _conv_lstm(view: LayerView, weights: dict[str, Any]) -> TfjsLayers:
    cell = view.layer.cell
    view.channels_last("TF.js has it on wasm only for channels_last")
    view.ignore("seed", "implementation")
    view.off("stateful", why="TF.js is known to keep the state of SimpleRNN, LSTM and GRU only")
    if any(len(call.inputs) > 1 for call in view.calls):
        view.refuse("It is called with an initial state, which is not known to work in TF.js.")
    kernel, strides = view.value("kernel_size"), view.value("strides")
    if view.value("padding") == "same" and any(a > b for a, b in zip(strides, kernel, strict=True)):
        view.refuse(f"It has strides={strides} longer than kernel_size={kernel} with padding='same'.")
    config = view.keep("filters", "padding", "data_format", "use_bias", "dropout", "recurrent_dropout")
    config |= {name: [*view.value(name), 1][:2] for name in ("kernel_size", "strides", "dilation_rate")}
    gate = _scale(view, "recurrent_activation", cell, config)
    if gate < 1:
        scales = np.repeat([gate, gate, 1.0, gate], view.value("filters")).astype(np.float32)
        weights = {name: view.array(weight) * scales for name, weight in weights.items()}
    config |= plain_activation(view, "activation", cell) | view.keep("unit_forget_bias")
    config |= view.parameters(*_KERNELS)
    return tfjs("ConvLSTM2D", config | _over_time(view), weights)


def bidirectional(view: LayerView) -> TfjsLayers:
    """Map Bidirectional. tfjs derives the backward layer from the forward one, so they must be alike."""
    wrapper = view.layer
    view.ignore("layer", "backward_layer")
    merge_mode = view.value("merge_mode")
    if getattr(wrapper.forward_layer, "stateful", False):
        view.refuse("It has stateful=True, but TF.js is known to keep the state of SimpleRNN, LSTM and GRU only.")
    for call in view.calls:
        if len(call.inputs) > 1:
            view.refuse("It is called with an initial state, which is not known to work in TF.js.")
    if _alike(wrapper.forward_layer) != _alike(wrapper.backward_layer):
        view.refuse("Its backward layer has other options than its forward layer, which TF.js cannot express.")
    mapped = [view.wrapped(layer, view.calls) for layer in (wrapper.forward_layer, wrapper.backward_layer)]
    if not all(mapped):
        return ()
    if mapped[0][0].class_name == "RNN":
        view.refuse("It wraps an RNN of cells, which TF.js cannot build twice.", "Wrap SimpleRNN, LSTM or GRU instead.")
    if len(mapped[0]) > 1:
        return _merged(view, *mapped)
    base = wrapper.forward_layer.name.removeprefix("forward_")
    weights = {
        f"{direction}_{base}/{name}": variable
        for direction, (one,) in zip(("forward", "backward"), mapped, strict=True)
        for name, variable in one.weights.items()
    }
    config = {"merge_mode": merge_mode, "layer": _inner_config(base, mapped[0][0])}
    return tfjs("Bidirectional", config, weights)


def _merged(view: LayerView, forward: TfjsLayers, backward: TfjsLayers) -> TfjsLayers:
    """Merge what unrolled layers give; the steps of the backward one are put into the order of the forward one's."""
    if (mode := view.value("merge_mode")) not in _MERGED_BY:
        return view.refuse(f"{_RESET_AFTER[:-1]}, and merge_mode={mode}, which gives two outputs.", _WAY_OUT)
    *steps, last = backward
    if last.class_name == "Concatenate":
        last = dataclasses.replace(last, inputs=(last.inputs or ())[::-1])
    class_name, config = _MERGED_BY[mode]
    return merge(class_name, forward, (*steps, last), config=config)


#: How Bidirectional merges → the layer that does so.
_MERGED_BY: Mapping[str | None, tuple[str, dict[str, Any]]] = {
    "concat": ("Concatenate", {"axis": -1}),
    "sum": ("Add", {}),
    "mul": ("Multiply", {}),
    "ave": ("Average", {}),
}


def _inner_config(name: str, inner: TfjsLayer) -> dict[str, Any]:
    """Return a wrapped layer as tfjs deserialises it."""
    return {"class_name": inner.class_name, "config": {"name": name, "trainable": True, **inner.config}}


def _alike(layer: Any) -> dict[str, Any]:
    """Return the options in which a forward and a backward layer must agree."""
    differing = {"name", "go_backwards", "seed", "trainable"}
    config = {key: value for key, value in plain(layer.get_config()).items() if key not in differing}
    # Initial values and their seeds do not matter: the weights are loaded.
    return {key: value for key, value in config.items() if not key.endswith("_initializer")}


def time_distributed(view: LayerView) -> TfjsLayers:
    """Map TimeDistributed; data (batch, time, …). What works value by value needs no wrapper."""
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
    layers = _sequence(view, child.layers, steps) if _is_sequential(child) else view.wrapped(child, steps)
    if any(layer.class_name in _NOT_PER_STEP or layer.again for layer in layers):
        return view.refuse(f"It wraps a {type(child).__name__}, which is not known to work there in TF.js.")
    return tuple(_stepwise(layer, alone=len(layers) == 1) for layer in layers)


def _is_sequential(layer: Any) -> bool:
    return type(layer).__name__ == "Sequential" and is_keras_name(type(layer).__module__)


def _sequence(view: LayerView, layers: Sequence[Any], calls: Sequence[CallShapes]) -> TfjsLayers:
    """Map the layers of a Sequential, one after the other."""
    parts: list[TfjsLayers] = []
    for layer in layers:
        made = [tuple(layer.compute_output_shape(call.inputs[0])) for call in calls]
        calls = [CallShapes(call.inputs, (shape,), call.input_dtypes) for call, shape in zip(calls, made, strict=True)]
        parts.append(view.wrapped(layer, calls))
        calls = [CallShapes(call.outputs, call.outputs, ("float32",)) for call in calls]
    return chain(*parts)


def _stepwise(layer: TfjsLayer, *, alone: bool) -> TfjsLayer:
    """Wrap one tfjs layer; what works value by value is left as it is, unless it is the only one."""
    if layer.class_name == "Concatenate":
        return dataclasses.replace(layer, config={**layer.config, "axis": layer.config["axis"] + 1})
    if layer.class_name in _ANY_RANK and not alone:
        return layer
    config = {"layer": _inner_config("step", layer)}
    if "trainable" in layer.config:
        config["trainable"] = layer.config["trainable"]
    return dataclasses.replace(layer, class_name="TimeDistributed", config=config)


#: tfjs classes that carry state or masks from step to step.
_NOT_PER_STEP = frozenset(
    {"SimpleRNN", "LSTM", "GRU", "RNN", "ConvLSTM2D", "Bidirectional", "TimeDistributed", "Masking", "Embedding", "Dot"}
)
#: tfjs classes that do the same whether there is a time axis or not.
_ANY_RANK = frozenset(
    {"Activation", "Add", "Dense", "ELU", "LeakyReLU", "Maximum", "Multiply", "ReLU", "Rescaling", "ThresholdedReLU"}
)

LAYERS: Mapping[str, LayerMapping] = {
    **{name: simple_rnn(name) for name in ("SimpleRNN", "SimpleRNNCell")},
    **{name: lstm(name) for name in ("LSTM", "LSTMCell")},
    **{name: gru(name) for name in ("GRU", "GRUCell")},
    "RNN": rnn,
    "StackedRNNCells": stacked_cells,
    "ConvLSTM1D": conv_lstm1d,
    "ConvLSTM2D": conv_lstm2d,
    "Bidirectional": bidirectional,
    "TimeDistributed": time_distributed,
}
