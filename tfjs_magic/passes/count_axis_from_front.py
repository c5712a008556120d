"""Count the axis of a cumulative op from the front: TF.js computes a negative one wrongly.

Given:   y = Cumsum(x, axis), or Cumprod          axis < 0, constant; x of a known rank
Result:  y = Cumsum(x, rank + axis)

Refuses: the axis is computed; the rank is unknown.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    axis: Array


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    axis = graph.constant(node.inputs[1])
    if axis is None:
        return Miss("the axis is computed")
    if axis >= 0:
        return None
    shape = graph.shape(node.inputs[0])
    if shape is None:
        return Miss("the rank is unknown")
    return _Match(node, np.asarray(axis + len(shape), axis.dtype))


def _apply(graph: Graph, match: _Match) -> None:
    node = match.node
    axis = graph.add_constant(f"{node.name}/axis", match.axis)
    graph.set_inputs(node, [node.inputs[0], axis])


PASS = Rewrite(__name__, frozenset({"Cumsum", "Cumprod"}), _match, _apply)
