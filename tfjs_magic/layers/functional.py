"""Read a functional Keras 3 model into plain data: which layer is called on which tensors.

The only module that touches Keras's own bookkeeping (``_keras_history``, ``_inbound_nodes``, ``Node.arguments``; the
same from Keras 3.0 to 3.15). There is no public way: ``get_config`` gives the same calls, but raises as soon as one
layer has none, so that the other layers' refusals could not be told.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from tfjs_magic.artifacts import Dims
from tfjs_magic.layers.keras_objects import is_keras_layer, is_keras_name
from tfjs_magic.layers.mapping import CallShapes, Refusal, TensorOperand
from tfjs_magic.layers.tfjs_layer import TfjsLayers
from tfjs_magic.naming import first_free

Kind = Literal["layer", "input", "model", "operation"]


class TensorRef(NamedTuple):
    """Output ``port`` of call number ``call`` of a :class:`ModelGraph`."""

    call: int
    port: int


@dataclasses.dataclass(frozen=True)
class MaskOrigin:
    """Where a mask comes from: "which values of ``tensor`` differ from ``value``"; None for any other mask."""

    tensor: TensorRef
    value: float


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer (or of a whole nested model).

    Attributes:
        layer: The Keras object that is called.
        inputs: The tensors that go in; initial states of an RNN come after its sequence.
        masked: Whether a mask is handed over.
        mask: Where that mask comes from; None if unknown.
        shapes: What goes in and out.
        unclear: A sentence on an argument that cannot be read, "" if there is none.
    """

    layer: Any
    kind: Kind
    inputs: tuple[TensorRef, ...]
    masked: bool
    mask: MaskOrigin | None
    shapes: CallShapes
    unclear: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class ModelGraph:
    """A functional or sequential model.

    Attributes:
        calls: Each after those whose outputs it takes; mask plumbing is left out.
        layers: The objects called, inputs first, in Keras's order.
    """

    model: Any
    name: str
    sequential: bool
    calls: tuple[Call, ...]
    layers: tuple[Any, ...]
    inputs: tuple[TensorRef, ...]
    outputs: tuple[TensorRef, ...]

    def calls_of(self, layer: Any) -> list[int]:
        """Return the numbers of a layer's calls."""
        return [number for number, call in enumerate(self.calls) if call.layer is layer]

    def reads(self, ref: TensorRef) -> int:
        """Return how often a tensor is read: by calls, and as an output of the model."""
        return sum(one == ref for call in self.calls for one in call.inputs) + self.outputs.count(ref)


@dataclasses.dataclass(frozen=True, eq=False)
class MappedModel:
    """A model and what its layers become.

    Attributes:
        layers: ``id`` of the Keras object → its tfjs layers; none where it hands its input on.
        models: ``id`` of the Keras object → the nested model.
        gone: ``id`` of the Keras object → why nothing gives its outputs, as half a sentence, where that is so.
    """

    graph: ModelGraph
    layers: Mapping[int, TfjsLayers]
    models: Mapping[int, MappedModel]
    gone: Mapping[int, str] = dataclasses.field(default_factory=dict)

    def walk(self) -> Iterator[MappedModel]:
        """Yield this model and all nested ones."""
        yield self
        for inner in self.models.values():
            yield from inner.walk()

    def giver(self, ref: TensorRef) -> TensorRef:
        """Return the tensor itself, behind all layers that hand their input on."""
        while self.layers.get(id(self.graph.calls[ref.call].layer)) == ():
            ref = self.graph.calls[ref.call].inputs[0]
        return ref


