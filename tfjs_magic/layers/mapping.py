"""What a layer mapping gets, what it may ask and what it gives back.

A mapping is a function from a :class:`LayerView` (one Keras layer) to the tfjs layers that compute exactly the same.
It names every option that it understands. An option that no mapping asked about is refused unless it is switched off,
so a new Keras option can never be dropped in silence.

Source: tfjs-layers 4.22 ``dist/layers/*.js`` (what each class reads), Keras 3 ``Layer.get_config``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.errors import quoted_list
from tfjs_magic.layers.activation_functions import COMPOSED_ACTIVATIONS, OTHER_ACTIVATIONS, TFJS_ACTIVATIONS
from tfjs_magic.layers.tfjs_functions import hard_sigmoid
from tfjs_magic.layers.tfjs_layer import TfjsLayer, TfjsLayers, activated, chain, permuted

Shape = tuple[int | None, ...]

USE_GRAPH = "Convert the model with format='graph'."


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
class Port:
    """A tensor among the operands of an operation: number ``number`` of those that go in."""

    number: int


@dataclasses.dataclass(frozen=True)
class CallShapes:
    """What one call of a layer takes and gives.

    Attributes:
        inputs: Shape of each tensor that goes in, initial states among them.
        outputs: Shape of each tensor that comes out.
        input_dtypes: Keras dtype of each tensor that goes in.
        arguments: Every argument but the tensors and the mask that is not None.
        operands: Of an operation: all its arguments in order, with a :class:`Port` for each tensor.
    """

    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
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
        refusals: What the mapping refused so far.
        taken: ``id`` of the variables that went into computed weights; shared with wrapped layers.
        afterwards: An activation that tfjs has only as layers of their own; they follow what the mapping gives.
        map_inner: Maps a wrapped layer, given its calls; None if it was refused (the refusal is then recorded).
    """

    def __init__(
        self,
        layer: Any,
        calls: Sequence[CallShapes],
        *,
        notes: Notes,
        map_inner: Callable[[Any, Sequence[CallShapes]], TfjsLayers | tuple[Refusal, ...]],
        taken: set[int],
    ) -> None:
        self.layer = layer
        self.name: str = layer.name
        self.calls = tuple(calls)
        self.map_inner = map_inner
        self.notes = notes
        self.refusals: list[Refusal] = []
        self.afterwards: TfjsLayers = ()
        self.taken = taken
        self._turned = False
        self._config = _options(layer)
        self._read = {"name", "trainable", "dtype"}
        self._read_arguments: set[str] = set()
        self._takes_integers = False

    @property
    def operands(self) -> tuple[Any, ...]:
        """The arguments of an operation, which is called once."""
        return self.calls[0].operands

    def refuse(self, reason: str, remedy: str = USE_GRAPH) -> None:
        """Refuse the layer; ``reason`` says what was found and why TF.js cannot hold it."""
        self.refusals.append(Refusal(self.name, reason, remedy))

    def note(self, sentence: str) -> None:
        """Tell the user something that changes no output; ``sentence`` without full stop."""
        self.notes.add(sentence, self.name)

    def value(self, option: str, default: Any = None) -> Any:
        """Return an option as plain JSON data and count it as understood."""
        self._read.add(option)
        return plain(self._config.get(option, default))

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

    def only(self, option: str, *allowed: Any, why: str) -> None:
        """Refuse any value of ``option`` but ``allowed``; ``why`` completes the sentence "…, but"."""
        self._read.add(option)
        if option in self._config and (value := plain(self._config[option])) not in allowed:
            self.refuse(f"It has {option}={value!r}, but {why}.")

    def off(self, option: str, *, why: str) -> None:
        """Refuse ``option`` if it is switched on."""
        if self.value(option):
            self.refuse(f"It has {option}=True, but {why}.")

    def parameter(self, prefix: str) -> dict[str, Any]:
        """Return initializer and regularizer of a weight, and a constraint that its values meet already.

        tfjs applies constraints while it loads the weights, and only NonNeg leaves values that meet it as they are.
        """
        config: dict[str, Any] = {}
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

    def activation(self) -> dict[str, Any]:
        """Return the option "activation" under tfjs's name, leave it to layers that follow, or refuse it."""
        serialized, function = self.value("activation"), getattr(self.layer, "activation", None)
        if is_keras_layer(function):
            mapped = self.map_inner(function, [call.of_activation() for call in self.calls])
            self.refusals += [one for one in mapped if isinstance(one, Refusal)]
            self.afterwards = tuple(one for one in mapped if isinstance(one, TfjsLayer))
        elif is_builtin(serialized, function) and serialized in COMPOSED_ACTIVATIONS:
            channels = self.made()[-1]  # Keras does not halve them for glu
            if channels is None:
                self.refuse("It has an unknown number of channels.", "Give the Input a fixed size.")
            self.afterwards = COMPOSED_ACTIVATIONS[serialized](channels or 0)
            if self._turned and serialized == "glu":
                self.refuse("Its activation is 'glu', which halves the width of channels_first data.")
        elif is_builtin(serialized, function) and self._turned and serialized in {"softmax", "log_softmax"}:
            self.afterwards = (activated(serialized),)  # along the width, as Keras does
        else:
            return self.plain_activation("activation", self.layer)
        return {"activation": "linear"}

    def plain_activation(self, option: str, owner: Any) -> dict[str, Any]:
        """Return an activation that tfjs has under some name, or refuse it.

        Args:
            option: The option, which is also the attribute that holds the function.
            owner: Where the function hangs (an RNN has it on its cell).
        """
        serialized = self.value(option)
        if getattr(owner, option, None) is hard_sigmoid:
            return {option: "hard_sigmoid"}
        # A user's own function called "relu" is serialised as "relu" too: only its module tells them apart.
        if not is_builtin(serialized, getattr(owner, option, None)):
            self.refuse(f"Its {option} is {_described(serialized)}, which is no activation that TF.js knows.")
            return {}
        if (name := TFJS_ACTIVATIONS.get(serialized)) is None:
            why = OTHER_ACTIVATIONS.get(serialized, "TF.js has no such activation")
            self.refuse(f"Its {option} is '{serialized}', but {why}.")
            return {}
        return {option: name}

    def sample(self, port: int = 0) -> Shape:
        """Return the shape of one sample of an input, without the batch; None where calls of a shared layer differ."""
        return self._common([call.inputs[port][1:] for call in self.calls])

    def made(self) -> Shape:
        """Return the shape of one sample of the output, likewise."""
        return self._common([call.outputs[0][1:] for call in self.calls])

    def _common(self, shapes: Sequence[Shape]) -> Shape:
        if len({len(shape) for shape in shapes}) > 1:
            self.refuse("It is shared by calls with different ranks, which it cannot be in TF.js.")
            return shapes[0]
        return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True))

    def reshaped(self, *sizes: int | None) -> TfjsLayers:
        """Reshape one sample; one size may be unknown."""
        if sum(size is None for size in sizes) > 1:
            self.refuse(
                "It works on data of unknown size, which TF.js would have to reshape.", "Give the Input a fixed size."
            )
        return (TfjsLayer("Reshape", {"target_shape": [-1 if size is None else size for size in sizes]}),)

    def turn_channels_last(self) -> None:
        """Take the data and the option for channels_last from here on."""
        self._turned = True
        self._config["data_format"] = "channels_last"
        self.calls = tuple(call.channels_last() for call in self.calls)

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

    def drop_activity_regularizer(self) -> None:
        """Leave the activity regularizer out; tfjs cannot run a nested model that has one."""
        if self.value("activity_regularizer") is not None:
            self.note("Activity regularizers are left out (they matter only for training)")

    def channels_last(self, why: str = "TF.js has it exactly only for channels_last") -> None:
        """Refuse channels_first."""
        self.only("data_format", "channels_last", None, why=why)

    def takes_integers(self) -> None:
        """Say that the layer gives Keras's result for integer inputs too."""
        self._takes_integers = True

    def inner_config(self, name: str, inner: TfjsLayer) -> dict[str, Any]:
        """Return a wrapped layer as tfjs deserialises it."""
        return {"class_name": inner.class_name, "config": {"name": name, "trainable": True, **inner.config}}

    def finish(self) -> tuple[Refusal, ...]:
        """Add what follows from what the mapping did not ask about, and give all refusals.

        A mapping that has refused something may have stopped there, before it asked about the rest.
        """
        for option in sorted(self._config.keys() - self._read) if not self.refusals else ():
            # None and False switch an option off; whatever else it is, it may change numbers.
            if (value := plain(self._config[option])) is not None and value is not False:
                shown = repr(value) if isinstance(value, str) else _described(value)
                self.refuse(f"It has {option}={shown}, an option that is not known to work in TF.js.")
        for argument in sorted({name for call in self.calls for name in call.arguments} - self._read_arguments):
            if argument != "training":
                self.refuse(f"It is called with the argument '{argument}', which TF.js does not take.")
            elif any(call.arguments.get("training") for call in self.calls):
                self.refuse("It is called with training=True, but TF.js runs every layer for inference.")
        dtypes = {dtype for call in self.calls for dtype in call.input_dtypes}
        if other := sorted(dtype for dtype in dtypes if not self._takes(dtype)):
            self.refuse(f"It is called on {' and '.join(other)} tensors; in TF.js it is exact only on float tensors.")
        return tuple(self.refusals)

    def _takes(self, dtype: str) -> bool:
        return dtype in FLOAT_DTYPES or (self._takes_integers and dtype in INTEGER_DTYPES)


