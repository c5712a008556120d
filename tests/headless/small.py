"""A model that TF.js can run, converted once."""

from __future__ import annotations

import dataclasses
import functools

import keras

import tfjs_magic


@functools.cache
def small_model(quantize: str | None = None, seed: int = 0) -> tfjs_magic.TfjsModel:
    """Return two dense layers; another seed gives other weights."""
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((4,), name="x"), keras.layers.Dense(8, "tanh"), keras.layers.Dense(3, name="y")]
    return tfjs_magic.convert(keras.Sequential(layers), quantize=quantize)


def wrong_model() -> tfjs_magic.TfjsModel:
    """Return it with what another one computes in Python."""
    return dataclasses.replace(small_model(), reference=small_model(seed=1).reference)


def lonely_model() -> tfjs_magic.TfjsModel:
    """Return it with nothing in Python beside it."""
    return dataclasses.replace(small_model(), reference=None)
