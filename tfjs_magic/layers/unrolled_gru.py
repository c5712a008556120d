"""GRU with ``reset_after=True``, step by step: no cell of TF.js resets what the recurrent kernel has made of the state.

    z = σ(x·W_z + b_z + h·U_z + c_z)    r = σ(x·W_r + b_r + h·U_r + c_r)
    h′ = z·h + (1 − z)·tanh(x·W_h + b_h + r·(h·U_h + c_h))

All steps are calls of the same layers, so that there is one of each weight, which is trained as Keras trains it.

Source: ``keras/src/layers/rnn/gru.py``, 3.15; tfjs-layers 4.22 ``dist/layers/recurrent.js``, ``GRUCell``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfjs_magic.layers.activation_functions import plain_activation
from tfjs_magic.layers.mapping import LayerView
from tfjs_magic.layers.tfjs_layer import TfjsLayer, TfjsLayers

#: Each step is some twenty calls: more of them make a model.json that is slow to load.
MOST_STEPS = 64
_GATES = ("update", "reset", "hidden")
_NO_CELL = "It has reset_after=True (Keras's default), which no cell of TF.js computes"
_WAY_OUT = "Train it with reset_after=False, or convert the model with format='graph'."
_SHORTER = (
    f"Give each call the same fixed length of up to {MOST_STEPS} steps, or convert the model with format='graph'."
)


def unrolled_gru(view: LayerView) -> TfjsLayers:
    """Map a GRU over a known number of steps; kernels (C_in, 3 · units), (units, 3 · units), biases (2, 3 · units)."""
    view.ignore("seed", "implementation", "unroll", "use_bias", "units", "zero_output_for_mask", "reset_after")
    (steps, features), backwards = view.sample(), view.value("go_backwards")
    if steps is None or steps > MOST_STEPS:
        found = "unknown, or not the same in all its calls" if steps is None else steps
        view.refuse(f"{_NO_CELL}, and the number of steps, each of which takes its own layers, is {found}.", _SHORTER)
    for option in ("return_state", "stateful", "recurrent_dropout"):
        if view.value(option):
            view.refuse(
                f"{_NO_CELL}, and it has {option}={view.value(option)}, which layers for each step cannot hold.",
                _WAY_OUT,
            )
    if len({len(call.inputs) for call in view.calls}) > 1:
        view.refuse(f"{_NO_CELL}, and only some of its calls have an initial state.", _WAY_OUT)
    parts = _Steps(view)
    if view.refusals or steps is None or features is None:
        return ()
    view.note(
        "Computed step by step, so it can be trained; a graph model (format='graph') ran in half of the time on wasm"
    )
    rows = parts.add("rows", "Reshape", {"target_shape": [steps, 1, features]}, parts.dropped(view.value("dropout")))
    state: int | str | None = 1 if len(view.calls[0].inputs) > 1 else None
    states: list[str] = []
    for time in reversed(range(steps)) if backwards else range(steps):
        crop = {"cropping": [[time, steps - 1 - time], [0, 0]]}
        x = parts.add("x", "Reshape", {"target_shape": [features]}, parts.add(f"at_{time}", "Cropping2D", crop, rows))
        state = parts.step(x, state)
        states.append(state)
    if not view.value("return_sequences"):
        parts.add("", "Activation", {"activation": "linear"}, states[-1])
    elif steps == 1:
        parts.add("", "Reshape", {"target_shape": [1, view.value("units")]}, states[0])
    else:
        listed = [parts.add("listed", "Reshape", {"target_shape": [1, view.value("units")]}, one) for one in states]
        parts.add("", "Concatenate", {"axis": 1}, *listed)
    return parts.layers


class _Steps:
    """The tfjs layers; what is added under a name that is there already is one more call of that layer."""

    def __init__(self, view: LayerView) -> None:
        self.layers: TfjsLayers = ()
        self._view = view
        self._units: int = view.value("units")
        self._first: dict[str, TfjsLayer] = {}
        self._calls: dict[str, int] = {}
        weights = view.weights("kernel", "recurrent_kernel", "bias", owner=view.layer.cell)
        self._weights = {name: view.array(variable) for name, variable in weights.items()}
        self._options = view.parameters("kernel", "recurrent", "bias")
        given = (plain_activation(view, option, view.layer.cell) for option in ("activation", "recurrent_activation"))
        self._hidden, self._gate = ({"activation": name} for one in given for name in one.values() or ("linear",))

    def add(self, name: str, class_name: str, config: Mapping[str, Any], *inputs: int | str, **weights: Any) -> str:
        """Add a call on inputs of the Keras layer (numbers) and on other calls (roles); return its role."""
        count = self._calls[name] = self._calls.get(name, 0) + 1
        if count == 1:
            layer = self._first[name] = TfjsLayer(class_name, config, weights, name, inputs)
        else:
            layer = TfjsLayer(class_name, self._first[name].config, {}, f"{name}_{count}", inputs, again=name)
        self.layers += (layer,)
        return layer.role

    def dropped(self, rate: float) -> int | str:
        """Drop the same features at all steps, as Keras does; return what comes out of it."""
        return self.add("dropped", "SpatialDropout1D", {"rate": rate}, 0) if rate else 0

    def step(self, x: str, state: int | str | None) -> str:
        """Return the state after a step; None stands for the first one, which is zero."""
        given = [self._project(f"{gate}_x", i, x) for i, gate in enumerate(_GATES)]
        if state is None:
            finite = self.add("finite", "Activation", {"activation": "sigmoid"}, given[0])
            state = self.add("start", "Rescaling", {"scale": 0.0, "offset": 0.0}, finite)
        kept = [self._project(f"{gate}_h", i, state) for i, gate in enumerate(_GATES)]
        update, reset = (
            self.add("gate", "Activation", self._gate, self.add("sum", "Add", {}, *pair))
            for pair in zip(given[:2], kept[:2], strict=True)
        )
        left = self.add("product", "Multiply", {}, reset, kept[2])
        hidden = self.add("new", "Activation", self._hidden, self.add("sum", "Add", {}, given[2], left))
        rest = self.add("rest", "Rescaling", {"scale": -1.0, "offset": 1.0}, update)
        old, new = self.add("product", "Multiply", {}, update, state), self.add("product", "Multiply", {}, rest, hidden)
        return self.add("sum", "Add", {}, old, new)

    def _project(self, name: str, gate: int, source: int | str) -> str:
        """Multiply a step or a state by the gate's part of the kernel."""
        recurrent = name.endswith("_h")
        part = slice(gate * self._units, (gate + 1) * self._units)
        weights = {"kernel": self._weights["recurrent_kernel" if recurrent else "kernel"][:, part]}
        if "bias" in self._weights:
            weights["bias"] = self._weights["bias"][int(recurrent), part]
        other, prefix = ("kernel_", "recurrent_") if recurrent else ("recurrent_", "kernel_")
        options = {key: value for key, value in self._options.items() if not key.startswith(other)}
        options = {key.replace(prefix, "kernel_"): value for key, value in options.items()}
        config = {"units": self._units, "use_bias": "bias" in weights, "activation": "linear", **options}
        return self.add(name, "Dense", config, source, **weights)
