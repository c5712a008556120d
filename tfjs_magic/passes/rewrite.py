"""What a pass is, and the runner that owns order, repetition and invariants."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from tfjs_magic.artifacts import PassReport
from tfjs_magic.errors import PassError
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.options import TARGETS, Target

M = TypeVar("M")

#: A pipeline that still changes the graph after so many rounds has two passes that undo each other.
_MOST_ROUNDS = 50


@dataclasses.dataclass(frozen=True)
class Miss:
    """Why a rewrite does not apply here: a sentence for the report."""

    reason: str


@dataclasses.dataclass(frozen=True)
class Rewrite(Generic[M]):
    """A local match and its edit.

    Attributes:
        module: Its ``__name__``, whose last part, verb and object, names the pass.
        anchors: Op types that a match may start from.
        match: Reads only. None where the pattern is not there at all, a :class:`Miss` where it is but must stay.
        apply: Edits only, through the verbs of :class:`Graph`; everything is decided already.
        targets: What the graph may be made fast for where it is of use.
    """

    module: str
    anchors: frozenset[str]
    match: Callable[[Graph, Node], M | Miss | None]
    apply: Callable[[Graph, M], None]
    targets: Sequence[Target] = TARGETS

    @property
    def name(self) -> str:
        """How reports call it."""
        return self.module.rpartition(".")[2]


@dataclasses.dataclass(frozen=True)
class GraphPass:
    """A step over the whole graph; ``run`` returns how many places it changed, ``module`` is as in :class:`Rewrite`."""

    module: str
    run: Callable[[Graph], int]

    @property
    def name(self) -> str:
        """How reports call it."""
        return self.module.rpartition(".")[2]


Pass = Rewrite[Any] | GraphPass


def run_passes(graph: Graph, passes: Sequence[Pass], *, target: Target | None = None) -> tuple[PassReport, ...]:
    """Run the passes in order, again and again until none applies; edits ``graph``.

    Args:
        graph: What they edit.
        passes: A group.
        target: What the graph is made fast for: those that are of no use there are left out; None takes them all.

    Raises:
        PassError: A pass broke an invariant, raised, or does not come to an end.
    """
    held_back = [p for p in passes if isinstance(p, Rewrite) and target is not None and target not in p.targets]
    passes = [p for p in passes if p not in held_back]
    applied: dict[str, int] = {p.name: 0 for p in passes}
    misses: dict[str, collections.Counter[tuple[str, str]]] = {}
    edits, ops = 0, {node.op for node in graph}
    idle: dict[str, int] = {}  # pass → the edits before it found nothing to do
    for _ in range(_MOST_ROUNDS):
        before = edits
        for p in passes:
            if isinstance(p, Rewrite) and idle.get(p.name) == edits:  # passes over all of it also put it in order
                continue
            absent = isinstance(p, Rewrite) and ops.isdisjoint(p.anchors)
            count, misses[p.name] = (0, collections.Counter()) if absent else _run_one(graph, p)
            if not count:
                idle[p.name] = edits
                continue
            applied[p.name] += count
            edits, ops = edits + count, {node.op for node in graph}
        if edits == before:
            held = [PassReport(p.name, 0, held_back=_matches(graph, p)) for p in held_back if target == "auto"]
            return (*(_report(p.name, applied[p.name], misses[p.name]) for p in passes), *held)
    raise PassError(f"The passes still change the graph after {_MOST_ROUNDS} rounds: {applied}.")


def _matches(graph: Graph, p: Rewrite[Any]) -> int:
    return sum(not isinstance(p.match(graph, node) or Miss(""), Miss) for node in graph if node.op in p.anchors)


def _report(name: str, applied: int, misses: Mapping[tuple[str, str], int]) -> PassReport:
    counts: collections.Counter[str] = collections.Counter()
    declined: dict[str, tuple[str, ...]] = {}
    for (op, reason), count in misses.items():
        counts[reason] += count
        declined[op] = (*declined.get(op, ()), reason)
    return PassReport(name, applied, dict(counts), declined)


def _run_one(graph: Graph, p: Pass) -> tuple[int, collections.Counter[tuple[str, str]]]:
    """Return how often a pass applied, and (op type, sentence) → how often it declined."""
    signature = (tuple(graph.inputs), tuple(graph.outputs))
    node: Node | None = None
    misses: collections.Counter[tuple[str, str]] = collections.Counter()
    try:
        if isinstance(p, GraphPass):
            count = p.run(graph)
        else:
            count = 0
            for node in [node for node in graph if node.op in p.anchors]:
                if node.name not in graph or graph[node.name] is not node:
                    continue
                found = p.match(graph, node)
                if isinstance(found, Miss):
                    misses[node.op, found.reason] += 1
                elif found is not None:
                    p.apply(graph, found)
                    count += 1
        if count:
            graph.remove_unused()
            graph.check()
            assert signature == (tuple(graph.inputs), tuple(graph.outputs)), "the signature changed"
    except Exception as error:  # whatever a pass raises is our bug
        where = node.name if node is not None else None
        place = "" if where is None else f" at '{where}'"
        reason = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
        raise PassError(f"Pass '{p.name}' broke the graph{place}: {reason}. Please report this.", node=where) from error
    return count, misses
