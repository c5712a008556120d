"""Watch which layers of a Keras model are called while it runs, eagerly or traced, and what they give."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from tfjs_magic.graph.provenance import TracedLayer
from tfjs_magic.graph.refs import Ref, read_ref
from tfjs_magic.layers.functional import layers_inside
from tfjs_magic.layers.keras_objects import before, saturating_activation

#: Ops whose output is their input.
_HANDED_ON = frozenset({"EnsureShape", "Identity", "PreventGradient", "Snapshot", "StopGradient"})
#: Told the label of a call, the class of the layer, and its first output tensor.
CallListener = Callable[[str, str, Any], None]


@contextlib.contextmanager
def layer_calls(model: Any, told: CallListener) -> Iterator[None]:
    """Tell every call of a layer inside the model, in the order in which they end.

    Layers of Keras's own are told as one; models and the user's own layers also with the layers inside them. The label
    has the number of the call from the second call on.
    """
    restored: list[Callable[[], None]] = []
    try:
        for label, layer in layers_inside(model):
            restored.append(_watch(layer, label, told))
        yield
    finally:
        for restore in restored:
            restore()


def _watch(layer: Any, label: str, told: CallListener) -> Callable[[], None]:
    own, call, count, thread = vars(layer), layer.call, 0, threading.get_ident()
    activation = saturating_activation(layer)
    replaced = {name: own.get(name) for name in ("call", *(["activation"] if activation else []))}

    def numbered() -> str:
        return label if count == 1 else f"{label} (call {count})"

    def watched(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        if threading.get_ident() != thread:  # the user's cell, which may train the model meanwhile
            return call(*args, **kwargs)
        count += 1
        result = call(*args, **kwargs)
        told(numbered(), type(layer).__name__, _first(result))
        return result

    def activated(tensor: Any, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() == thread:
            told(before(numbered(), activation), type(layer).__name__, tensor)
        return replaced["activation"](tensor, *args, **kwargs)

    def restore() -> None:
        own.pop("call", None)
        own.update((name, value) for name, value in replaced.items() if value is not None)

    # Past Keras's own setattr, which would make it part of the model.
    own["call"] = watched
    if activation:
        own["activation"] = activated
    return restore


def _first(result: Any) -> Any:
    while isinstance(result, (list, tuple, dict)) and result:
        result = next(iter(result.values())) if isinstance(result, dict) else result[0]
    return result


class LayerTrace:
    """The layers that were called while a function was traced, with their tensors in its graph.

    Attributes:
        layers: In the order in which their calls ended; those in loops and branches have no tensor there.
    """

    def __init__(self) -> None:
        self.layers: tuple[TracedLayer, ...] = ()

    @contextlib.contextmanager
    def watching(self, model: Any) -> Iterator[None]:
        """Note the calls while the block traces the model; a block that runs it eagerly changes nothing."""
        import tensorflow as tf  # noqa: PLC0415 - layers models need none of it

        if tf.executing_eagerly():
            yield
            return
        graph, found = tf.compat.v1.get_default_graph(), list[TracedLayer]()

        def told(label: str, layer_class: str, tensor: Any) -> None:
            known = isinstance(tensor, tf.Tensor) and getattr(tensor, "graph", None) is graph
            refs = tuple(_refs(tensor)) if known else ()
            found.append(TracedLayer(label, layer_class, refs))

        with layer_calls(model, told):
            yield
        self.layers = tuple(found)


def _refs(tensor: Any) -> Iterator[Ref]:
    """Yield the refs of a tensor and of those that it is handed on from."""
    yield read_ref(tensor.name)
    while tensor.op.type in _HANDED_ON:
        tensor = tensor.op.inputs[0]
        yield read_ref(tensor.name)
