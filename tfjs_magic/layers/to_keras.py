"""tfjs-layers topology → Keras 3 model: the way back.

Given:   a layers model written by us, by the official converter (Keras 2 configs) or by TF.js's ``model.save()``
Result:  a Keras 3 model, on any backend, that computes what TF.js computes, with the same layer names and weights
Refuses: what TF.js itself computes otherwise than the config says, and classes and options that Keras does not have

Source: tfjs-layers 4.22 ``dist/engine/container.js`` (``fromConfig``), ``dist/utils/serialization_utils.js``
(``convertTsToPythonic``, ``convertPythonicToTs``).
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.layers.keras_options import (
    CLASSES,
    CONTAINERS,
    EXACT_VALUES,
    RENAMED,
    TFJS_DEFAULTS,
    UNUSED,
    WITHOUT_EFFECT,
    Config,
    activation_of,
    object_of,
    refused,
    snake_case,
)
from tfjs_magic.layers.tfjs_functions import register
from tfjs_magic.layers.weight_budget import weights_within

#: A tensor of the topology: layer name, number of its call, number of its output.
Ref = tuple[str, int, int]


def keras_model(topology: Config, weights: Mapping[str, Array]) -> Any:
    """Build the Keras 3 model and fill it.

    Args:
        topology: ``modelTopology``.
        weights: Weight name → array, as TF.js holds it.

    Raises:
        UnsupportedModelError: Keras cannot hold it exactly; or a weight is missing, left over or of another shape.
    """
    whole = topology.get("model_config", topology)
    builder = _Builder()
    with weights_within(builder.keras.layers.Layer, sum(array.size for array in weights.values())):
        model = builder.container(whole, name=_config(whole).get("name"))
    builder.check_axes()
    _fill(builder.variables(), weights)
    return model


def keras3_model(model: Any) -> Any:
    """Build the Keras 3 model of a functional or sequential Keras 2 model, with the same weights.

    Raises:
        UnsupportedModelError: Keras 3 lacks a layer or an option of it, or has other weights for it.
    """
    builder = _Builder(from_tfjs=False)
    entry = json.loads(model.to_json())
    rebuilt = builder.container(entry, name=model.name)
    old = {layer.name: layer for layer in model._flatten_layers(include_self=False)}  # noqa: SLF001 - nested ones too
    for name, layer in builder.built:
        new = [variable for variable in layer.weights if "seed" not in variable.path]
        given = [] if name not in old else old[name].weights
        if [tuple(variable.shape) for variable in new] != [tuple(variable.shape) for variable in given]:
            raise refused(name, "Keras 3 has other weights for it than Keras 2")
        for variable, value in zip(new, given, strict=True):
            variable.assign(value.numpy())
    return rebuilt


def _config(entry: Config) -> Config:
    """Return a container's config as a dict: Keras before 2.2.3 wrote the list of a Sequential's layers bare."""
    config = entry["config"]
    return {"layers": config} if isinstance(config, list) else config


class _Builder:
    """Builds containers and layers, and remembers which layer came from which name."""

    def __init__(self, *, from_tfjs: bool = True) -> None:
        import keras  # noqa: PLC0415 - the way back is the one that needs it

        self.keras = keras
        self.from_tfjs = from_tfjs
        register()
        self.built: list[tuple[str, Any]] = []
        self._calls = 1  # of the layer that is built, with those of the models around it

    def variables(self) -> Iterator[tuple[str, Any]]:
        """Yield TF.js's name of each weight and the Keras variable that holds it."""
        for name, layer in self.built:
            yield from ((f"{name}/{local}", variable) for local, variable in _variables(layer))

    def check_axes(self) -> None:
        """Refuse batch normalization of any but the last axis, which TF.js computes wrongly."""
        for name, layer in self.built:
            if (
                type(layer).__name__ == "BatchNormalization"
                and layer.axis % layer.input_spec.ndim + 1 < layer.input_spec.ndim
            ):
                raise refused(name, f"it has axis={layer.axis}, which TF.js does not compute as Keras does")

    # ------------------------------------------------------------------ containers

    def container(self, entry: Config, *, name: str | None) -> Any:
        """Build a Sequential or a functional model."""
        config = _config(entry)
        if entry["class_name"] == "Sequential":
            return self._sequential(config, name)
        if entry["class_name"] not in {"Model", "Functional"}:
            raise refused(str(name), f"its class is '{entry['class_name']}'; expected a Sequential or a Functional")
        return self._functional(config, name)

    def _sequential(self, config: Config, name: str | None) -> Any:
        first, *_ = entries = config["layers"]
        layers = [] if first["class_name"] in {"InputLayer", *CONTAINERS} else [self._input(first)]
        layers += [self._input(one) if one["class_name"] == "InputLayer" else self.layer(one) for one in entries]
        return self.keras.Sequential(layers, name=_keras_name(name))

    def _functional(self, config: Config, name: str | None) -> Any:
        entries = {_name(entry): entry for entry in config["layers"]}
        offsets = _offsets(entries, config)
        made: dict[str, Any] = {}
        tensors: dict[Ref, Any] = {}
        waiting = {layer: list(enumerate(_nodes(entry), start=offsets[layer])) for layer, entry in entries.items()}
        calls, around = {layer: len(nodes) for layer, nodes in waiting.items()}, self._calls
        for layer, entry in entries.items():
            if entry["class_name"] == "InputLayer":
                tensors[layer, 0, 0] = self._input(entry)
        progress = True
        while progress:
            progress = False
            for layer, nodes in waiting.items():
                # In the order of the numbers, as TF.js does: a later call may be ready before an earlier one.
                for node in [one for one in nodes if all(ref in tensors for ref, _ in one[1])]:
                    if layer not in made:
                        self._calls = around * calls[layer]
                        made[layer] = self.layer(entries[layer])
                        self._calls = around
                    _check_arguments(layer, node[1])
                    outputs = _called(layer, made[layer], [tensors[ref] for ref, _ in node[1]])
                    tensors |= {(layer, node[0], port): tensor for port, tensor in enumerate(outputs)}
                    nodes.remove(node)
                    progress = True
        if left := [layer for layer, nodes in waiting.items() if nodes]:
            raise UnsupportedModelError(f"The layers {quoted_list(left)} take tensors that no layer gives.")
        inputs, outputs = ([tensors[ref] for ref in _refs(config[key])] for key in ("input_layers", "output_layers"))
        return self.keras.Model(
            inputs if len(inputs) > 1 else inputs[0],
            outputs if len(outputs) > 1 else outputs[0],
            name=_keras_name(name),
        )

    def _input(self, entry: Config) -> Any:
        config = entry["config"]
        shape = config.get("batch_input_shape") or config.get("batch_shape")
        if shape is None:
            raise refused(_name(entry), "its input shape is not known, so that Keras cannot build it")
        is_input = entry["class_name"] == "InputLayer"
        dtype = config.get("dtype") if is_input or entry["class_name"] == "Embedding" else None
        name = _keras_name(_name(entry)) if is_input else None
        return self.keras.Input(batch_shape=tuple(shape), dtype=dtype or "float32", name=name)

    # ------------------------------------------------------------------ layers

    def layer(self, entry: Config, *, wrapped: bool = False) -> Any:
        """Build one layer (or a nested model)."""
        class_name, name = entry["class_name"], _name(entry)
        if class_name in CONTAINERS:
            return self.container(entry, name=name)
        if class_name not in CLASSES and (self.from_tfjs or not hasattr(self.keras.layers, class_name)):
            both = "TF.js and Keras both have" if self.from_tfjs else "Keras 3 has"
            raise refused(name, f"its class '{class_name}' is none that {both}")
        keras_class = getattr(self.keras.layers, CLASSES.get(class_name, class_name))
        defaults = TFJS_DEFAULTS.get(class_name, {}) if self.from_tfjs else {}
        config = {**defaults, **{snake_case(key): value for key, value in entry["config"].items()}}
        options = self._options(class_name, name, config, keras_class)
        if class_name == "Bidirectional" and config["layer"]["config"].get("go_backwards"):
            inner = config["layer"]  # TF.js turns the backward layer round; Keras would make both go backwards
            forwards = {**inner["config"], "name": f"backward_{_name(inner)}", "go_backwards": False}
            options["backward_layer"] = self.layer({**inner, "name": None, "config": forwards}, wrapped=True)
        layer = keras_class(**options, name=_keras_name(name))
        layer.trainable = bool(config.get("trainable", True))
        if not wrapped:
            self.built.append((name, layer))
        return layer

    def _options(self, class_name: str, name: str, config: Config, keras_class: type[Any]) -> dict[str, Any]:
        renamed = RENAMED.get(class_name, {})
        known = inspect.signature(keras_class.__init__).parameters
        options: dict[str, Any] = {}
        if class_name == "RNN":  # TF.js writes the cell's options beside it once more
            config = {key: config[key] for key in config if key == "cell" or key not in config["cell"]["config"]}
        for key, value in config.items():
            option = renamed.get(key, key)
            if (
                key in WITHOUT_EFFECT
                or (class_name, key) in UNUSED
                or (value is None and key != "merge_mode" and not key.endswith("activation"))
            ):
                continue
            only = EXACT_VALUES.get((class_name, key)) if self.from_tfjs else None
            if only is not None and value not in only:
                raise refused(name, f"it has {key}={value!r}, which TF.js does not compute as Keras does")
            if option not in known:
                if value is not False and (class_name, key) not in EXACT_VALUES:
                    raise refused(name, f"it has {key}={value!r}, an option that Keras's {class_name} does not have")
                continue
            options[option] = self._value(name, option, value)
        return options

    def _value(self, name: str, option: str, value: Any) -> Any:
        """Return an option of a layer as Keras takes it."""
        if option in {"layer", "cell"}:
            return self.layer(value, wrapped=True)
        if option == "cells":
            return [self.layer(cell, wrapped=True) for cell in value]
        if option.endswith("activation"):
            return activation_of(name, value)
        for kind, module in (
            ("initializer", "initializers"),
            ("regularizer", "regularizers"),
            ("constraint", "constraints"),
        ):
            if option.endswith(kind):
                made = object_of(name, option, value, getattr(self.keras, module))
                if self.from_tfjs and isinstance(made, self.keras.regularizers.L1L2):  # TF.js counts it once per call
                    made.l1, made.l2 = made.l1 * self._calls, made.l2 * self._calls
                return made
        if option == "axis" and isinstance(value, list) and len(value) == 1:
            (value,) = value
        if option == "target_shape":
            value = tuple(-1 if size is None else size for size in value)
        return tuple(value) if option in {"dims", "shared_axes"} else value


