"""Attention of rank 3: (batch, query steps, features) and (batch, key steps, features)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tfjs_magic.layers.mapping import FIX_SIZE, LayerMapping, LayerView
from tfjs_magic.layers.tfjs_layer import TfjsLayers, activated, chain, merge, of_input, rescaled, tfjs

#: What Keras takes from the score of a step that must not be seen.
_HIDDEN = -1e9


def attention(view: LayerView) -> TfjsLayers:
    """Map Attention: softmax(query · keyᵀ) · value, or with scores that are sums of tanh(query + key)."""
    scale = view.layer.scale
    factor = None if scale is None else float(view.array(scale))
    if factor is not None:
        view.note("The scale is not trainable in TF.js")
    if view.value("score_mode") == "dot":
        scores = _dot(0, _key(view), axes=(2, 2))
        return _attended(view, scores if factor is None else chain(scores, rescaled(factor)))
    weight = float(view.array(view.layer.concat_score_weight))
    view.note("The concat_score_weight is not trainable in TF.js")
    kernel = np.full((view.sample()[-1] or 1, 1), weight, np.float32)
    config = {"units": 1, "use_bias": False, "trainable": False}
    scaled = () if factor is None else rescaled(factor)
    return _attended(view, _summed(view, scaled, tfjs("Dense", config, {"kernel": kernel})))


def additive_attention(view: LayerView) -> TfjsLayers:
    """Map AdditiveAttention; scores are Σ scale · tanh(query + key), scale (features,)."""
    features = view.sample()[-1] or 1
    scale = np.ones(features, np.float32) if view.layer.scale is None else view.array(view.layer.scale)
    config = {"units": 1, "use_bias": False, "trainable": view.layer.scale is not None and view.layer.trainable}
    return _attended(view, _summed(view, (), tfjs("Dense", config, {"kernel": scale.reshape(features, 1)})))


def _summed(view: LayerView, scaled: TfjsLayers, weighted: TfjsLayers) -> TfjsLayers:
    """Return the scores (query steps, key steps) from the sums of each query and each key."""
    (query, features), (keys, _) = view.sample(0), view.sample(_key(view))
    sums = merge(
        "Add",
        of_input(0, view.reshaped(query, 1, features)),
        of_input(_key(view), view.reshaped(1, keys, features)),
    )
    return chain(sums, scaled, activated("tanh"), weighted, view.reshaped(query, keys))


def _attended(view: LayerView, scores: TfjsLayers) -> TfjsLayers:
    view.ignore("dropout", "use_scale", "score_mode", "seed")
    causal: TfjsLayers = ()
    if view.argument("use_causal_mask"):
        query, keys = view.sample(0)[0], view.sample(_key(view))[0]
        if query is None or keys is None:
            return view.refuse("It has a causal mask over sequences of unknown length.", FIX_SIZE)
        hidden = np.triu(np.ones((query, keys)), 1) * _HIDDEN
        causal = rescaled(1.0, hidden.tolist())
    if view.argument("return_attention_scores"):
        view.refuse("It returns its scores as well, which TF.js cannot hold as one layer's outputs.")
    return _dot(chain(scores, causal, activated("softmax")), 1, axes=(2, 1))


def _dot(left: TfjsLayers | int, right: TfjsLayers | int, *, axes: tuple[int, int]) -> TfjsLayers:
    return merge("Dot", left, right, config={"axes": list(axes), "normalize": False})


def _key(view: LayerView) -> int:
    """Return which input holds the keys: the third, else the values."""
    return 2 if len(view.calls[0].inputs) > 2 else 1


LAYERS: Mapping[str, LayerMapping] = {
    "AdditiveAttention": additive_attention,
    "Attention": attention,
}
