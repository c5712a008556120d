"""Functions of TF.js that Keras 3 does not have; a Keras model that came from TF.js may hold them."""

from __future__ import annotations

import sys
from typing import Any


def hard_sigmoid(x: Any) -> Any:
    """Return 0.2 x + 0.5, cut off at 0 and 1: hard sigmoid of TF.js and Keras 2; Keras 3 computes x / 6 + 0.5."""
    return sys.modules["keras"].ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def register() -> None:
    """Let Keras find the functions in files under "tfjs_magic>…"."""
    sys.modules["keras"].saving.register_keras_serializable(package="tfjs_magic")(hard_sigmoid)
