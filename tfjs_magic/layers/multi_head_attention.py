"""Attention of several heads, on sequences: (batch, query steps, features) and (batch, key steps, features).

TF.js's Dot takes no more than three axes, so each head is a chain of its own, with its part of the weights:

    softmax(Dot(Dense(query), Dense(key)) · 1/√dim) → Dot(·, Dense(value)) → Concatenate → Dense

The score of a step that must not be seen is multiplied by 0 and lowered to what Keras sets it to, however large it is.
Where the layer has dropout, Keras up to 3.12 only lowers it by 1e9.

Source: ``keras/src/layers/attention/multi_head_attention.py``, ``grouped_query_attention.py``, 3.15.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.layers.mapping import FIX_SIZE, LayerMapping, LayerView
from tfjs_magic.layers.tfjs_layer import TfjsLayer, TfjsLayers

#: What Keras sets the score of a step to that must not be seen; and what its Softmax layer does, which it takes before
#: dropout. That sets the step's weight to 0 as well, should all that is seen have scores lower yet.
#: Source: ``keras/src/backend/tensorflow/nn.py``, ``keras/src/layers/activations/softmax.py``, 3.15.
_LOWEST, _LOWEST_OF_SOFTMAX = -0.7 * 3.38953e38, -1e9
_MASKS = ("query_mask", "value_mask", "key_mask", "attention_mask")


def multi_head_attention(view: LayerView) -> TfjsLayers:
    """Map MultiHeadAttention; kernels (features, heads, dim), that of the output (heads, dim, features…)."""
    view.ignore("attention_axes", "key_dim", "value_dim", "output_shape")  # three axes leave one, weights have the rest
    heads = view.value("num_heads")
    return _attention(view, heads, heads)


def grouped_query_attention(view: LayerView) -> TfjsLayers:
    """Map GroupedQueryAttention, where neighbouring heads of the queries share keys and values."""
    view.ignore("head_dim")
    return _attention(view, view.value("num_query_heads"), view.value("num_key_value_heads"))


def _attention(view: LayerView, heads: int, groups: int) -> TfjsLayers:
    view.ignore("seed", "flash_attention", "use_bias")
    value, key = view.tensor("value"), view.tensor("key")
    key = value if key is None else key
    if masks := [name for name in _MASKS if view.tensor(name) is not None]:
        return view.refuse(f"It is called with {masks[0]}, and TF.js's layers know no mask of scores.")
    if view.argument("return_attention_scores"):
        return view.refuse("It returns its scores as well, which TF.js cannot hold as one layer's outputs.")
    hidden = _hidden(view, key)
    if view.refusals or value is None or key is None:
        return ()
    view.note(
        "Computed head by head, so it can be trained; a graph model (format='graph') ran in half of the time on wasm"
    )
    parts = _Parts(view)
    key_heads = [parts.project("key", i, key) for i in range(groups)]
    value_heads = [parts.project("value", i, value) for i in range(groups)]
    contexts = []
    for i in range(heads):
        group = i * groups // heads
        weights = parts.attend(i, parts.project("query", i, 0), key_heads[group], hidden)
        contexts.append(parts.add(f"context_{i}", "Dot", {"axes": [2, 1]}, weights, value_heads[group]))
    joined = contexts[0] if heads == 1 else parts.add("heads", "Concatenate", {"axis": -1}, *contexts)
    if view.value("use_gate"):
        gate = parts.whole("gate", 1, 0, role="gate", activation="sigmoid")
        joined = parts.add("gated", "Multiply", {}, joined, gate)
    if len(made := view.made()) == 2:
        parts.whole("output", 2, joined, role="")
    else:
        parts.add("", "Reshape", view.reshaped(*made)[0].config, parts.whole("output", 2, joined, role="output"))
    return parts.layers


def _hidden(view: LayerView, key: int | None) -> Array | None:
    """Return 1 for each step of the key that a step of the query must not see, else 0; None if every step sees all."""
    causal, window = view.argument("use_causal_mask"), view.value("sliding_window")
    if not causal and window is None:
        return None
    query_steps, key_steps = view.sample(0)[0], view.sample(key or 0)[0]
    if query_steps is None or key_steps is None:
        view.refuse("It hides steps of sequences whose length is unknown, or not the same in all its calls.", FIX_SIZE)
        return None
    ahead = np.arange(key_steps) - np.arange(query_steps)[:, None]
    sees = np.ones(ahead.shape, bool)
    if causal:
        sees &= ahead <= 0
    if window is not None:
        sees &= np.abs(ahead) < window
    if not sees.any(axis=1).all():
        view.refuse("Some steps of its query see none of its key, where Keras takes the mean of all.")
    return (~sees).astype(np.float32)


class _Parts:
    """The tfjs layers of one attention; every method adds some and returns the role of the last."""

    def __init__(self, view: LayerView) -> None:
        self._view = view
        self._parts: list[TfjsLayer] = []
        self._shared = view.parameters("kernel", "bias")

    @property
    def layers(self) -> TfjsLayers:
        """What was added."""
        return tuple(self._parts)

    def add(self, role: str, class_name: str, config: Mapping[str, Any], *inputs: int | str, **weights: Any) -> str:
        """Add one layer on inputs of the Keras layer (numbers) and on other layers (roles)."""
        self._parts.append(TfjsLayer(class_name, config, weights, role, inputs))
        return role

    def project(self, part: str, head: int, source: int) -> str:
        """Project an input for one head, with the weights of "query", "key" or "value"."""
        dense = self._of(part)
        weights: dict[str, Array] = {"kernel": self._view.array(dense.kernel)[:, head]}
        if dense.bias is not None:
            weights["bias"] = self._view.array(dense.bias)[head]
        return self._dense(f"{part}_{head}", weights, source)

    def whole(self, part: str, summed: int, source: int | str, *, role: str, activation: str = "linear") -> str:
        """Project for all heads, or from all, at once; the first ``summed`` dimensions of the kernel take the input."""
        dense = self._of(part)
        kernel = self._view.array(dense.kernel)
        weights: dict[str, Array] = {"kernel": kernel.reshape(math.prod(kernel.shape[:summed]), -1)}
        if dense.bias is not None:
            weights["bias"] = self._view.array(dense.bias).reshape(-1)
        return self._dense(role, weights, source, activation)

    def _of(self, part: str) -> Any:
        return getattr(self._view.layer, f"_{part}_dense")  # the same in Keras 3.0 to 3.15

    def _dense(self, role: str, weights: Mapping[str, Array], source: int | str, activation: str = "linear") -> str:
        config = {"units": weights["kernel"].shape[1], "use_bias": "bias" in weights, "activation": activation}
        return self.add(role, "Dense", config | self._shared, source, **weights)

    def attend(self, head: int, query: str, key: str, hidden: Array | None) -> str:
        """Return how much each step of the query sees of each step of the key, (query steps, key steps)."""
        scale = 1 / math.sqrt(self._of("query").kernel.shape[-1])
        scores = self.add(f"scores_{head}", "Dot", {"axes": [2, 2]}, query, key)
        if hidden is None:
            scores = self.add(f"scaled_{head}", "Rescaling", {"scale": scale, "offset": 0.0}, scores)
        else:
            if head == 0:
                self._hide(hidden, scores, scale)
            scores = self.add(f"scaled_{head}", "Multiply", {}, scores, "seen")
            scores = self.add(f"masked_{head}", "Add", {}, scores, "hidden")
        weights = self.add(f"weights_{head}", "Softmax", {"axis": -1}, scores)
        if hidden is not None and self._view.value("dropout"):
            weights = self.add(f"only_seen_{head}", "Multiply", {}, weights, "not_hidden")
        if rate := self._view.value("dropout"):
            weights = self.add(f"dropout_{head}", "Dropout", {"rate": rate}, weights)
        return weights

    def _hide(self, hidden: Array, scores: str, scale: float) -> None:
        """Make the factors of all scores (0 or ``scale``) and what is added to them.

        PReLU is what tfjs has with a weight for each number of a sample: of −1 it makes −alpha. Zeros and ones in it
        survive any quantization.
        """
        minus_one = self.add("minus_one", "Rescaling", {"scale": 0.0, "offset": -1.0}, scores)
        unseen = self.add("unseen", "PReLU", {"trainable": False}, minus_one, alpha=hidden)
        lowest = _LOWEST
        if self._view.value("dropout"):
            lowest = _LOWEST_OF_SOFTMAX
            self.add("not_hidden", "Rescaling", {"scale": 1.0, "offset": 1.0}, unseen)
        self.add("seen", "Rescaling", {"scale": scale, "offset": scale}, unseen)
        self.add("hidden", "Rescaling", {"scale": -lowest, "offset": 0.0}, unseen)


LAYERS: Mapping[str, LayerMapping] = {
    "GroupedQueryAttention": grouped_query_attention,
    "MultiHeadAttention": multi_head_attention,
}
