"""Every model of ``keras.applications`` of at most 60 M parameters, at the smallest input that it takes."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from tests.conformance.compare import relative_error
from tests.sweep.subject import Case, Subject, feeds_of
from tfjs_magic.artifacts import Array
from tfjs_magic.layers.functional import input_names

_MOST_PARAMETERS = 60_000_000
#: A GPU in software takes minutes for more.
_MOST_ON_GPU = 5_000_000
_SIDES = (32, 48, 64, 71, 75, 96, 128, 160, 224, 331)


def cases() -> Iterator[Case]:
    """Yield a case per model function."""
    functions = {name: f for name, f in vars(keras.applications).items() if inspect.isfunction(f)}
    for name in sorted(functions):
        yield Case(f"keras.applications.{name}", functools.partial(_subject, functions[name]))


class _TooLargeError(Exception):
    """The model has more parameters than the table goes to."""


def _subject(function: Any) -> Subject:
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    model, side = _smallest(function)
    if model.count_params() > _MOST_PARAMETERS:
        msg = f"{model.count_params() / 1e6:.0f} M parameters, over {_MOST_PARAMETERS // 10**6} M"
        raise _TooLargeError(msg)
    _calibrate(model, side)
    feeds = feeds_of({"image": ((side, side, 3), "float32", "image")})
    (name,) = input_names(model)
    tolerance = max(1e-5, 5 * _sensitivity(model, feeds[0]["image"]))
    assert tolerance < 5e-3, f"void: the model turns roundings of its input into errors of {tolerance:.0e}"
    return Subject(
        model,
        [{name: feed["image"]} for feed in feeds],
        tolerance=tolerance,
        on_gpu=model.count_params() <= _MOST_ON_GPU,
        options={"format": "graph"},
    )


def _sensitivity(model: Any, image: Array) -> float:
    """Return how far Keras's own outputs move if the input moves by two roundings: deep models amplify them."""
    first, second = (np.asarray(model(x, training=False)) for x in (image, (image * (1 + 2.4e-7)).astype(np.float32)))
    return relative_error(second, first)


def _smallest(function: Any) -> tuple[Any, int]:
    options: dict[str, Any] = {"weights": None, "classes": 10}
    if "classifier_activation" in inspect.signature(function).parameters:
        options["classifier_activation"] = None
    for side in _SIDES[:-1]:
        with contextlib.suppress(ValueError):  # the input is too small
            return function(input_shape=(side, side, 3), **options), side
    return function(input_shape=(_SIDES[-1], _SIDES[-1], 3), **options), _SIDES[-1]


def _calibrate(model: Any, side: int) -> None:
    """Set batch norms to the statistics of one batch and a random scale, so that a mistake in them shows.

    The scales are small, as training leaves those of residual blocks, and no channel is divided by next to nothing:
    else rounding grows until TensorFlow itself is 1e-2 off for an input that differs by 1e-7.
    """
    rng = np.random.default_rng(0)
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in norms:
        layer.momentum = 0.0
        for weight, low, high in ((layer.gamma, 0.2, 0.5), (layer.beta, -0.2, 0.2)):
            if weight is not None:
                weight.assign(rng.uniform(low, high, weight.shape))
    if norms:
        model(rng.uniform(0, 255, (32, side, side, 3)).astype(np.float32), training=True)
    for layer in norms:
        layer.moving_variance.assign(np.maximum(layer.moving_variance, 1e-2))
