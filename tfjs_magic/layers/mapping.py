"""What a layer mapping gets, what it may ask and what it gives back.

A mapping is a function from a :class:`LayerView` (one Keras layer) to the tfjs layers that compute exactly the same.
It names every option that it understands. An option that no mapping asked about is refused unless it is switched off,
so a new Keras option can never be dropped in silence.

Source: tfjs-layers 4.22 ``dist/layers/*.js`` (what each class reads), Keras 3 ``Layer.get_config``.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec

from tfjs_magic.artifacts import Array, Dims
from tfjs_magic.errors import quoted_list
from tfjs_magic.layers.keras_objects import host_array, is_keras_layer, plain
from tfjs_magic.layers.tfjs_layer import TfjsLayers, chain, permuted, tfjs

P = ParamSpec("P")

USE_GRAPH = "Convert the model with format='graph'."
FIX_SIZE = "Give the Input a fixed size."


@dataclasses.dataclass(frozen=True)
class Refusal:
    """Why a layer cannot be held exactly by TF.js.

    Attributes:
        layer: The user's name of the layer, or of the model.
        reason: A sentence: which layer class or option, and why TF.js cannot hold it.
        remedy: A sentence: what to do.
    """

    layer: str
    reason: str
    remedy: str = USE_GRAPH


@dataclasses.dataclass(frozen=True)
class Refused:
    """Why a layer or a model cannot be held; every reason, in the order of the layers."""

    refusals: tuple[Refusal, ...]


@dataclasses.dataclass(frozen=True)
class TensorOperand:
    """A tensor among the operands of an operation: number ``number`` of those that go in."""

    number: int


@dataclasses.dataclass(frozen=True)
class CallShapes:
    """What one call of a layer takes and gives.

    Attributes:
        inputs: Dims of each tensor that goes in, initial states among them.
        outputs: Dims of each tensor that comes out.
        input_dtypes: Keras dtype of each tensor that goes in.
        arguments: Every argument but the first and the mask that is not None; a :class:`TensorOperand` for a tensor.
        operands: Of an operation: all its arguments in order, with a :class:`TensorOperand` for each tensor.
    """

    inputs: tuple[Dims, ...]
    outputs: tuple[Dims, ...]
    input_dtypes: tuple[str, ...]
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    operands: tuple[Any, ...] = ()

    def of_activation(self) -> CallShapes:
        """Return the call of an activation on the outputs."""
        return CallShapes(self.outputs, self.outputs, ("float32",) * len(self.outputs))

    def channels_last(self) -> CallShapes:
        """Return the call with the channels, which are the first dimension of a sample, as the last."""
        inputs, outputs = (
            tuple((shape[0], *shape[2:], shape[1]) if len(shape) > 2 else shape for shape in shapes)
            for shapes in (self.inputs, self.outputs)
        )
        return dataclasses.replace(self, inputs=inputs, outputs=outputs)


class Notes:
    """Things that the user should know, each said once for all the layers that it concerns."""

    def __init__(self) -> None:
        self._layers: dict[str, list[str]] = {}

    def add(self, sentence: str, layer: str) -> None:
        """Record that ``sentence`` (without full stop) holds for a layer."""
        names = self._layers.setdefault(sentence, [])
        if layer not in names:
            names.append(layer)

    def sentences(self) -> tuple[str, ...]:
        """Return each sentence with the layers concerned, in the order in which they came up."""
        return tuple(f"{sentence}: {quoted_list(names)}." for sentence, names in self._layers.items())


class LayerView:
    """One Keras layer or operation as a mapping sees it.

    Attributes:
        layer: The Keras object itself; for its weights and wrapped layers.
        name: The user's name of it.
        calls: What goes in and out, for each call; more than one for a shared layer.
        options: What Keras says of it; :meth:`value` reads one and counts it as understood.
        refusals: What the mapping refused so far.
        taken: ``id`` of the variables that went into computed weights; shared with wrapped layers.
    """

    def __init__(
        self,
        layer: Any,
        calls: Sequence[CallShapes],
        *,
        options: Mapping[str, Any],
        notes: Notes,
        map_layer: Callable[[Any, Sequence[CallShapes]], TfjsLayers | Refused],
        taken: set[int],
    ) -> None:
        self.layer = layer
        self.name: str = layer.name
        self.calls = tuple(calls)
        self.notes = notes
        self.refusals: list[Refusal] = []
        self.taken = taken
        self._map_layer = map_layer
        self.options = dict(options)
        self._read = {"name", "trainable", "dtype"}
        self._read_arguments: set[str] = set()
        self._dtypes = set(FLOAT_DTYPES)

    @property
    def operands(self) -> tuple[Any, ...]:
        """The arguments of an operation, which is called once."""
        return self.calls[0].operands

    def refuse(self, reason: str, remedy: str = USE_GRAPH) -> TfjsLayers:
        """Refuse the layer; ``reason`` says what was found and why TF.js cannot hold it. Return no layers."""
        self.refusals.append(Refusal(self.name, reason, remedy))
        return ()

    def note(self, sentence: str) -> None:
        """Tell the user something that changes no output; ``sentence`` without full stop."""
        self.notes.add(sentence, self.name)

    def value(self, option: str, default: Any = None) -> Any:
        """Return an option as plain JSON data and count it as understood."""
        self._read.add(option)
        return plain(self.options.get(option, default))

    def keep(self, *options: str) -> dict[str, Any]:
        """Return options that tfjs reads under the same name and with the same meaning."""
        return {option: self.value(option) for option in options}

    def ignore(self, *options: str) -> None:
        """Count options as understood that have no influence on what the layer computes."""
        self._read.update(options)

    def argument(self, name: str) -> Any:
        """Return an argument of the calls; None if it is not given. Calls that differ in it are refused."""
        self._read_arguments.add(name)
        values = [call.arguments.get(name) for call in self.calls]
        if any(value != values[0] for value in values):
            self.refuse(f"It is shared by calls that differ in the argument '{name}', which it cannot be in TF.js.")
        return values[0]

    def tensor(self, argument: str) -> int | None:
        """Return which input comes under an argument; None if there is none."""
        found = self.argument(argument)
        return found.number if isinstance(found, TensorOperand) else None

    def only(self, option: str, *allowed: Any, why: str) -> None:
        """Refuse any value of ``option`` but ``allowed``; ``why`` completes the sentence "…, but"."""
        self._read.add(option)
        if option in self.options and (value := plain(self.options[option])) not in allowed:
            self.refuse(f"It has {option}={value!r}, but {why}.")

    def off(self, option: str, *, why: str) -> None:
        """Refuse ``option`` if it is switched on."""
        if self.value(option):
            self.refuse(f"It has {option}=True, but {why}.")

    def parameters(self, *prefixes: str) -> dict[str, Any]:
        """Return initializer and regularizer of each weight, and a constraint that its values meet already.

        tfjs applies constraints while it loads the weights, and only NonNeg leaves values that meet it as they are.
        """
        config: dict[str, Any] = {}
        for prefix in prefixes:
            if (initializer := self.value(f"{prefix}_initializer")) is not None:
                config[f"{prefix}_initializer"] = tfjs_initializer(initializer)
            if (serialized := self.value(f"{prefix}_regularizer")) is not None:
                if (regularizer := tfjs_regularizer(serialized)) is None:
                    self.note("Left out, since TF.js has no such regularizer (matters only for training there)")
                else:
                    config[f"{prefix}_regularizer"] = regularizer
            if (constraint := self.value(f"{prefix}_constraint")) is not None:
                if constraint.get("class_name") == "NonNeg" and self._is_nowhere_negative(prefix):
                    config[f"{prefix}_constraint"] = {"class_name": "NonNeg", "config": {}}
                else:
                    self.note("Weight constraints are left out (they matter only for training)")
        return config

    def _is_nowhere_negative(self, prefix: str) -> bool:
        owner = getattr(self.layer, "cell", self.layer)
        names = (prefix, f"{prefix}_kernel", *(("kernel",) if prefix == "depthwise" else ()))
        found = next((weight for name in names if (weight := getattr(owner, name, None)) is not None), None)
        return found is not None and bool((host_array(found) >= 0).all())

    def sample(self, port: int = 0) -> Dims:
        """Return the shape of one sample of an input, without the batch; None where calls of a shared layer differ."""
        return self._common([call.inputs[port][1:] for call in self.calls])

    def made(self) -> Dims:
        """Return the shape of one sample of the output, likewise."""
        return self._common([call.outputs[0][1:] for call in self.calls])

    def _common(self, shapes: Sequence[Dims]) -> Dims:
        if len({len(shape) for shape in shapes}) > 1:
            self.refuse("It is shared by calls with different ranks, which it cannot be in TF.js.")
            return shapes[0]
        return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True))

    def reshaped(self, *sizes: int | None) -> TfjsLayers:
        """Reshape one sample; one size may be unknown."""
        if sum(size is None for size in sizes) > 1:
            self.refuse("It works on data of unknown size, which TF.js would have to reshape.", FIX_SIZE)
        return tfjs("Reshape", {"target_shape": [-1 if size is None else size for size in sizes]})

    def turned(self) -> LayerView:
        """Return a view of the same layer as one of channels_last; what is refused or read there counts here."""
        view = copy.copy(self)
        view.options = {**self.options, "data_format": "channels_last"}
        view.calls = tuple(call.channels_last() for call in self.calls)
        return view

    def wrapped(self, layer: Any, calls: Sequence[CallShapes]) -> TfjsLayers:
        """Map a layer that this one wraps; empty if it is refused, and with it this one."""
        mapped = self._map_layer(layer, calls)
        if isinstance(mapped, Refused):
            self.refusals += [refusal for refusal in mapped.refusals if refusal not in self.refusals]
            return ()
        return mapped

    def weights(self, *same: str, owner: Any = None, **renamed: str) -> dict[str, Any]:
        """Return the weights that the layer has: tfjs's name → Keras variable or tensor.

        Args:
            same: Attributes that have tfjs's name.
            owner: Where the attributes hang, if not on the layer.
            renamed: tfjs's name → attribute.
        """
        source = self.layer if owner is None else owner
        attributes = {name: name for name in same} | renamed
        found = {name: getattr(source, attribute, None) for name, attribute in attributes.items()}
        return {name: variable for name, variable in found.items() if variable is not None}

    def array(self, variable: Any) -> Array:
        """Return a weight's values, to compute another weight from them."""
        self.taken.add(id(variable))
        return host_array(variable)

    def channels_last(self, why: str = "TF.js has it exactly only for channels_last") -> None:
        """Refuse channels_first."""
        self.only("data_format", "channels_last", None, why=why)

    def takes_integers(self) -> None:
        """Say that the layer gives Keras's result for integer inputs too."""
        self._dtypes |= INTEGER_DTYPES

    def finish(self) -> tuple[Refusal, ...]:
        """Add what follows from what the mapping did not ask about, and give all refusals.

        A mapping that has refused something may have stopped there, before it asked about the rest. An activity
        regularizer is left out of any layer: tfjs cannot run a nested model that has one.
        """
        if self.value("activity_regularizer") is not None:
            self.note("Activity regularizers are left out (they matter only for training)")
        for option in sorted(self.options.keys() - self._read) if not self.refusals else ():
            # None and False switch an option off; whatever else it is, it may change numbers.
            if (value := plain(self.options[option])) is not None and value is not False:
                shown = repr(value) if isinstance(value, str) else described(value)
                self.refuse(f"It has {option}={shown}, an option that is not known to work in TF.js.")
        for argument in sorted({name for call in self.calls for name in call.arguments} - self._read_arguments):
            if argument != "training":
                self.refuse(f"It is called with the argument '{argument}', which TF.js does not take.")
            elif any(call.arguments.get("training") for call in self.calls):
                self.refuse("It is called with training=True, but TF.js runs every layer for inference.")
        dtypes = {dtype for call in self.calls for dtype in call.input_dtypes}
        if other := sorted(dtypes - self._dtypes):
            self.refuse(f"It is called on {' and '.join(other)} tensors; in TF.js it is exact only on float tensors.")
        return tuple(self.refusals)


