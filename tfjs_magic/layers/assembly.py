"""Write a mapped model as the JSON that tfjs's ``Container.fromConfig`` reads, and gather its weights.

Source: tfjs-layers 4.22 ``dist/engine/container.js`` (``fromConfig``), ``dist/models.js`` (``Sequential.fromConfig``).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tfjs_magic.layers.functional import Call, MappedModel, TensorRef
from tfjs_magic.layers.mapping import INTEGER_DTYPES
from tfjs_magic.layers.names import LayerNames, valid_name
from tfjs_magic.layers.tfjs_layer import TfjsLayer


@dataclasses.dataclass(eq=False)
class _Container:
    """What :func:`assemble` gives: the container's JSON and what it holds."""

    entry: dict[str, Any]
    weights: list[tuple[str, Any]]


#: The number of a call, and the role of the tfjs layer that makes it once more, if one does.
_CallKey = tuple[int, str]
#: Layer name, call, port.
_Source = tuple[str, _CallKey, int]


@dataclasses.dataclass(eq=False)
class _Placed:
    """A tfjs layer with its name, and what each of its calls takes."""

    name: str
    class_name: str
    config: Mapping[str, Any]
    first_node: int = 0
    calls: dict[_CallKey, list[_Source]] = dataclasses.field(default_factory=dict)
    nodes: list[_CallKey] = dataclasses.field(default_factory=list)  # in the order in which tfjs makes them


def assemble(model: MappedModel, names: LayerNames, name: str, *, repeats: int = 1) -> _Container:
    """Assemble a model and everything nested in it.

    Args:
        model: With its layers mapped.
        names: Give each layer its name.
        name: The model's own.
        repeats: How often it is called, if it is nested in another.

    Returns:
        ``entry`` is ``{class_name, config}``; ``weights`` are (tfjs's name, Keras variable or tensor) in the order of
        the layers.
    """
    assembly = _Assembly(model, names, repeats)
    outputs = assembly.outputs()
    placed = list(assembly.placed.values())
    if model.graph.sequential and _is_chain(placed, outputs):
        class_name = "Sequential"
        config: dict[str, Any] = {
            "name": name,
            "layers": [{"class_name": one.class_name, "config": dict(one.config)} for one in placed],
        }
    else:
        class_name = "Functional"
        _order_nodes(placed)
        by_name = {one.name: one for one in placed}
        config = {
            "name": name,
            "layers": [_functional_entry(one, by_name) for one in placed],
            "input_layers": [_reference(by_name, *assembly.source(ref)) for ref in model.graph.inputs],
            "output_layers": [_reference(by_name, *source) for source in outputs],
        }
    return _Container({"class_name": class_name, "config": config}, assembly.weights)


