"""CuDNNLSTM and CuDNNGRU of Keras 2, which run on a GPU only, as the LSTM and GRU that compute the same.

Source: ``tf_keras/src/saving/legacy/hdf5_format.py``, ``_convert_rnn_weights``, 2.21.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedModelError, reason_of

#: Class → the class that computes the same, and the options with which it does.
_TWINS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "CuDNNLSTM": ("LSTM", {}),
    "CuDNNGRU": ("GRU", {"reset_after": True}),
}


def without_cudnn(model: Any) -> Any:
    """Return a model that computes the same without cuDNN: another with copies of the weights, or the model itself.

    Args:
        model: Built. One that is subclassed is returned as it is: its layers cannot be replaced.

    Raises:
        UnsupportedModelError: ``tf_keras`` does not build the other one.
    """
    if type(model).__name__ not in {"Functional", "Sequential"} or not any(map(_is_cudnn, model._flatten_layers())):  # noqa: SLF001 - there is no public way to the layers inside of layers
        return model
    try:
        twin = type(model).from_config(_replaced(model.get_config()))
    except Exception as error:  # whatever Keras says of options or of classes of the user's own
        msg = f"The cuDNN layers of Keras 2 model '{model.name}' cannot be replaced: {reason_of(error)}."
        raise UnsupportedModelError(msg) from error
    for one, other in zip(_parts(model), _parts(twin), strict=True):
        for variable, value in zip(_own_weights(other), _values(one), strict=True):
            variable.assign(value)
    return twin


def _is_cudnn(layer: Any) -> bool:
    return type(layer).__name__ in _TWINS and type(layer).__module__.startswith("tf_keras.")


def _replaced(config: Any) -> Any:
    """Name the other classes in a model's config."""
    if isinstance(config, list | tuple):
        return type(config)(map(_replaced, config))
    if not isinstance(config, Mapping):
        return config
    config = {key: _replaced(value) for key, value in config.items()}
    if config.get("class_name") not in _TWINS:
        return config
    class_name, options = _TWINS[config["class_name"]]
    return {**config, "class_name": class_name, "config": {**config["config"], **options}}


def _parts(layer: Any) -> Iterator[Any]:
    """Yield a layer and what it is made of, the cell of an RNN left out."""
    yield layer
    for child in _children(layer):
        yield from _parts(child)


def _children(layer: Any) -> list[Any]:
    return [] if hasattr(layer, "cell") else list(layer._flatten_layers(recursive=False, include_self=False))  # noqa: SLF001


def _own_weights(layer: Any) -> list[Any]:
    """Return the weights that belong to none of its children."""
    inherited = {id(weight) for child in _children(layer) for weight in child.weights}
    return [weight for weight in layer.weights if id(weight) not in inherited]


def _values(layer: Any) -> list[Array]:
    values = [np.asarray(weight.read_value()) for weight in _own_weights(layer)]
    return _regrouped(values) if _is_cudnn(layer) else values


def _regrouped(values: Sequence[Array]) -> list[Array]:
    """Turn kernels (C_in, gates · units) and (units, gates · units), and biases for both, from cuDNN's layout.

    It reads each gate's block by columns. An LSTM has one bias, the sum; a GRU with reset_after has both.
    """
    kernel, recurrent, bias = values
    gates = kernel.shape[1] // recurrent.shape[0]
    blocks = [block.T.reshape(block.shape, order="F") for block in np.split(kernel, gates, axis=1)]
    turned = [block.T for block in np.split(recurrent, gates, axis=1)]
    both = bias.reshape(2, -1)
    return [np.hstack(blocks), np.hstack(turned), both.sum(axis=0) if gates == 4 else both]