#: Dtypes that become float32, which is all that tfjs-layers computes in.
FLOAT_DTYPES = frozenset({"float32", "float16", "bfloat16", "float64"})
#: Dtypes that become int32.
INTEGER_DTYPES = frozenset({"int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"})

#: Keras initializer → the options that tfjs reads too. Every weight is loaded, but in nested models tfjs runs the
#: initializers first: Orthogonal (tfjs's default for recurrent kernels) fails or takes minutes there, Identity wants
#: square kernels. These and all unknown ones become Zeros.
_INITIALIZERS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform"), ()),
    "Constant": ("value",),
    "Ones": (),
    "RandomNormal": ("mean", "stddev"),
    "RandomUniform": ("minval", "maxval"),
    "TruncatedNormal": ("mean", "stddev"),
    "VarianceScaling": ("scale", "mode", "distribution"),
}


def tfjs_initializer(serialized: Any) -> dict[str, Any]:
    """Return a Keras initializer as tfjs reads it, seeds left out; Zeros for one that tfjs has not."""
    zeros = {"class_name": "Zeros", "config": {}}
    if not isinstance(serialized, Mapping) or serialized.get("class_name") not in _INITIALIZERS:
        return zeros
    class_name, given = serialized["class_name"], serialized.get("config") or {}
    config = {option: given[option] for option in _INITIALIZERS[class_name] if option in given}
    if not all(isinstance(value, int | float | str) for value in config.values()):
        return zeros
    if config.get("distribution") == "untruncated_normal":
        config["distribution"] = "normal"
    return {"class_name": class_name.replace("Lecun", "LeCun"), "config": config}


