"""Which Keras layer a node of a graph model computes for."""

from __future__ import annotations

from collections.abc import Mapping

from tfjs_magic.artifacts import Artifacts
from tfjs_magic.bench.state import Profile


def with_layers(profile: Profile, model: Artifacts) -> Profile:
    """Return a profile of the model with the layers that the conversion knows, in place of what names suggest."""
    if model.format != "graph-model":
        return profile
    layers = node_layers(model)
    return {**profile, "rows": [{**row, "layer": layers.get(row["node"], row["layer"])} for row in profile["rows"]]}


def node_layers(model: Artifacts) -> Mapping[str, str]:
    """Return node → label of the layer whose output it leads to, without another layer's output between.

    A node that leads to several belongs to the one that is called first; what lies behind all layers is left out.
    """
    inputs: dict[str, list[str]] = {
        node["name"]: [_node_of(ref) for ref in node.get("input", ())] for node in model.topology.get("node", ())
    }
    ends = {_node_of(layer.tensor) for layer in model.layers if layer.tensor}
    found: dict[str, str] = {}
    for layer in model.layers:
        if not layer.tensor:
            continue
        todo = [_node_of(layer.tensor)]
        found.setdefault(todo[0], layer.label)
        while todo:
            for name in inputs.get(todo.pop(), ()):
                if name not in ends and name not in found:
                    found[name] = layer.label
                    todo.append(name)
    return found


def _node_of(ref: str) -> str:
    return ref.removeprefix("^").partition(":")[0]
