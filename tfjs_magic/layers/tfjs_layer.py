"""tfjs layers, and how several of them make up what one Keras layer computes.

A mapping gives :data:`TfjsLayers`: one that :func:`tfjs` makes, or several that :func:`chain` and :func:`merge` have
put together::

    tfjs("ELU", {"alpha": 1.0})
    chain(rescaled(5 / 6), activated("hard_sigmoid"))  # hard_sigmoid of Keras 3
    merge("Add", 0, chain(activated("tanh"), rescaled(-1.0)))  # x - tanh(x)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tfjs_magic.artifacts import Array


@dataclasses.dataclass(frozen=True, eq=False)
class TfjsLayer:
    """A tfjs layer that a Keras layer becomes (or becomes part of).

    Attributes:
        class_name: The name under which tfjs-layers registers the class.
        config: What the class reads, keys in snake case; ``name`` and ``trainable`` are added later.
        weights: tfjs's name of the weight within the layer → Keras variable, tensor or array.
        role: "" for the one layer that takes the Keras layer's name and gives its outputs; else a suffix.
        inputs: An int for that input of the Keras layer, a role for the output of that tfjs layer; None for all the
            inputs of the Keras layer.
        again: Role of the layer of which this is one more call, with its class, its options and its weights.
    """

    class_name: str
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    weights: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    role: str = ""
    inputs: tuple[int | str, ...] | None = None
    again: str | None = None


#: The layer that gives the outputs comes last. Empty where the mapping refused.
TfjsLayers = tuple[TfjsLayer, ...]


def tfjs(
    class_name: str,
    config: Mapping[str, Any] | None = None,
    weights: Mapping[str, Any] | None = None,
    *,
    inputs: tuple[int, ...] | None = None,
) -> TfjsLayers:
    """Return one tfjs layer; see :class:`TfjsLayer`."""
    return (TfjsLayer(class_name, config or {}, weights or {}, inputs=inputs),)


def chain(*parts: TfjsLayers) -> TfjsLayers:
    """Feed the output of each part into the next as its only input; empty parts hand their input on."""
    whole: list[TfjsLayer] = []
    for part in parts:
        if whole and part:
            _add(whole, part, fed_by=_give_role(whole))
        else:
            whole += part
    return tuple(whole)


def merge(class_name: str, *branches: TfjsLayers | int, config: Mapping[str, Any] | None = None) -> TfjsLayers:
    """Feed the outputs of several branches into one layer; an int stands for that input of the Keras layer."""
    whole: list[TfjsLayer] = []
    inputs: list[int | str] = []
    for branch in branches:
        if isinstance(branch, int):
            inputs.append(branch)
        else:
            _add(whole, branch, fed_by=None)
            inputs.append(_give_role(whole))
    return (*whole, TfjsLayer(class_name, config or {}, inputs=tuple(inputs)))


def rescaled(scale: Any = 1.0, offset: Any = 0.0) -> TfjsLayers:
    """Return x · scale + offset; both may be nested lists that broadcast."""
    return tfjs("Rescaling", {"scale": scale, "offset": offset})


def activated(name: str) -> TfjsLayers:
    """Return an activation function of tfjs."""
    return tfjs("Activation", {"activation": name})


#: What changes nothing: a layer of tfjs for a layer of Keras that it has not or that only training needs.
UNCHANGED: TfjsLayers = activated("linear")


def squared() -> TfjsLayers:
    """Return x²."""
    return tfjs("Multiply", inputs=(0, 0))


def clipped_relu(max_value: float | None = None) -> TfjsLayers:
    """Return min(max(x, 0), max_value)."""
    return tfjs("ReLU", None if max_value is None else {"max_value": max_value})


def permuted(order: Sequence[int]) -> TfjsLayers:
    """Return the dimensions in another order, counted from 1 without the batch; nothing if they stand so already."""
    return () if list(order) == list(range(1, len(order) + 1)) else tfjs("Permute", {"dims": list(order)})


def permuted_back(order: Sequence[int]) -> TfjsLayers:
    """Return what undoes :func:`permuted`."""
    return permuted([order.index(axis) + 1 for axis in range(1, len(order) + 1)])


def multiplied(matrix: Array) -> TfjsLayers:
    """Return the product of the last dimension and a constant matrix (size before, size after)."""
    config = {"units": matrix.shape[1], "use_bias": False, "activation": "linear", "trainable": False}
    return tfjs("Dense", config, {"kernel": matrix})


def of_input(number: int, layers: TfjsLayers) -> TfjsLayers:
    """Let the first of several layers take that input of the Keras layer."""
    first, *others = layers
    return (dataclasses.replace(first, inputs=(number,)), *others)


def subtracted() -> TfjsLayers:
    """Return the first input less the second, x + (−1 · y + 0): exact in floating point."""
    return merge("Add", 0, of_input(1, rescaled(-1.0)))


def _add(whole: list[TfjsLayer], layers: TfjsLayers, *, fed_by: str | None) -> None:
    """Add layers under roles that are free in ``whole``; ``fed_by`` replaces their input."""
    roles: dict[str, str] = {}
    for layer in layers:
        if layer.role:
            roles[layer.role] = _free_role(layer, [*whole, *layers])
        inputs = layer.inputs
        if inputs is None:
            inputs = None if fed_by is None else (fed_by,)
        else:
            inputs = tuple(roles[i] if isinstance(i, str) else i if fed_by is None else fed_by for i in inputs)
        again = None if layer.again is None else roles[layer.again]
        whole.append(dataclasses.replace(layer, role=roles.get(layer.role, ""), inputs=inputs, again=again))


def _give_role(whole: list[TfjsLayer]) -> str:
    role = _free_role(whole[-1], whole)
    whole[-1] = dataclasses.replace(whole[-1], role=role)
    return role


def _free_role(layer: TfjsLayer, others: Sequence[TfjsLayer]) -> str:
    base = layer.class_name.lower()
    taken = {other.role for other in others}
    return next(role for role in (base, *(f"{base}_{i}" for i in range(1, len(others) + 2))) if role not in taken)