#: Dtypes that become float32, which is all that tfjs-layers computes in.
FLOAT_DTYPES = frozenset({"float32", "float16", "bfloat16", "float64"})
#: Dtypes that become int32.
INTEGER_DTYPES = frozenset({"int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"})

#: Keras initializer → tfjs's name, and the options to keep. Every weight is loaded, but in nested models tfjs runs the
#: initializers first: Orthogonal (tfjs's default for recurrent kernels) fails or takes minutes there, Identity wants
#: square kernels. These and all unknown ones become Zeros.
_INITIALIZERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Constant": ("Constant", ("value",)),
    "GlorotNormal": ("GlorotNormal", ()),
    "GlorotUniform": ("GlorotUniform", ()),
    "HeNormal": ("HeNormal", ()),
    "HeUniform": ("HeUniform", ()),
    "LecunNormal": ("LeCunNormal", ()),
    "LecunUniform": ("LeCunUniform", ()),
    "Ones": ("Ones", ()),
    "RandomNormal": ("RandomNormal", ("mean", "stddev")),
    "RandomUniform": ("RandomUniform", ("minval", "maxval")),
    "TruncatedNormal": ("TruncatedNormal", ("mean", "stddev")),
    "VarianceScaling": ("VarianceScaling", ("scale", "mode", "distribution")),
    "Zeros": ("Zeros", ()),
}