def read_model(model: Any) -> ModelGraph | Refusal:
    """Read a model, without its nested models' insides."""
    if (refusal := _refuse_model(model)) is not None:
        return refusal
    reader = _Reader()
    inputs = tuple(reader.ref(tensor) for tensor in model.inputs)
    outputs = tuple(reader.ref(tensor) for tensor in model.outputs)
    order = {id(operation): place for place, operation in enumerate(_operations(model))}
    unique = {id(call.layer): call.layer for call in reader.calls}
    layers = sorted(unique.values(), key=lambda layer: order.get(id(layer), -1))
    return ModelGraph(
        model=model,
        name=model.name,
        sequential=_keras_model_class(model) == "Sequential",
        calls=tuple(reader.calls),
        layers=tuple(layers),
        inputs=inputs,
        outputs=outputs,
    )


def input_names(model: Any) -> tuple[str, ...]:
    """Return the names by which the user knows the inputs: those of the Input layers, as ``summary()`` shows them."""
    return tuple(tensor._keras_history[0].name for tensor in model.inputs)  # noqa: SLF001 - see the module's docstring


def output_names(model: Any) -> tuple[str, ...]:
    """Return the names by which the user knows the outputs: dict keys, else ``model.output_names``, made unique."""
    struct = getattr(model, "_outputs_struct", None)
    if isinstance(struct, Mapping) and len(struct) == len(model.outputs):
        return tuple(str(key) for key in sorted(struct))  # Keras flattens dicts by sorted key
    names: list[str] = []
    for tensor in model.outputs:
        base = tensor._keras_history[0].name  # noqa: SLF001
        taken = sum(name == base or name.startswith(f"{base}_") for name in names)
        name = base
        while name in names:
            name = f"{base}_{taken}"
            taken += 1
        names.append(name)
    return tuple(names)


def _keras_model_class(model: Any) -> str | None:
    """Return "Functional" or "Sequential" if the object is one, by Keras's own class in its ancestry."""
    for cls in type(model).__mro__:
        if is_keras_name(cls.__module__) and cls.__name__ in {"Sequential", "Functional"}:
            return cls.__name__
    return None


def _refuse_model(model: Any) -> Refusal | None:
    name = str(getattr(model, "name", type(model).__name__))
    if _keras_model_class(model) is None:
        reason = f"It is a subclassed model ('{type(model).__name__}'): its layers are wired by Python code."
        if not isinstance(model, _keras_bases(model)):
            reason = f"It is a '{type(model).__module__}.{type(model).__name__}', which is no Keras 3 model."
        return Refusal(name, reason)
    if (owner := _defining_class(type(model), "call")) is not None and not is_keras_name(owner.__module__):
        return Refusal(name, f"Its class '{owner.__name__}' has a call method of its own, which TF.js does not have.")
    try:
        built = bool(model.outputs)
    except (AttributeError, ValueError):  # Keras up to 3.3 raises the latter
        built = False
    if not built:
        return Refusal(name, "The model is not built.", "Call it on data or give it an Input, then convert it.")
    return None


def _keras_bases(model: Any) -> tuple[type, ...]:
    return tuple(cls for cls in type(model).__mro__ if is_keras_name(cls.__module__) and cls.__name__ == "Model")


def _defining_class(cls: type, attribute: str) -> type | None:
    return next((base for base in cls.__mro__ if attribute in vars(base)), None)


def _operations(model: Any) -> Sequence[Any]:
    functional = getattr(model, "_functional", None) or model  # a Sequential keeps its graph there
    return list(functional.operations)