# ---------------------------------------------------------------------- wiring


def _called(name: str, layer: Any, tensors: Sequence[Any]) -> list[Any]:
    """Call a layer; what an RNN takes beside its sequence is its initial state."""
    if type(layer).__name__ == "Multiply" and any(getattr(one, "_keras_mask", None) is not None for one in tensors):
        raise refused(name, "it multiplies a masked tensor, of which TF.js ignores the mask and Keras does not")
    if len(tensors) > 1 and "initial_state" in inspect.signature(layer.call).parameters:
        outputs = layer(tensors[0], initial_state=list(tensors[1:]))
    else:
        outputs = layer(tensors[0] if len(tensors) == 1 else list(tensors))
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def _nodes(entry: Config) -> list[list[tuple[Ref, Config]]]:
    """Return for each call of a layer the tensors that it takes, with the arguments that stand beside them."""
    calls = entry.get("inbound_nodes") or ()
    return [[(_ref(one), one[3] if len(one) > 3 else {}) for one in call] for call in calls]


def _check_arguments(name: str, node: Sequence[tuple[Ref, Config]]) -> None:
    given = {key: value for _, arguments in node for key, value in (arguments or {}).items() if value is not None}
    if unknown := given.keys() - {"training", "mask"}:
        raise refused(name, f"it is called with {quoted_list(unknown)}, which TF.js does not hand on")