class _Assembly:
    """Places every tfjs layer of one model and wires the calls."""

    def __init__(self, model: MappedModel, names: LayerNames, repeats: int) -> None:
        self.model = model
        self.repeats = repeats
        self.names = names
        self.placed: dict[str, _Placed] = {}
        self.weights: list[tuple[str, Any]] = []
        self._roles: dict[tuple[int, str], _Placed] = {}
        for layer in model.graph.layers:
            first = model.graph.calls[model.graph.calls_of(layer)[0]]
            if first.kind == "model":
                self._place_model(layer, model.models[id(layer)])
            elif first.kind == "input":
                self._place_input(layer, first)
            else:
                self._place_layers(layer)
        for number, call in enumerate(model.graph.calls):
            self._wire(number, call)

    def _place_input(self, layer: Any, call: Call) -> None:
        config = {
            "batch_input_shape": list(call.shapes.outputs[0]),
            "dtype": "int32" if str(layer.dtype) in INTEGER_DTYPES else "float32",
            "sparse": False,
        }
        self._place(layer, TfjsLayer("InputLayer", config), config)

    def _place_model(self, layer: Any, inner: MappedModel) -> None:
        repeats = self.repeats * len(self.model.graph.calls_of(layer))
        container = assemble(inner, self.names, self.names.of(self.model, layer), repeats=repeats)
        # tfjs gives a model a node of its own before anyone calls it.
        self._place(
            layer, TfjsLayer(container.entry["class_name"]), container.entry["config"], first_node=1, named=True
        )
        self.weights += container.weights

    def _place_layers(self, layer: Any) -> None:
        mapped = self.model.layers[id(layer)]
        repeats = self.repeats * len(self.model.graph.calls_of(layer))
        for tfjs in mapped:
            if tfjs.again is not None:
                self._roles[id(layer), tfjs.role] = self._roles[id(layer), tfjs.again]
                continue
            calls = repeats * (1 + sum(other.again == tfjs.role for other in mapped))
            config = {"trainable": bool(getattr(layer, "trainable", True)), **_shared_out(tfjs.config, calls)}
            placed = self._place(layer, tfjs, config)
            self.weights += [(f"{placed.name}/{weight}", variable) for weight, variable in tfjs.weights.items()]

    def _place(
        self, layer: Any, tfjs: TfjsLayer, config: Mapping[str, Any], *, first_node: int = 0, named: bool = False
    ) -> _Placed:
        own_name = self.names.of(self.model, layer)
        name = own_name if not tfjs.role else self.names.claim(f"{own_name}_{tfjs.role}")
        full = config if named else {"name": name, **config}
        placed = _Placed(name, tfjs.class_name, full, first_node)
        self.placed[name] = self._roles[id(layer), tfjs.role] = placed
        return placed

    def _wire(self, number: int, call: Call) -> None:
        inputs = [self.source(ref) for ref in call.inputs]
        made: dict[str, _Source] = {}
        for tfjs in self.model.layers.get(id(call.layer), (TfjsLayer(""),)):
            picks = range(len(inputs)) if tfjs.inputs is None else tfjs.inputs
            placed = self._roles[id(call.layer), tfjs.role]
            key = (number, tfjs.role if tfjs.again is not None else "")
            placed.calls[key] = self._apart(inputs[pick] if isinstance(pick, int) else made[pick] for pick in picks)
            made[tfjs.role] = (placed.name, key, 0)

    def _apart(self, sources: Iterable[_Source]) -> list[_Source]:
        """Copy a tensor that one call takes twice: tfjs would free it before other layers have read it."""
        taken: list[_Source] = []
        for source in sources:
            again = source in taken and self.placed[source[0]].class_name != "InputLayer"
            taken.append(self._copied(source, "copy") if again else source)
        return taken

    def _copied(self, source: _Source, suffix: str) -> _Source:
        name = self.names.claim(f"{source[0]}_{suffix}")
        config = {"name": name, "trainable": True, "activation": "linear"}
        self.placed[name] = _Placed(name, "Activation", config, calls={(0, ""): [source]})
        return name, (0, ""), 0

    def source(self, ref: TensorRef) -> _Source:
        """Return where a tensor comes from."""
        ref = self.model.giver(ref)
        return self._roles[id(self.model.graph.calls[ref.call].layer), ""].name, (ref.call, ""), ref.port

    def outputs(self) -> list[_Source]:
        """Return the outputs' sources.

        tfjs fills an output that is listed twice only once, and frees an input that is also an output: both get a
        linear Activation between.
        """
        sources: list[_Source] = []
        for ref in self.model.graph.outputs:
            source = self.source(ref)
            if source in sources or self.model.graph.calls[ref.call].kind == "input":
                source = self._copied(source, "output")
            sources.append(source)
        return sources


def _shared_out(config: Mapping[str, Any], calls: int) -> dict[str, Any]:
    """Divide regularizers, which tfjs adds to the loss once per call (``Container.calculateLosses``) and Keras once."""
    return {
        key: {**value, "config": {name: factor / calls for name, factor in value["config"].items()}}
        if key.endswith("_regularizer") and calls > 1
        else value
        for key, value in config.items()
    }