def tfjs_initializer(serialized: Any) -> dict[str, Any]:
    """Return a Keras initializer as tfjs reads it, seeds left out; Zeros for one that tfjs has not."""
    zeros = {"class_name": "Zeros", "config": {}}
    if not isinstance(serialized, Mapping) or serialized.get("class_name") not in _INITIALIZERS:
        return zeros
    class_name, options = _INITIALIZERS[serialized["class_name"]]
    given = serialized.get("config") or {}
    config = {option: given[option] for option in options if option in given}
    if not all(isinstance(value, int | float | str) for value in config.values()):
        return zeros
    if config.get("distribution") == "untruncated_normal":
        config["distribution"] = "normal"
    return {"class_name": class_name, "config": config}


def tfjs_regularizer(serialized: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return an L1, L2 or L1L2 regularizer as tfjs's L1L2; None for any other."""
    if serialized.get("class_name") not in {"L1", "L2", "L1L2"}:
        return None
    given = serialized.get("config") or {}
    return {"class_name": "L1L2", "config": {"l1": given.get("l1", 0.0), "l2": given.get("l2", 0.0)}}


def either_format(mapping: Callable[[LayerView], TfjsLayers]) -> Callable[[LayerView], TfjsLayers]:
    """Let a mapping that knows channels_last only stand between two Permutes for channels_first."""

    def mapped(view: LayerView) -> TfjsLayers:
        if view.value("data_format") != "channels_first":
            return mapping(view)
        given, made = view.sample(), view.made()
        view.turn_channels_last()
        layers = mapping(view)
        to_last = permuted([*range(2, len(given) + 1), 1])
        to_first = permuted([len(made), *range(1, len(made))]) if len(made) > 1 else ()
        return chain(to_last, layers, to_first) if layers else ()

    return mapped


def _options(layer: Any) -> dict[str, Any]:
    """Return the options of a layer, or what the constructor of an operation was given."""
    if is_keras_layer(layer):
        return dict(layer.get_config())
    return {name: value for name, value in vars(layer).items() if not name.startswith("_")}


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


def _described(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"the object '{value.get('registered_name') or value.get('class_name')}'"
    return f"'{value}', a function of your own" if isinstance(value, str) else repr(value)