def _refs(refs: Any) -> list[Ref]:
    """Return the references of ``input_layers`` or ``output_layers``; Keras 3 writes a single one bare."""
    if isinstance(refs, Mapping):
        refs = list(refs.values())
    return [_ref(refs)] if refs and isinstance(refs[0], str) else [_ref(ref) for ref in refs]


def _ref(ref: Sequence[Any]) -> Ref:
    return str(ref[0]), int(ref[1]), int(ref[2])


def _offsets(entries: Mapping[str, Config], config: Config) -> dict[str, int]:
    """Return the number of each layer's first call; that of a nested model counts only if something refers to it."""
    used = [ref for entry in entries.values() for node in _nodes(entry) for ref, _ in node] + _refs(
        config["output_layers"]
    )
    zero = {name for name, call, _ in used if call == 0}
    return {name: int(entry["class_name"] in CONTAINERS and name not in zero) for name, entry in entries.items()}


def _name(entry: Config) -> str:
    config = entry["config"]
    return str(
        entry.get("name") or (config.get("name") if isinstance(config, Mapping) else None) or entry["class_name"]
    )


def _keras_name(name: str | None) -> str | None:
    """Return a name that Keras takes: it splits paths at slashes."""
    return None if name is None else name.replace("/", "_")


# ---------------------------------------------------------------------- weights