def tfjs_regularizer(serialized: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return an L1, L2 or L1L2 regularizer as tfjs's L1L2; None for any other."""
    if serialized.get("class_name") not in {"L1", "L2", "L1L2"}:
        return None
    given = serialized.get("config") or {}
    return {"class_name": "L1L2", "config": {"l1": given.get("l1", 0.0), "l2": given.get("l2", 0.0)}}


#: Gives the tfjs layers that compute what a Keras layer does; nothing, or no matter what, once it has refused.
LayerMapping = Callable[[LayerView], TfjsLayers]


def either_format(
    mapping: Callable[Concatenate[LayerView, P], TfjsLayers],
) -> Callable[Concatenate[LayerView, P], TfjsLayers]:
    """Let a mapping that knows channels_last only stand between two Permutes for channels_first."""

    def mapped(view: LayerView, /, *args: P.args, **kwargs: P.kwargs) -> TfjsLayers:
        if view.value("data_format") != "channels_first":
            return mapping(view, *args, **kwargs)
        given, made = view.sample(), view.made()
        layers = mapping(view.turned(), *args, **kwargs)
        to_last = permuted([*range(2, len(given) + 1), 1])
        to_first = permuted([len(made), *range(1, len(made))]) if len(made) > 1 else ()
        return chain(to_last, layers, to_first) if layers else ()

    return mapped


def read_options(layer: Any) -> Mapping[str, Any] | Refusal:
    """Return the options of a layer, or what the constructor of an operation was given."""
    if not is_keras_layer(layer):
        return {name: value for name, value in vars(layer).items() if not name.startswith("_")}
    try:
        return dict(layer.get_config())
    except Exception as error:  # noqa: BLE001 - Keras asks objects of the user's own, which may raise anything
        found = f"Keras cannot say what its options are ({type(error).__name__})"
        return Refusal(layer.name, f"{found}: objects of your own in it need a get_config() that can be written.")


def described(value: Any) -> str:
    """Return a serialised value as a sentence names it."""
    if isinstance(value, Mapping):
        return f"the object '{value.get('registered_name') or value.get('class_name')}'"
    return f"'{value}', a function of your own" if isinstance(value, str) else repr(value)
