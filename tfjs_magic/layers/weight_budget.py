"""A layer's options say how large its weights are, and a file of 2 kB can say 10^7 units: weights within a budget."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
import math
import threading
from collections.abc import Iterator
from typing import Any

from tfjs_magic.errors import UnsupportedModelError

#: Keras keeps some weights that files leave out, such as states of random generators.
_SPARE_ELEMENTS = 2**20
#: Of this thread or task: elements that may still be made; None outside a budget.
_left: contextvars.ContextVar[list[int] | None] = contextvars.ContextVar("left", default=None)
_lock = threading.Lock()
_watched: dict[type, int] = {}


@contextlib.contextmanager
def weights_within(layer_class: type[Any], elements: int) -> Iterator[None]:
    """Let layers make no more weights than this before one allocates them; others, in other threads, are let be.

    Args:
        layer_class: ``keras.layers.Layer``, or that of ``tf_keras``; it is as before once the last budget ends.
        elements: Numbers that the file holds.

    Raises:
        UnsupportedModelError: (inside) A layer asks for more.
    """
    token = _left.set([elements + _SPARE_ELEMENTS])
    _watch(layer_class)
    try:
        yield
    finally:
        _unwatch(layer_class)
        _left.reset(token)


def _watch(layer_class: type[Any]) -> None:
    with _lock:
        _watched[layer_class] = _watched.get(layer_class, 0) + 1
        if _watched[layer_class] == 1:
            layer_class.add_weight = _counted(layer_class.add_weight)


def _unwatch(layer_class: type[Any]) -> None:
    with _lock:
        _watched[layer_class] -= 1
        if not _watched[layer_class]:
            layer_class.add_weight = layer_class.add_weight.__wrapped__


def _counted(add_weight: Any) -> Any:
    signature = inspect.signature(add_weight)

    @functools.wraps(add_weight)
    def counted(layer: Any, *args: Any, **options: Any) -> Any:
        if (left := _left.get()) is not None:
            shape = signature.bind_partial(layer, *args, **options).arguments.get("shape") or ()
            sizes = [int(size) for size in (shape if isinstance(shape, (tuple, list)) else [shape])]
            left[0] -= math.prod(sizes)
            if left[0] < 0:
                raise UnsupportedModelError(
                    f"Layer '{layer.name}' asks for weights of shape {tuple(sizes)}, more than the file holds: its "
                    "options do not belong to its weights. Save the model again.",
                    stage="layers",
                    node=layer.name,
                )
        return add_weight(layer, *args, **options)

    return counted