def _variables(layer: Any) -> Iterator[tuple[str, Any]]:
    """Yield TF.js's name of each weight within its layer, and the Keras variable."""
    class_name = type(layer).__name__
    if class_name == "TimeDistributed":
        yield from _variables(layer.layer)
    elif class_name == "Bidirectional":
        base = layer.forward_layer.name.removeprefix("forward_")
        for direction, one in (("forward", layer.forward_layer), ("backward", layer.backward_layer)):
            yield from ((f"{direction}_{base}/{local}", variable) for local, variable in _variables(one))
    elif (cell := getattr(layer, "cell", None)) is not None:
        yield from _variables(cell)
    elif (cells := getattr(layer, "cells", None)) is not None:
        for i, one in enumerate(cells):
            yield from ((f"RNNCell_{i}/{local}", variable) for local, variable in _variables(one))
    else:
        attributes = {"depthwise_kernel": "kernel"} if class_name == "DepthwiseConv2D" else {}
        for local in _WEIGHTS:
            if class_name == "DepthwiseConv2D" and local == "kernel":
                continue
            variable = getattr(layer, attributes.get(local, local), None)
            if hasattr(variable, "assign"):
                yield local, variable


_WEIGHTS = (
    *("kernel", "recurrent_kernel", "depthwise_kernel", "pointwise_kernel", "bias", "embeddings", "alpha"),
    *("gamma", "beta", "moving_mean", "moving_variance"),
)


def _fill(variables: Iterator[tuple[str, Any]], weights: Mapping[str, Array]) -> None:
    """Assign each weight to the variable of its name.

    TF.js looks a name up again without its last part but one, since Keras 2 names the cell within an RNN.
    """
    left = dict(weights)
    short = {re.sub(r"[^/]+/([^/]+)$", r"\1", name): name for name in weights if name.count("/") > 1}
    for wanted, variable in variables:
        name = wanted if wanted in left else short.get(wanted, "")
        if name not in left:
            raise UnsupportedModelError(f"The model has no weight '{wanted}'; it has {quoted_list(weights, limit=5)}.")
        array = left.pop(name)
        if array.shape != tuple(variable.shape):
            raise UnsupportedModelError(
                f"Weight '{name}' has shape {array.shape}; its layer expects {tuple(variable.shape)}."
            )
        variable.assign(array)
    if left:
        raise UnsupportedModelError(f"The weights {quoted_list(left, limit=5)} belong to no layer.")
