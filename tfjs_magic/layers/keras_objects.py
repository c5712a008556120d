"""Read Keras's own objects, on any backend and without importing Keras."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array


def host_array(variable: Any) -> Array:
    """Read a Keras variable, or a tensor computed from some (a LoRA kernel), without a copy if possible."""
    value = variable.value if hasattr(variable, "path") else variable
    if hasattr(value, "read_value"):  # TensorFlow: later assignments do not write into a buffer that is shared
        value = value.read_value()
    elif hasattr(value, "detach"):  # torch: its optimizers do write into it
        return np.array(value.detach().cpu().numpy())
    return np.asarray(value)


def plain(value: Any) -> Any:
    """Turn tuples into lists and numpy scalars and arrays into Python numbers, so that JSON can hold them."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return plain(value.tolist()) if hasattr(value, "tolist") else value


def is_builtin(serialized: Any, function: Any) -> bool:
    """Tell whether a serialised function is Keras's own."""
    return isinstance(serialized, str) and is_keras_name(getattr(function, "__module__", ""))


def is_keras_layer(value: Any) -> bool:
    """Tell whether something is a Keras layer."""
    return any(cls.__name__ == "Layer" and is_keras_name(cls.__module__) for cls in type(value).__mro__)


def is_keras_name(module: str) -> bool:
    """Tell whether a module is Keras's own, so that what it defines is what its name says."""
    return module.partition(".")[0] == "keras"


#: Activations that make a layer's output flat where what they get is large, or small: what they get still tells.
_SATURATING = frozenset({"log_softmax", "sigmoid", "softmax", "tanh"})
_WITH_ACTIVATION = frozenset({"Conv1D", "Conv2D", "Conv3D", "Dense", "EinsumDense"})


def saturating_activation(layer: Any) -> str:
    """Return the name of the activation that hides what a layer of Keras's own computes; "" if none does."""
    name = getattr(vars(layer).get("activation"), "__name__", "")
    own = type(layer).__name__ in _WITH_ACTIVATION and is_keras_name(type(layer).__module__)
    return name if own and name in _SATURATING else ""


def before(label: str, activation: str) -> str:
    """Return the label of what a layer's activation gets."""
    return f"{label} (before {activation})"


def fits_json(value: Any) -> bool:
    """Whether a value holds finite numbers only: JSON has no others."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True
