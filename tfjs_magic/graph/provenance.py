"""Which node holds the output of which layer of the source: noted when the graph is traced, kept through the passes.

Grappler keeps names, and changes a value under its name in one case: where it moves one constant past another, the
node that took the first is left with constants alone. So a node counts if an input of the model leads to it. The
passes go through ``Graph.replace_uses`` and ``replace_node``, which ask for the same tensor; a pass that changes what
a node computes calls ``Graph.forget_layers``.

Source: tensorflow ``core/grappler/optimizers/constant_folding.cc`` (``ConstantPushDown``, ``MulConvPushDown``), 2.21.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tfjs_magic.artifacts import LayerTensor
from tfjs_magic.graph.ir import Graph
from tfjs_magic.graph.refs import NodeName, Ref, closure, node_of, port_of

_NOT_HELD = "no node of the graph holds its output"


@dataclasses.dataclass(frozen=True)
class TracedLayer:
    """A layer of the source, and the tensor of the traced function that is its output.

    Attributes:
        label: As in :class:`LayerTensor`.
        layer_class: Likewise.
        refs: The tensor, and those that it hands on unchanged.
        why_not: What is said where no node holds it, if not that another layer's does.
    """

    label: str
    layer_class: str
    refs: tuple[Ref, ...]
    why_not: str = _NOT_HELD


def traced_again(layers: Iterable[LayerTensor]) -> tuple[TracedLayer, ...]:
    """Return the layers of a graph model for the graph that is read out of it."""
    return tuple(
        TracedLayer(
            layer.label, layer.layer_class, (Ref(layer.tensor),) if layer.tensor else (), layer.why_not or _NOT_HELD
        )
        for layer in layers
    )


def note_layers(graph: Graph, layers: Iterable[TracedLayer]) -> None:
    """Note in a graph that was just traced which tensor is the output of which layer."""
    fed = closure(graph.inputs.values(), lambda name: [node.name for node in graph.consumers(name)])
    fed -= {*graph.inputs.values()}  # a layer that hands an input on computes nothing
    for layer in layers:
        for ref in layer.refs:
            if node_of(ref) in fed and port_of(ref) < graph[node_of(ref)].outputs:
                graph.set_layer(layer.label, ref)
                break


def next_layers(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Return which layers take the output of which: those on the way to which no other layer lies."""
    at: dict[NodeName, list[str]] = {}
    for label, ref in graph.layers.items():
        at.setdefault(node_of(ref), []).append(label)
    return {label: tuple(_reached(graph, node_of(ref), at)) for label, ref in graph.layers.items()}


def _reached(graph: Graph, start: NodeName, at: Mapping[NodeName, list[str]]) -> Iterator[str]:
    seen = {start}
    todo = [start]
    while todo:
        for node in graph.consumers(todo.pop()):
            if node.name not in seen:
                seen.add(node.name)
                if node.name in at:
                    yield from at[node.name]
                else:
                    todo.append(node.name)


def layer_tensors(
    layers: Sequence[TracedLayer], graph: Graph, following: Mapping[str, tuple[str, ...]]
) -> tuple[LayerTensor, ...]:
    """Say which node of the finished graph holds the output of each layer, and where the others went.

    Args:
        layers: In the order of the calls.
        graph: After the passes.
        following: What :func:`next_layers` said before them.
    """
    order = {layer.label: number for number, layer in enumerate(layers)}
    inputs: dict[str, list[str]] = {}
    inside: dict[str, str] = {}
    for label in following:
        found = sorted(_held(label, graph, following), key=order.__getitem__)
        if label not in graph.layers and found:
            inside[label] = found[0]
        for after in found if label in graph.layers else ():
            inputs.setdefault(after, []).append(label)
    return tuple(_layer_tensor(layer, graph, inside, tuple(inputs.get(layer.label, ()))) for layer in layers)


def _held(label: str, graph: Graph, following: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Return the next layers whose output a node still holds."""
    found: set[str] = set()
    seen: set[str] = set()
    todo = [*following[label]]
    while todo:
        after = todo.pop()
        if after in graph.layers:
            found.add(after)
        elif after not in seen:
            seen.add(after)
            todo += following.get(after, ())
    return found


def _layer_tensor(layer: TracedLayer, graph: Graph, inside: Mapping[str, str], inputs: tuple[str, ...]) -> LayerTensor:
    ref = graph.layers.get(layer.label)
    if ref is not None and graph.producer(ref).op not in {"Const", "Placeholder"}:
        return LayerTensor(layer.label, layer.layer_class, ref, inputs=inputs)
    why = f"inside '{inside[layer.label]}'" if layer.label in inside else layer.why_not
    return LayerTensor(layer.label, layer.layer_class, "", why)
