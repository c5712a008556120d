"""Graphs whose nodes bear the names that passes give to their own, and what a graph computes whatever its names are."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfjs_magic.artifacts import Array
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
    return sorted({*_ENDINGS, *(ending for _, ending in _hung_on(before, after))})


def _hung_on(before: Graph, after: Graph) -> list[tuple[NodeName, str]]:
    """Return which nodes lent their names to new ones, and what was hung on them."""
    known = {node.name for node in before}
    found = set()
    for node in after:
        if node.name not in known:
            cuts = [match.start() for match in re.finditer(r"[/_]", node.name) if node.name[: match.start()] in known]
            found.update((NodeName(node.name[:cut]), node.name[cut:]) for cut in cuts[-1:])
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
        value = None if node.value is None else (node.value.dtype.str, node.value.shape, _content(node.value))
        inputs = [(met[node_of(ref)], port_of(ref)) for ref in node.inputs]
        rows.append((node.op, inputs, [met[name] for name in node.controls], node.attrs, value))
    return rows


def _content(value: Array) -> Any:
    """Return what makes a constant, NaN included; an array of strings holds their addresses."""
    return value.tolist() if value.dtype == object else value.tobytes()


def assert_names_do_not_matter(before: Graph, passes: Sequence[Pass], after: Graph) -> None:
    """Assert that the passes make the same of the graph whatever its nodes are called."""
    want, rng, nodes = structure(after), random.Random(0), [node.name for node in before]
    hung_on = _hung_on(before, after)
    bases = sorted({base for base, _ in hung_on}) or nodes
    for _ in range(2):
        known = {(base, end) for base, ending in hung_on for end in (ending, f"{ending}_1")}
        clashes = sorted(known | {(rng.choice(bases), ending) for ending in _ENDINGS})
        rng.shuffle(clashes)
        while clashes and len(nodes) > 1:
            names = _clashing(nodes, clashes, rng)
            other = renamed(before, names)
            run_passes(other, passes)
            assert structure(other) == want, names


def _clashing(nodes: Sequence[NodeName], clashes: list[tuple[NodeName, str]], rng: random.Random) -> dict[Any, Any]:
    """Take as many clashes off the list as there are nodes for: one node lends its name to the name of another."""
    names: dict[NodeName, str] = {}
    clashing: list[str] = []
    while clashes and len({*names, clashes[-1][0]}) + len(clashing) < len(nodes):
        base, ending = clashes.pop()
        names.setdefault(base, f"n{len(names)}")
        clashing.append(names[base] + ending)
    others = [name for name in rng.sample(nodes, len(nodes)) if name not in names]
    clashing += [f"n{i}" for i in range(len(names), len(nodes))]
    return {**names, **dict(zip(others, clashing, strict=False))}
