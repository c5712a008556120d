"""Graphs whose nodes bear the names that passes give to their own, and what a graph computes whatever its names are."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfjs_magic.graph.ir import Graph
from tfjs_magic.graph.refs import NodeName, Ref, node_of, port_of, ref_of
from tfjs_magic.passes.rewrite import Pass, run_passes

#: How passes have named nodes of theirs, now or once.
_ENDINGS = ("/const", "/handle", "/output", "/rows", "/split_2_4", "/switch", "/unpacked", "/value", "_1")


def renamed(graph: Graph, names: Mapping[NodeName, NodeName]) -> Graph:
    """Return the graph with other names for its nodes; those of inputs and outputs stay."""

    def moved(ref: Ref) -> Ref:
        return ref_of(names[node_of(ref)], port_of(ref))

    nodes = [
        dataclasses.replace(
            node,
            name=names[node.name],
            inputs=[moved(ref) for ref in node.inputs],
            controls=[names[name] for name in node.controls],
            attrs=dict(node.attrs),
        )
        for node in graph
    ]
    other = Graph(
        nodes,
        inputs={name: names[placeholder] for name, placeholder in graph.inputs.items()},
        outputs={name: moved(ref) for name, ref in graph.outputs.items()},
    )
    other.tables = {names[name]: table for name, table in graph.tables.items()}
    return other


def copied(graph: Graph) -> Graph:
    """Return the graph with nodes of its own."""
    return renamed(graph, {node.name: node.name for node in graph})


def hostile_names(names: Iterable[NodeName], ending: str, rng: random.Random) -> dict[NodeName, NodeName]:
    """Call two thirds of the nodes what a pass would call new nodes for the others."""
    shuffled = list(names)
    rng.shuffle(shuffled)
    bases = -(-len(shuffled) // 3)
    return {name: NodeName(f"n{i % bases}{('', ending, f'{ending}_1')[i // bases]}") for i, name in enumerate(shuffled)}


def endings(before: Graph, after: Graph) -> list[str]:
    """Return what passes have hung on the names of nodes to name new ones: on these ones, and on others."""
    known = {node.name for node in before}
    found = set(_ENDINGS)
    for node in after:
        if node.name not in known:
            cuts = [match.start() for match in re.finditer(r"[/_]", node.name) if node.name[: match.start()] in known]
            found.update(node.name[cut:] for cut in cuts[-1:])
    return sorted(found)


def structure(graph: Graph) -> list[Any]:
    """Return what the outputs are computed from: nodes by number, in the order in which they are met."""
    met: dict[NodeName, int] = {}
    todo = [*map(node_of, graph.outputs.values())]
    for name in todo:
        if name not in met:
            met[name] = len(met)
            todo += [*map(node_of, graph[name].inputs), *graph[name].controls]
    rows: list[Any] = [[(met[node_of(ref)], port_of(ref)) for ref in graph.outputs.values()]]
    for node in map(graph.__getitem__, met):
        value = None if node.value is None else (node.value.dtype.str, node.value.shape, node.value.tolist())
        inputs = [(met[node_of(ref)], port_of(ref)) for ref in node.inputs]
        rows.append((node.op, inputs, [met[name] for name in node.controls], node.attrs, repr(value)))
    return rows


def assert_names_do_not_matter(before: Graph, passes: Sequence[Pass], after: Graph) -> None:
    """Assert that the passes make the same of the graph whatever its nodes are called."""
    want, rng = structure(after), random.Random(0)
    for ending in 2 * endings(before, after):
        names = hostile_names([node.name for node in before], ending, rng)
        other = renamed(before, names)
        run_passes(other, passes)
        assert structure(other) == want, names
