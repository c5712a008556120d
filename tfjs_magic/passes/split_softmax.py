"""Take the softmax of one head's scores after the other: wasm then copies them neither together nor apart.

Given:   pᵢ = Split(Softmax(AddV2(ConcatV2(sᵢ), m)))   along the first axis, with reshapes between; m may be missing
Result:  pᵢ = Softmax(AddV2(sᵢ, mᵢ))                   mᵢ is m, or a part of it if it is constant

That is what ``split_products`` leaves of attention. It takes 0.6 to 0.95 of the time that way, less the more scores
there are; GPUs would need more programs.

Refuses: what is split has another form than what was put together; something else uses what lies between; a mask is
computed for each head; the last axes change; a mask, which is added to each head then, meets less than 2¹⁵ scores,
where that takes as long.
"""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np

from tfjs_magic.artifacts import Dims
from tfjs_magic.graph.conditions import takes_floats
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.linear import VIEWS
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_FEWEST_MASKED = 2**15
_ADDS = frozenset({"Add", "AddV2"})


@dataclasses.dataclass(frozen=True)
class _Step:
    """``data`` is what a node begins with, ``other`` what an addition adds to it."""

    node: Node
    data: Ref
    other: Ref | None = None


@dataclasses.dataclass(frozen=True)
class _Match:
    """``steps`` lead from the concatenation to the split, without reshapes."""

    split: Node
    scores: list[Ref]
    steps: list[_Step]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    way = _way(graph, node.inputs[1]) if takes_floats(graph, node) and _is_first(graph, node.inputs[0]) else None
    if not way or all(step.node.op != "Softmax" for step in way):
        return None
    concat = graph.producer(way[0].data)
    *scores, axis = concat.inputs
    shapes = {graph.shape(ref) for ref in scores}
    shape = shapes.pop()
    if not _is_first(graph, axis) or shapes or node.outputs != len(scores) or not _is_matrix(shape):
        return None
    steps = [step for step in way if step.node.op not in VIEWS]
    nodes = [concat, *(step.node for step in way), node]
    reasons = {
        "something else uses what lies between": any(
            graph.only_consumer(one.name) is not other for one, other in itertools.pairwise(nodes)
        ),
        "the last axes are others there": any((graph.shape(step.data) or ())[-2:] != shape for step in steps),
        "it is split in another form": graph.shape(node.inputs[1]) != graph.shape(concat.ref()),
        "a mask is computed for each head": not all(_is_shared(graph, step) for step in steps),
        f"a mask meets less than {_FEWEST_MASKED} scores": len(steps) > 1
        and math.prod(size or 0 for size in graph.shape(concat.ref()) or ()) < _FEWEST_MASKED,
    }
    reason = next((reason for reason, holds in reasons.items() if holds), None)
    return Miss(reason) if reason else _Match(node, scores, steps)


def _is_first(graph: Graph, axis: Ref) -> bool:
    value = graph.constant(axis)
    return value is not None and int(value) == 0


def _is_matrix(shape: Dims | None) -> bool:
    return shape is not None and len(shape) == 2 and None not in shape


def _way(graph: Graph, ref: Ref) -> list[_Step] | None:
    """Return the steps from a concatenation to a tensor."""
    steps: list[_Step] = []
    while (node := graph.producer(ref)).op != "ConcatV2":
        if node.op in VIEWS | {"Softmax"}:
            steps.insert(0, _Step(node, node.inputs[0]))
        elif node.op in _ADDS:
            data, other = sorted(node.inputs, key=lambda ref: _may_be_mask(graph, ref, node))
            steps.insert(0, _Step(node, data, other))
        else:
            return None
        ref = steps[0].data
    return steps


def _may_be_mask(graph: Graph, ref: Ref, add: Node) -> bool:
    return graph.constant(ref) is not None or graph.shape(ref) != graph.shape(add.ref())


def _is_shared(graph: Graph, step: _Step) -> bool:
    """Whether what a step adds, if anything, is the same for all heads, or constant."""
    if step.other is None:
        return True
    shape, data = graph.shape(step.other), graph.shape(step.data) or ()
    if shape is None or len(shape) > len(data) or None in shape:
        return False
    fits = all(size in {1, whole} for size, whole in zip(shape[::-1], data[::-1], strict=False))
    return fits and (graph.constant(step.other) is not None or set(shape[:-2]) <= {1})


def _apply(graph: Graph, match: _Match) -> None:
    new, refs = Lowering(graph, match.split), match.scores
    for step in match.steps:
        if step.other is None:
            refs = [new.add("Softmax", ref, T=FLOAT32) for ref in refs]
        else:
            masks = _masks(graph, new, step.other, graph.shape(step.data) or (), len(refs))
            refs = [new.add("AddV2", *pair, T=FLOAT32) for pair in zip(refs, masks, strict=True)]
    graph.forget_layers(*(step.node.name for step in match.steps))
    for port, ref in enumerate(refs):
        graph.replace_uses(match.split.ref(port), ref)


def _masks(graph: Graph, new: Lowering, ref: Ref, data: Dims, heads: int) -> list[Ref]:
    """Return the mask of each head."""
    shape, value = graph.shape(ref) or (), graph.constant(ref)
    sizes = [int(size or 0) for size in (1, 1, *shape)[-2:]]
    if set(shape[:-2]) <= {1}:
        flat = new.constant(value.reshape(sizes), "float32") if value is not None else None
        return [flat or (ref if list(shape) == sizes else new.reshape(ref, sizes, FLOAT32))] * heads
    assert value is not None
    whole = np.broadcast_to(value, (*(int(size or 0) for size in data[:-2]), *sizes)).reshape(heads, *sizes)
    return [new.constant(part, "float32") for part in whole]


PASS = Rewrite(__name__, frozenset({"Split"}), _match, _apply, targets=("wasm",))