def layers_inside(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the layers and operations that a model calls, with the names of what is around each: "encoder/conv".

    Models stand for what is inside them if Keras wires them; subclassed ones, and layers of the user's own, come with
    what is inside them.
    """
    taken: set[str] = set()
    seen = {id(model)}

    def inside(owner: Any, prefix: str) -> Iterator[tuple[str, Any]]:
        for layer in _members(owner):
            if id(layer) in seen or _kind_of_call(layer) == "input":
                continue
            seen.add(id(layer))
            label = first_free(f"{prefix}{layer.name}", taken)
            taken.add(label)
            is_model = _kind_of_call(layer) == "model"
            if is_model or (is_keras_layer(layer) and not is_keras_name(type(layer).__module__)):
                yield from inside(layer, f"{label}/")
            if not is_model or _keras_model_class(layer) is None:
                yield label, layer

    yield from inside(model, "")


def _members(owner: Any) -> Sequence[Any]:
    if _keras_model_class(owner) is not None:
        return _operations(owner)
    return list(owner._flatten_layers(include_self=False, recursive=False))  # noqa: SLF001 - as in the docstring above


def tensors_of(model: Any, layer: Any) -> list[Any]:
    """Return the tensors of a model that a layer gives and an output needs: one per call and output of the layer."""
    found: dict[tuple[int, int, int], Any] = {}
    todo = list(model.outputs)
    while todo:
        tensor = todo.pop()
        operation, *place = tensor._keras_history  # noqa: SLF001
        if (key := (id(operation), *place)) not in found:
            found[key] = tensor
            todo += _node(tensor).input_tensors
    return [tensor for tensor in found.values() if tensor._keras_history[0] is layer]  # noqa: SLF001


class _Reader:
    """Walks backwards from the outputs, so that what no output needs is never seen."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._numbers: dict[tuple[int, int], int] = {}

    def ref(self, tensor: Any) -> TensorRef:
        """Number the call that gives a tensor, after every call that it needs."""
        pending = [tensor]
        while pending:
            current = pending[-1]
            if self._key(current) in self._numbers:
                pending.pop()
            elif missing := [t for t in _read_arguments(current).tensors if self._key(t) not in self._numbers]:
                pending.extend(missing)
            else:
                self._append(current)
                pending.pop()
        return TensorRef(self._numbers[self._key(tensor)], tensor._keras_history.tensor_index)  # noqa: SLF001

    def _append(self, tensor: Any) -> None:
        operation, node = tensor._keras_history[0], _node(tensor)  # noqa: SLF001
        read = _read_arguments(tensor)
        inputs = tuple(self.ref(one) for one in read.tensors)
        shapes = CallShapes(
            inputs=tuple(_shape(one) for one in read.tensors),
            outputs=tuple(_shape(one) for one in node.output_tensors),
            input_dtypes=tuple(str(one.dtype) for one in read.tensors),
            arguments=read.others,
            operands=read.operands,
        )
        call = Call(
            layer=operation,
            kind=_kind_of_call(operation),
            inputs=inputs,
            masked=read.mask is not None,
            mask=None if read.mask is None else self._mask_origin(read.mask),
            shapes=shapes,
            unclear=read.unclear,
        )
        self._numbers[self._key(tensor)] = len(self.calls)
        self.calls.append(call)

    def _mask_origin(self, mask: Any) -> MaskOrigin | None:
        """Follow a mask to the NotEqual that Embedding and Masking write, without adding it to the calls."""
        while hasattr(mask, "_keras_history"):
            operation = mask._keras_history[0]  # noqa: SLF001
            if not type(operation).__module__.startswith("keras.src.ops."):
                return None
            arguments = _node(mask).arguments.args
            if type(operation).__name__ == "NotEqual":
                tensor, value = arguments
                known = self._key(tensor) in self._numbers and isinstance(value, int | float)
                return MaskOrigin(self.ref(tensor), float(value)) if known else None
            if type(operation).__name__ not in {"Any", "Squeeze"}:
                return None
            mask = arguments[0]
        return None

    @staticmethod
    def _key(tensor: Any) -> tuple[int, int]:
        history = tensor._keras_history  # noqa: SLF001
        return id(history.operation), history.node_index


class _Arguments(NamedTuple):
    tensors: list[Any]
    mask: Any
    others: dict[str, Any]
    unclear: str
    operands: tuple[Any, ...] = ()


def _node(tensor: Any) -> Any:
    """Return Keras's record of the call that gave a tensor."""
    operation, index, _ = tensor._keras_history  # noqa: SLF001
    return operation._inbound_nodes[index]  # noqa: SLF001


def _read_arguments(tensor: Any) -> _Arguments:
    """Sort the arguments of the call that gave a tensor into inputs, mask and the rest."""
    operation, node = tensor._keras_history[0], _node(tensor)  # noqa: SLF001
    if not node.input_tensors:
        return _Arguments([], None, {}, "")
    signature = inspect.signature(operation.call)
    try:
        bound = signature.bind(*node.arguments.args, **node.arguments.kwargs).arguments
    except TypeError:  # a user's layer whose __call__ takes other arguments than its call
        return _Arguments(list(node.input_tensors), None, {}, "It is called in a way that its call method hides.")
    if _kind_of_call(operation) == "operation":
        return _read_operands(bound)
    first_name = next(iter(bound))
    first = [one for one in _flatten(bound.pop(first_name)) if one is not None]
    masks = [one for one in _flatten(bound.pop("mask", None)) if one is not None]
    # Keras records none for a list of tensors, and hands them over; Multiply takes them from the tensors.
    if ("mask" in signature.parameters or type(operation).__name__ == "Multiply") and not masks:
        masks = _implied_masks(first)
    for name in (first_name, *bound):  # where there are several tensors, Keras asks for "query_mask", "value_mask"
        if f"{name}_mask" in signature.parameters:
            masks += _implied_masks(first if name == first_name else _flatten(bound[name]))
    first += [one for one in _flatten(bound.pop("initial_state", None)) if one is not None]
    others = {name: value for name, value in bound.items() if not (value is None or (name == "kwargs" and not value))}
    unclear = ""
    if not all(_is_symbolic(one) for one in first):
        unclear = "It is called on a constant, which a TF.js layer cannot take."
    # Tensors in other arguments are read too, so that what is wrong with the layers before them comes up as well.
    tensors = [one for one in [*first, *_flatten(others)] if _is_symbolic(one)]
    numbers = {id(one): number for number, one in enumerate(tensors)}
    others = {
        name: TensorOperand(numbers[id(value)]) if _is_symbolic(value) else value for name, value in others.items()
    }
    # Several masks (one per input of a merge) are none that an RNN could read: their origin stays unknown.
    return _Arguments(tensors, masks[0] if len(masks) == 1 else (masks or None), others, unclear)


def _implied_masks(tensors: Iterable[Any]) -> list[Any]:
    return [mask for one in tensors if (mask := getattr(one, "_keras_mask", None)) is not None]


def _read_operands(bound: Mapping[str, Any]) -> _Arguments:
    tensors = [one for one in _flatten(list(bound.values())) if _is_symbolic(one)]
    mixed = any(len({_is_symbolic(leaf) for leaf in _flatten(value)}) > 1 for value in bound.values())
    unclear = "It is called on constants among tensors, which a TF.js layer cannot take." if mixed else ""
    numbers = iter(range(len(tensors)))
    operands = tuple(TensorOperand(next(numbers)) if _is_symbolic(value) else value for value in bound.values())
    return _Arguments(tensors, None, {}, unclear, operands)


def _flatten(value: Any) -> Iterator[Any]:
    """Yield the leaves in Keras's order: dicts by sorted key."""
    if isinstance(value, Mapping):
        for key in sorted(value):
            yield from _flatten(value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _flatten(item)
    else:
        yield value


def _is_symbolic(value: Any) -> bool:
    return hasattr(value, "_keras_history")


def _kind_of_call(operation: Any) -> Kind:
    if _keras_model_class(operation) is not None or _keras_bases(operation):
        return "model"
    if type(operation).__name__ == "InputLayer" and is_keras_name(type(operation).__module__):
        return "input"
    return "layer" if is_keras_layer(operation) else "operation"


def _shape(tensor: Any) -> Dims:
    return tuple(None if size is None else int(size) for size in tensor.shape)