def _is_chain(placed: Sequence[_Placed], outputs: Sequence[_Source]) -> bool:
    """Tell whether each layer takes just the one before, as tfjs's Sequential wires them."""
    links = itertools.pairwise(placed)
    linked = all([[s[0] for s in call] for call in after.calls.values()] == [[before.name]] for before, after in links)
    return linked and placed[0].class_name == "InputLayer" and [source[0] for source in outputs] == [placed[-1].name]


def _order_nodes(placed: Sequence[_Placed]) -> None:
    """Number each layer's calls in the order in which tfjs will make them.

    tfjs goes through the layers again and again and makes each call whose inputs exist by then. A call that has to
    wait is overtaken by a later one of the same layer and so changes its index; the same walk here foresees that.
    """
    made: set[tuple[str, _CallKey]] = set()
    waiting = {one.name: list(one.calls) for one in placed}
    while any(waiting.values()):
        progress = len(made)
        for one in placed:
            while ready := [key for key in waiting[one.name] if _is_ready(one.calls[key], made)]:
                one.nodes.append(ready[0])
                made.add((one.name, ready[0]))
                waiting[one.name].remove(ready[0])
        assert len(made) > progress, "the calls of a functional model have no cycle"


def _is_ready(sources: Sequence[_Source], made: set[tuple[str, _CallKey]]) -> bool:
    return all((name, key) in made for name, key, _ in sources)


def _functional_entry(one: _Placed, by_name: Mapping[str, _Placed]) -> dict[str, Any]:
    nodes = [[[*_reference(by_name, *source), {}] for source in one.calls[key]] for key in one.nodes]
    return {
        "class_name": one.class_name,
        "config": dict(one.config),
        "name": one.name,
        "inbound_nodes": [node for node in nodes if node],
    }


def _reference(by_name: Mapping[str, _Placed], name: str, key: _CallKey, port: int) -> list[Any]:
    producer = by_name[name]
    return [name, producer.first_node + producer.nodes.index(key), port]


def index_bounds(model: MappedModel) -> dict[int, int]:
    """Return how many rows the Embedding has whose rows an input looks up: input number → rows."""
    bounds: dict[int, int] = {}
    start = {ref: frozenset({position}) for position, ref in enumerate(model.graph.inputs)}
    for position, rows in _lookups(model, start, {}):
        bounds[position] = min(rows, bounds.get(position, rows))
    return bounds


#: Keras classes whose outputs hold nothing but values of their inputs.
_REARRANGING = frozenset(
    {"Concatenate", "ExpandDims", "Flatten", "GetItem", "Identity", "Masking", "Permute", "RepeatVector", "Reshape"}
    | {"Squeeze", "Stack", "Transpose"}
)
#: Keras classes whose inputs look rows up → the attribute that says how many there are.
_LOOKUPS = {"CategoryEncoding": "num_tokens", "Embedding": "input_dim", "ReversibleEmbedding": "input_dim"}


def _lookups(
    model: MappedModel, origins: dict[TensorRef, frozenset[int]], leaving: dict[int, frozenset[int]]
) -> Iterator[tuple[int, int]]:
    """Yield (input number, rows) for each lookup; fill ``leaving`` with the inputs that each output is made of."""
    for number, call in enumerate(model.graph.calls):
        merged = frozenset().union(*(origins.get(ref, frozenset()) for ref in call.inputs))
        if call.kind == "model":
            inner = model.models[id(call.layer)]
            entering = dict(zip(inner.graph.inputs, (origins.get(r, frozenset()) for r in call.inputs), strict=False))
            inside: dict[int, frozenset[int]] = {}
            yield from _lookups(inner, entering, inside)
            origins |= {TensorRef(number, port): found for port, found in inside.items()}
        elif (option := _LOOKUPS.get(type(call.layer).__name__)) is not None:
            yield from ((position, int(getattr(call.layer, option))) for position in sorted(merged))
        elif type(call.layer).__name__ in _REARRANGING:
            origins[TensorRef(number, 0)] = merged
    leaving |= {port: origins.get(ref, frozenset()) for port, ref in enumerate(model.graph.outputs)}


def top_level_name(model: MappedModel) -> str:
    """Return the whole model's name as tfjs takes it."""
    return valid_name(model.graph.name)
