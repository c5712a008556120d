"""Mask logits with a smaller number: webgl's maxima begin at -1e20, and webgpu's just above float32's minimum.

Given:   y = Softmax(SelectV2(c, x, K))           K constant, finite, beyond -1e20, as -0.7 · float32's maximum
Result:  y = Softmax(SelectV2(c, x, K'))          K' = max(K, -9e19); likewise with x and K the other way round

What is masked gets exp(K' - max) = 0 as before, and a row that is masked as a whole 1 / n each; webgl gave 1. Logits
are no smaller than K' themselves.

Refuses: something else uses what is chosen.
Source: tfjs-backend-webgl ``src/reduce_gpu.ts``, tfjs-backend-webgpu ``src/softmax_webgpu.ts``, 4.22.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import is_masked_by_a_huge_number, masked_by
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.rewrite import Miss, Rewrite

_SMALLEST = np.float32(-9e19)


@dataclasses.dataclass(frozen=True)
class _Match:
    choice: Node
    place: int
    mask: Array


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not is_masked_by_a_huge_number(graph, node):
        return None
    choice = graph.producer(node.inputs[0])
    if graph.only_consumer(choice.name) is None:
        return Miss("something else uses what is chosen")
    place = masked_by(graph, choice)
    assert place is not None
    mask = graph.constant(choice.inputs[place])
    assert mask is not None
    return _Match(choice, place, np.maximum(mask, _SMALLEST))


def _apply(graph: Graph, match: _Match) -> None:
    inputs = list(match.choice.inputs)
    inputs[match.place] = graph.add_constant(inputs[match.place], match.mask)
    graph.set_inputs(match.choice, inputs)


PASS = Rewrite(__name__, frozenset({"Softmax"}), _match, _apply)
